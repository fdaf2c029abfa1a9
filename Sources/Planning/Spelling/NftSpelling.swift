package import Model

/// Rules as a person types them for `nft`.
package enum NftSpelling {
    /// The family, name and table of ours, as nft spells them.
    package static let table = "inet ecs-netsetup"

    /// The commands that make our table and the chains for these rules, as far as they do not exist.
    package static func addChains(for rules: [Rule], existing: [String], hasTable: Bool) -> [String] {
        let places = Place.allCases.filter { place in
            rules.contains { $0.place == place } && !existing.contains(place.baseChain.name)
        }
        return (hasTable ? [] : ["nft add table \(table)"])
            + places.map(\.baseChain).map { chain in
                "nft add chain \(table) \(chain.name) '{ type \(chain.type) hook \(chain.hook.rawValue) priority \(chain.priority); policy accept; }'"
            }
    }

    /// The command that adds a rule to its chain in our table. Quoted for a shell.
    ///
    /// - Parameter position: where among the chain's rules, counted from 0; nil for the end.
    package static func add(_ rule: Rule, position: Int? = nil) -> String {
        let command =
            switch position {
            case nil: "add rule \(table) \(rule.place.rawValue)"
            case 0: "insert rule \(table) \(rule.place.rawValue)"
            case let position?: "add rule \(table) \(rule.place.rawValue) index \(position - 1)"
            }
        return "nft \(command) '\(specification(rule))'"
    }

    /// The command that deletes a table of ours with everything in it.
    package static func deleteTable(_ name: String) -> String { "nft delete table \(name)" }

    /// The command that deletes a rule.
    package static func delete(at place: Place, handle: UInt64) -> String {
        "nft delete rule \(table) \(place.rawValue) handle \(handle)"
    }

    /// The conditions and statements of a rule, as `nft list table` prints them.
    package static func specification(_ rule: Rule) -> String {
        var words = rule.matches.map { match($0, rule) }
        if words.first.map({ !$0.hasPrefix("ip") || $0.hasPrefix("iifname") }) ?? true {
            words.insert("meta nfproto \(rule.family.rawValue)", at: 0)
        }
        words.removeAll { $0.isEmpty }
        words.append("counter")
        words.append(statement(rule))
        if let comment = rule.comment { words.append("comment \"\(comment)\"") }
        return words.joined(separator: " ")
    }

    private static func match(_ match: Match, _ rule: Rule) -> String {
        let ip = rule.family == .ipv4 ? "ip" : "ip6"
        switch match {
        case .destination(let prefix): return "\(ip) daddr \(spell(prefix))"
        case .inInterface(let pattern, let negated):
            return "iifname \(negated ? "!= " : "")\"\(pattern.name)\(pattern.isWildcard ? "*" : "")\""
        case .tcp:
            // A port says that it is TCP's.
            return rule.matches.contains { if case .tcpDestinationPort = $0 { true } else { false } }
                ? "" : "meta l4proto tcp"
        case .tcpDestinationPort(let port): return "tcp dport \(port)"
        // What iptables calls state DNAT is a status bit in nft.
        case .destinationTranslated: return "ct status & dnat != 0"
        }
    }

    /// A single host has no length in nft's spelling.
    private static func spell(_ prefix: IPPrefix) -> String { prefix.isHost ? prefix.address : prefix.description }

    private static func statement(_ rule: Rule) -> String {
        switch rule.action {
        case .accept: "accept"
        case .drop: "drop"
        case .reject(.tcpReset): "reject with tcp reset"
        case .reject(.adminProhibited):
            "reject with \(rule.family == .ipv4 ? "icmp" : "icmpv6") admin-prohibited"
        case .dnat(let address, let port):
            "dnat \(rule.family == .ipv4 ? "ip" : "ip6") to \(address.address):\(port)"
        case .redirect(let port): "redirect to :\(port)"
        }
    }
}
