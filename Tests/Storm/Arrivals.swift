import Laboratory

/// What comes to IMDS, counted by the stock tool where it comes in.
struct Arrivals {
    private let lab: Laboratory

    init(_ lab: Laboratory) throws {
        self.lab = lab
        try lab.vpc.require(["nft", "-f", "-"], input: Self.counters)
    }

    private static let conditions: [(name: String, flow: TrafficMeter.Flow, condition: String)] =
        TrafficMeter.Kind.allCases.flatMap { kind in
            [
                ("v4", Laboratory.metadata, "ip daddr", ["ip protocol udp", "ip protocol tcp", "ip protocol icmp"]),
                (
                    "v6", Laboratory.metadata6, "ip6 daddr",
                    ["meta l4proto udp", "meta l4proto tcp", "meta l4proto icmpv6"]
                ),
            ].map { version, address, destination, transports in
                let transport = transports[TrafficMeter.Kind.allCases.firstIndex(of: kind) ?? 0]
                return ("\(kind)\(version)", .init(kind, to: address), "\(destination) \(address) \(transport)")
            }
        }

    private static var counters: String {
        """
        table netdev arrivals {
        \(conditions.map { "    counter \($0.name) {}" }.joined(separator: "\n"))
            chain ingress {
                type filter hook ingress device "to-host" priority 0;
        \(conditions.map { "        \($0.condition) counter name \($0.name)" }.joined(separator: "\n"))
            }
        }

        """
    }

    /// How many packets of each kind have come.
    func counts() throws -> [TrafficMeter.Flow: Int] {
        let words = try lab.vpc.require(["nft", "list", "counters", "table", "netdev", "arrivals"]).split {
            " \t\n".contains($0)
        }
        return try Dictionary(
            uniqueKeysWithValues: Self.conditions.map { name, flow, _ in
                // counter NAME { packets N bytes N }
                guard let index = words.firstIndex(of: Substring(name)), index + 3 < words.count,
                    let number = Int(words[index + 3])
                else { throw LaboratoryError("nft shows no counter \(name)") }
                return (flow, number)
            })
    }
}
