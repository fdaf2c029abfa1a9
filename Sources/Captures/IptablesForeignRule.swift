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
        "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TOS", "TRACE", "TTL", "HL", "ULOG",
    ]

    /// A rule of anybody's, as far as it is understood. More than one where a match asks for any of several things:
    /// whichever holds, the verdict is the same.
    func foreign(_ family: AddressFamily, packets: UInt64?) -> [ForeignRule] {
        var alternatives = [header.map(Self.condition) + strays.map { .unknown($0.cut(to: 64)) }]
        for match in matches {
            alternatives = ForeignRule.product(alternatives, Self.alternatives(match, family))
        }
        let (verdict, text) = (verdict, text.cut(to: 400))
        return alternatives.map { ForeignRule($0, verdict, text: text, packets: packets) }
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

    /// What a match asks for: any one of these lists, of which all conditions hold together.
    private static func alternatives(_ match: Extension, _ family: AddressFamily) -> [[ForeignRule.Condition]] {
        if match.name == "comment" || ["tcp", "udp"].contains(match.name) && match.options.isEmpty { return [[]] }
        let unknown = ForeignRule.Condition.unknown(match.text.cut(to: 64))
        if match.name == "multiport" { return multiport(match) ?? [[unknown]] }
        let known = match.options.compactMap { condition($0, of: match.name, family) }
        return [known.count == match.options.count && !known.isEmpty ? known : known + [unknown]]
    }

    /// One of several ports; nil where it is not understood.
    private static func multiport(_ match: Extension) -> [[ForeignRule.Condition]]? {
        guard match.options.count == 1, let option = match.options.first, option.values.count == 1,
            ["--dports", "--sports"].contains(option.name)
        else { return nil }
        let words = option.values[0].split(separator: ",")
        let conditions = words.compactMap { ports(String($0)) }.map { range -> ForeignRule.Condition in
            option.name == "--dports"
                ? .destinationPort(range, negated: option.isNegated) : .sourcePort(range, negated: option.isNegated)
        }
        guard conditions.count == words.count, !words.isEmpty else { return nil }
        return option.isNegated ? [conditions] : conditions.map { [$0] }
    }

    private static func condition(
        _ option: Option, of match: String, _ family: AddressFamily
    ) -> ForeignRule.Condition? {
        if match == "tcp", option.name == "--tcp-flags" { return tcpFlags(option) }
        guard option.values.count == 1 else { return nil }
        let (value, isNegated) = (option.values[0], option.isNegated)
        switch (match, option.name) {
        case ("tcp", "--dport"), ("udp", "--dport"):
            return ports(value).map { .destinationPort($0, negated: isNegated) }
        case ("tcp", "--sport"), ("udp", "--sport"): return ports(value).map { .sourcePort($0, negated: isNegated) }
        case ("conntrack", "--ctstate"), ("state", "--state"):
            let words = value.split(separator: ",").map(String.init)
            let states = words.compactMap(ConnectionStateName.init(rawValue:))
            return states.count == words.count ? .state(Set(states), negated: isNegated) : nil
        case ("addrtype", "--dst-type"):
            let bits = RouteType.bits(value.split(separator: ",").map(String.init))
            return bits.flatMap { .destinationType(bits: $0, family, negated: isNegated) }
        case ("mark", "--mark"):
            let numbers = value.split(separator: "/").map { Transport.hexadecimal($0) }
            guard let first = numbers.first, let mark = first, let mask = numbers.count > 1 ? numbers[1] : .max else {
                return nil
            }
            return .mark(value: mark, mask: mask, negated: isNegated)
        default: return nil
        }
    }

    /// The flags that are looked at, and those of them that are set.
    private static func tcpFlags(_ option: Option) -> ForeignRule.Condition? {
        let values = option.values.map { TCPFlags.bits($0.split(separator: ",").map(String.init)) }
        guard values.count == 2, let mask = values[0], let value = values[1] else { return nil }
        return .tcpFlags(value: value, mask: mask, negated: option.isNegated)
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
        switch target.name {
        case "ACCEPT": return .accept
        case "DROP": return .drop
        case "REJECT": return .reject
        case "RETURN": return .returns
        case "DNAT": return .rewriteDestination(target.value(of: "--to-destination") ?? "somewhere")
        case "NETMAP": return .rewriteDestination(target.value(of: "--to") ?? "somewhere")
        case "REDIRECT": return .rewriteDestination(target.value(of: "--to-ports").map { ":" + $0 } ?? "")
        // Both end the chain, and the packet goes on.
        case "SNAT", "MASQUERADE": return .accept
        case "MARK": return .setMark
        case "CONNMARK": return target.options.contains { $0.name == "--restore-mark" } ? .setMark : .none
        case _ where Self.harmless.contains(target.name): return .none
        default: return .unknown(target.name)
        }
    }
}

extension IptablesRule.Extension {
    fileprivate func value(of option: String) -> String? {
        options.first { $0.name == option }?.values.first?.cut(to: 64)
    }
}

/// The flags of the TCP header (RFC 9293 section 3.1), as iptables and nft name them.
enum TCPFlags {
    private static let names: [String: UInt8] = [
        "NONE": 0, "FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECN": 64, "CWR": 128, "ALL": 63,
    ]

    /// Nil where one of the words is none.
    static func bits(_ words: [String]) -> UInt8? {
        let bits = words.compactMap { names[$0.uppercased()] }
        return bits.count == words.count ? bits.reduce(0, |) : nil
    }
}

/// The kinds of routes (`RTN_*`, `linux/rtnetlink.h`), as iptables and nft name them.
enum RouteType {
    private static let names = [
        "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    ]

    /// A bit for each; nil where one of the words is none.
    static func bits(_ words: [String]) -> UInt16? {
        let numbers = words.compactMap { names.firstIndex(of: $0.uppercased()) }
        return numbers.count == words.count ? numbers.reduce(0) { $0 | 1 << UInt16($1) } : nil
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
