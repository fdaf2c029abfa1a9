import Model

extension IptablesRule {
    /// The targets of the stock tools (iptables-extensions(8)); any other name is a chain's.
    static let targets: Set<String> = [
        "ACCEPT", "AUDIT", "CHECKSUM", "CLASSIFY", "CLUSTERIP", "CONNMARK", "CONNSECMARK", "CT", "DNAT", "DNPT", "DROP",
        "DSCP", "ECN", "HL", "HMARK", "IDLETIMER", "LED", "LOG", "MARK", "MASQUERADE", "MIRROR", "NETMAP", "NFLOG",
        "NFQUEUE", "NOTRACK", "QUEUE", "RATEEST", "REDIRECT", "REJECT", "RETURN", "SAME", "SECMARK", "SET", "SNAT",
        "SNPT", "SYNPROXY", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TPROXY", "TRACE", "TTL", "ULOG",
    ]

    /// Those that let a packet go on to the next rule and change nothing that is asked for here.
    private static let harmless: Set<String> = [
        "AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "DSCP", "ECN", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST",
        "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "HL", "ULOG",
    ]

    /// A rule of somebody else's, as far as it is understood.
    func foreign(packets: UInt64?) -> ForeignRule {
        let conditions =
            header.map(Self.condition) + matches.flatMap(Self.conditions)
            + strays.map { .unknown($0.cut(to: 64)) }
        return ForeignRule(conditions, verdict, text: text.cut(to: 400), packets: packets)
    }

    private static func condition(_ option: Option) -> ForeignRule.Condition {
        let value = option.values.first ?? ""
        switch option.name {
        case "-s": if let prefix = IPPrefix(text: value) { return .source(prefix, negated: option.isNegated) }
        case "-d": if let prefix = IPPrefix(text: value) { return .destination(prefix, negated: option.isNegated) }
        case "-i": if let pattern = option.pattern { return .inInterface(pattern, negated: option.isNegated) }
        case "-o": if let pattern = option.pattern { return .outInterface(pattern, negated: option.isNegated) }
        case "-p": if let number = Transport.number(value) { return .transport(number, negated: option.isNegated) }
        default: break
        }
        return .unknown(option.text.cut(to: 64))
    }

    private static func conditions(_ match: Extension) -> [ForeignRule.Condition] {
        if match.name == "comment" || ["tcp", "udp"].contains(match.name) && match.options.isEmpty { return [] }
        let known = match.options.compactMap { condition($0, of: match.name) }
        return known.count == match.options.count && !known.isEmpty ? known : [.unknown(match.text.cut(to: 64))]
    }

    private static func condition(_ option: Option, of match: String) -> ForeignRule.Condition? {
        guard option.values.count == 1 else { return nil }
        let (value, isNegated) = (option.values[0], option.isNegated)
        switch (match, option.name) {
        case ("tcp", "--dport"), ("udp", "--dport"):
            return ports(value).map { .destinationPort($0, negated: isNegated) }
        case ("tcp", "--sport"), ("udp", "--sport"): return ports(value).map { .sourcePort($0, negated: isNegated) }
        case ("multiport", "--dports"): return ports(value).map { .destinationPort($0, negated: isNegated) }
        case ("conntrack", "--ctstate"), ("state", "--state"):
            let words = value.split(separator: ",").map(String.init)
            let states = words.compactMap(ConnectionStateName.init(rawValue:))
            return states.count == words.count ? .state(Set(states), negated: isNegated) : nil
        case ("addrtype", "--dst-type"): return value == "LOCAL" ? .destinationIsLocal(negated: isNegated) : nil
        case ("mark", "--mark"):
            let numbers = value.split(separator: "/").map { Transport.hexadecimal($0) }
            guard let first = numbers.first, let mark = first, let mask = numbers.count > 1 ? numbers[1] : .max else {
                return nil
            }
            return .mark(value: mark, mask: mask, negated: isNegated)
        default: return nil
        }
    }

    /// `80` or `80:90`.
    private static func ports(_ text: String) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt16($0) }
        guard let low = ends.first ?? nil, let high = ends.last ?? nil, low <= high, ends.count <= 2 else { return nil }
        return low...high
    }

    private var verdict: ForeignRule.Verdict {
        guard let target else { return .none }
        guard Self.targets.contains(target.name) else { return isGoto ? .goTo(target.name) : .jump(target.name) }
        let value = target.options.first?.values.first ?? ""
        switch target.name {
        case "ACCEPT": return .accept
        case "DROP": return .drop
        case "REJECT": return .reject
        case "RETURN": return .returns
        case "DNAT": return .rewriteDestination(value.cut(to: 64))
        case "REDIRECT": return .rewriteDestination(":" + value.cut(to: 64))
        // Both end the chain, and the packet goes on.
        case "SNAT", "MASQUERADE": return .accept
        case "MARK": return .setMark
        case "CONNMARK": return target.options.contains { $0.name == "--restore-mark" } ? .setMark : .none
        case _ where Self.harmless.contains(target.name): return .none
        default: return .unknown(target.name)
        }
    }
}

/// Transport protocols (IANA, "Assigned Internet Protocol Numbers"), as the stock tools name them.
enum Transport {
    private static let numbers: [String: UInt8] = [
        "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51,
        "icmpv6": 58, "ipv6-icmp": 58, "ospf": 89, "vrrp": 112, "sctp": 132, "udplite": 136,
    ]

    static func number(_ text: String) -> UInt8? { numbers[text] ?? UInt8(text) }

    /// `0x4000`, or decimal.
    static func hexadecimal(_ text: Substring) -> UInt32? {
        text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
    }
}
