package import Model

/// Rules as a person types them for `iptables` and `ip6tables`, and as `iptables -S` prints them.
package enum IptablesSpelling {
    /// The stock program for a family.
    package static func program(_ family: AddressFamily) -> String { family == .ipv4 ? "iptables" : "ip6tables" }

    /// The command that appends a rule.
    package static func append(_ rule: Rule) -> String { command("-A", rule) }

    /// The command that inserts a rule at a position, counted from 1: what `apply` does.
    package static func insert(_ rule: Rule, position: Int) -> String { command("-I", rule, position: position) }

    /// The command that deletes a rule.
    package static func delete(_ rule: Rule) -> String { command("-D", rule) }

    private static func command(_ verb: String, _ rule: Rule, position: Int? = nil) -> String {
        let (table, chain) = rule.place.stockChain
        let position = position.map { " \($0)" } ?? ""
        return "\(program(rule.family)) -t \(table) \(verb) \(chain)\(position) \(specification(rule))"
    }

    /// The conditions and the target, as `iptables -S` prints them after the chain's name.
    package static func specification(_ rule: Rule) -> String {
        var words = rule.matches.map(match)
        if let comment = rule.comment { words.append("-m comment --comment \"\(comment)\"") }
        words.append("-j " + target(rule))
        return words.joined(separator: " ")
    }

    private static func match(_ match: Match) -> String {
        switch match {
        case .destination(let prefix): "-d \(prefix)"
        case .inInterface(let pattern, let negated): (negated ? "! " : "") + "-i \(pattern)"
        case .tcp: "-p tcp"
        case .tcpDestinationPort(let port): "-m tcp --dport \(port)"
        case .destinationTranslated: "-m conntrack --ctstate DNAT"
        }
    }

    private static func target(_ rule: Rule) -> String {
        switch rule.action {
        case .accept: "ACCEPT"
        case .drop: "DROP"
        case .reject(.tcpReset): "REJECT --reject-with tcp-reset"
        case .reject(.adminProhibited):
            "REJECT --reject-with " + (rule.family == .ipv4 ? "icmp-admin-prohibited" : "icmp6-adm-prohibited")
        case .dnat(let address, let port): "DNAT --to-destination \(address.address):\(port)"
        case .redirect(let port): "REDIRECT --to-ports \(port)"
        }
    }
}
