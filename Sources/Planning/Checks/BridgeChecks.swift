package import Model

/// Whether the patterns cover the bridges that containers are on.
package enum BridgeChecks {
    /// How many digits of a network's identifier Docker names its bridge after (moby, `drivers/bridge`).
    static let identifierDigits = 12

    private static let why = "containers on a bridge that no pattern covers get the instance's own credentials"

    static func coverage(_ context: CheckContext) -> [Check] {
        let settings = context.settings
        guard let bridges = context.facts.bridges, settings.modes.contains(.bridge), !settings.allowsMetadata else {
            return []
        }
        switch bridges {
        case .failure(let failure):
            return [Check(.bridgeCoverage, title, .undecided, evidence: failure.description, why: why)]
        case .success(let names): return coverage(of: names, context)
        }
    }

    /// What to know of bridges that settings leave out: a sentence for all of them.
    ///
    /// - Parameter bridges: every bridge of the host.
    package static func notes(bridges: [String], settings: Settings) -> [String] {
        guard settings.modes.contains(.bridge), !settings.allowsMetadata else { return [] }
        let open = bridges.filter { name in
            isOfContainers(name) && !settings.bridgeInterfaces.contains { $0.covers(name) }
        }
        if open.isEmpty { return [] }
        return [
            "containers on \(told(open)) still reach IMDS, as no pattern of --bridge-interface covers it: see verify, ECS-NET-015"
        ]
    }

    private static let title = "bridges of containers"

    private static func coverage(of names: [String], _ context: CheckContext) -> [Check] {
        let networks = context.facts.dockerNetworks ?? []
        let bridges = names.filter { name in
            isOfContainers(name) || networks.contains { $0.link == .bridge(name) }
        }
        let patterns = context.settings.bridgeInterfaces
        let open = bridges.filter { bridge in !patterns.contains { $0.covers(bridge) } }
        // Docker may name a bridge as it likes, and alone knows which are its own.
        let others = names.filter { name in
            name != Endpoint.taskBridge && !bridges.contains(name) && !patterns.contains { $0.covers(name) }
        }
        let beyond = networks.compactMap(beyondRules)
        let untold = context.facts.dockerNetworks == nil ? others : []
        if open.isEmpty, beyond.isEmpty, untold.isEmpty {
            let seen = bridges.isEmpty ? "there is none" : told(bridges)
            return [Check(.bridgeCoverage, title, .passed, evidence: seen, why: why)]
        }
        let mend = mend(open, patterns)
        let uncovered = open.map { bridge in
            let network =
                networks.first { $0.link == .bridge(bridge) }.map { " (Docker network \"\($0.name)\")" } ?? ""
            return Check(
                .bridgeCoverage, printable(bridge), .failed,
                evidence: "no pattern covers it\(network)",
                why: why, mend: mend)
        }
        return uncovered + beyond + untoldCheck(untold)
    }

    private static func untoldCheck(_ bridges: [String]) -> [Check] {
        if bridges.isEmpty { return [] }
        return [
            Check(
                .bridgeCoverage, title, .undecided,
                evidence: "Docker does not tell whether it is its own: \(told(bridges))", why: why,
                mend: .command("start Docker, which tells, or give those of containers to --bridge-interface"))
        ]
    }

    /// A network without a bridge that is known of, such as one whose packets no rule of the host sees.
    private static func beyondRules(_ network: DockerNetwork) -> Check? {
        guard case .driver(let driver) = network.link else { return nil }
        return Check(
            .bridgeCoverage, "Docker network \"\(network.name)\"", .failed,
            evidence: "its driver \(driver) uses no bridge that a pattern covers",
            why: why, mend: .command("take the network away, or make it one of driver bridge"))
    }

    /// A few by name, more by their number.
    private static func told(_ bridges: [String]) -> String {
        bridges.count > 4 ? "\(bridges.count) of them" : bridges.map(printable).joined(separator: ", ")
    }

    private static func printable(_ name: String) -> String {
        String(printable: name.utf8, most: InterfacePattern.maximumLength)
    }

    /// Docker's own names: `docker0`, `docker_gwbridge`, and `br-` with the beginning of a network's identifier.
    private static func isOfContainers(_ name: String) -> Bool { name.hasPrefix("docker") || isUserDefined(name) }

    static func isUserDefined(_ name: String) -> Bool {
        let digits = name.utf8.dropFirst(3)
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) }
        return name.hasPrefix("br-") && digits.count == identifierDigits && digits.allSatisfy(isDigit)
    }

    /// The patterns that there are, and those that are missing: one for all user-defined networks.
    private static func mend(_ open: [String], _ patterns: [InterfacePattern]) -> Check.Mend {
        var wanted = patterns
        for bridge in open where !wanted.contains(where: { $0.covers(bridge) }) {
            do throws(Failure) {
                wanted.append(try InterfacePattern(isUserDefined(bridge) ? "br-+" : bridge))
            } catch {
                return .command("give \(printable(bridge)) another name: \(error.subject)")
            }
        }
        return .applyWith(option: "bridge-interface", value: wanted.map(\.description).joined(separator: ","))
    }
}
