import Model

/// One condition of nft's as those that are understood: any one of several lists, of which all conditions hold together.
struct NftForeignMatch {
    typealias Alternatives = [[ForeignRule.Condition]]

    /// More elements of a set count as unknown: a rule is looked at once for each.
    private static let mostAlternatives = 64

    /// The sets of the rule's table.
    let sets: NftSets.Lookup
    /// The packets that its table sees; nil for both.
    let family: AddressFamily?

    /// What a statement `match` asks for.
    func alternatives(_ value: JSONValue) -> Alternatives {
        guard let operation = value["op"]?.string, let left = value["left"], let right = value["right"] else {
            return [[.unknown("match")]]
        }
        if !NftSets.Lookup.isSet(right) { return alternatives(left, operation, right) }
        let unknown = [Self.implied(by: left) + [.unknown("set \(NftSets.Lookup.name(of: right) ?? "")".cut(to: 64))]]
        guard let elements = sets.elements(of: right), !elements.contains(where: Self.isCatchAll) else {
            return unknown
        }
        let parts = elements.map { alternatives(left, operation, Self.value(of: $0)) }
        if Self.isNegated(operation) { return [Self.implied(by: left) + parts.flatMap { $0.flatMap { $0 } }] }
        // No packet of ours has protocol 0: nothing is in an empty set.
        if parts.isEmpty { return [[.transport(0, negated: false)]] }
        let all = parts.flatMap { $0 }
        return all.count > Self.mostAlternatives ? unknown : all
    }

    /// The condition that a value is one of an element's, or none of them.
    func alternatives(_ left: JSONValue, element: JSONValue, isNegated: Bool) -> Alternatives {
        alternatives(left, isNegated ? "!=" : "==", Self.value(of: element))
    }

    /// Whether an element stands for everything that no other one names.
    static func isCatchAll(_ element: JSONValue) -> Bool { value(of: element).string == "*" }

    /// An element may carry a comment or a time.
    private static func value(of element: JSONValue) -> JSONValue { element["elem"]?["val"] ?? element }

    private static func isNegated(_ operation: String) -> Bool { operation == "!=" || operation == "!" }

    /// A value compared with one other, or a range.
    private func alternatives(_ left: JSONValue, _ operation: String, _ right: JSONValue) -> Alternatives {
        guard let (kind, value) = left.members?.first else { return [[.unknown("match")]] }
        let isNegated = Self.isNegated(operation)
        let known: Alternatives? =
            switch (kind, operation) {
            case ("payload", _): Self.payload(value, operation, right)
            case ("meta", "=="), ("meta", "!="):
                Self.meta(value["key"]?.string ?? "", right, isNegated).map { [$0] }
            case ("ct", "in"), ("ct", "!"), ("ct", "=="), ("ct", "!="):
                Self.connection(value, operation, right).map { [[$0]] }
            case ("fib", "=="), ("fib", "!="): routeType(value, right, isNegated).map { [[$0]] }
            case ("&", "=="), ("&", "!="): Self.masked(value, right, isNegated).map { [$0] }
            default: nil
            }
        return known ?? [Self.implied(by: left) + [.unknown(Self.described(kind, value).cut(to: 64))]]
    }

    private static func described(_ kind: String, _ left: JSONValue) -> String {
        let words = [left["protocol"], left["field"], left["key"]].compactMap { $0?.string }
        return ([kind] + words).joined(separator: " ")
    }

    // MARK: What nft leaves out

    /// That a header is there, which nft does not print where a field of it is asked for.
    private static func implied(by left: JSONValue) -> [ForeignRule.Condition] {
        guard let (kind, value) = left.members?.first else { return [] }
        switch kind {
        case "payload": return implied(byHeader: value["protocol"]?.string ?? "")
        case "&": return value.elements?.first.map(implied) ?? []
        case "concat": return value.elements?.flatMap(implied) ?? []
        default: return []
        }
    }

    private static func implied(byHeader header: String) -> [ForeignRule.Condition] {
        switch header {
        case "ip": [family(isIPv6: false)]
        case "ip6": [family(isIPv6: true)]
        default: Transport.number(header).map { [.transport($0, negated: false)] } ?? []
        }
    }

    /// What a rejection of a type asks for besides.
    static func implied(byRejection type: String?) -> [ForeignRule.Condition] {
        switch type {
        case "icmp": [family(isIPv6: false)]
        case "icmpv6": [family(isIPv6: true)]
        case "tcp reset": [.transport(6, negated: false)]
        default: []
        }
    }

    /// That a packet is of a family: its source is any address of it.
    static func family(isIPv6: Bool) -> ForeignRule.Condition {
        let any = IPPrefix(bytes: [UInt8](repeating: 0, count: isIPv6 ? 16 : 4), length: 0)
        return any.map { .source($0, negated: false) } ?? .unknown("nfproto")
    }

    // MARK: One kind of value

    private static func payload(_ left: JSONValue, _ operation: String, _ right: JSONValue) -> Alternatives? {
        let (header, field) = (left["protocol"]?.string ?? "", left["field"]?.string ?? "")
        let isNegated = isNegated(operation)
        let isEquality = operation == "==" || operation == "!="
        switch (header, field) {
        case ("ip", "saddr"), ("ip6", "saddr"), ("ip", "daddr"), ("ip6", "daddr"):
            guard isEquality, let prefixes = prefixes(right) else { return nil }
            let conditions = prefixes.map { prefix -> ForeignRule.Condition in
                field == "saddr" ? .source(prefix, negated: isNegated) : .destination(prefix, negated: isNegated)
            }
            return isNegated ? [conditions] : conditions.map { [$0] }
        case ("ip", "protocol"), ("ip6", "nexthdr"):
            guard isEquality, let number = transport(right) else { return nil }
            return [[family(isIPv6: header == "ip6"), .transport(number, negated: isNegated)]]
        case ("tcp", "flags"):
            return flags(operation, right).map { [implied(byHeader: header) + [$0]] }
        case ("tcp", "dport"), ("udp", "dport"), ("th", "dport"), ("tcp", "sport"), ("udp", "sport"), ("th", "sport"):
            guard let ports = ports(operation, right) else { return nil }
            let port: ForeignRule.Condition =
                field == "dport"
                ? .destinationPort(ports, negated: isNegated) : .sourcePort(ports, negated: isNegated)
            return [implied(byHeader: header) + [port]]
        default: return nil
        }
    }

    /// An address, a prefix, or those that make up a range.
    private static func prefixes(_ right: JSONValue) -> [IPPrefix]? {
        if let prefix = right.prefix { return [prefix] }
        guard let ends = right["range"]?.elements?.compactMap(\.prefix), ends.count == 2, ends[0].isHost,
            ends[1].isHost,
            ends[0].family == ends[1].family
        else { return nil }
        let prefixes = IPPrefix.covering(from: ends[0].bytes, to: ends[1].bytes)
        return prefixes.isEmpty || prefixes.count > mostAlternatives ? nil : prefixes
    }

    private static func transport(_ right: JSONValue) -> UInt8? {
        right.string.flatMap(Transport.number) ?? right.integer.flatMap(UInt8.init(exactly:))
    }

    private static func ports(_ operation: String, _ right: JSONValue) -> ClosedRange<UInt16>? {
        if let port = right.integer.flatMap(UInt16.init(exactly:)) {
            switch operation {
            case "==", "!=": return port...port
            case "<=": return 0...port
            case ">=": return port...UInt16.max
            case "<": return port == 0 ? nil : 0...port - 1
            case ">": return port == .max ? nil : port + 1...UInt16.max
            default: return nil
            }
        }
        guard let ends = right["range"]?.elements?.map({ $0.integer.flatMap(UInt16.init(exactly:)) }), ends.count == 2,
            let low = ends[0], let high = ends[1], low <= high, operation == "==" || operation == "!="
        else { return nil }
        return low...high
    }

    /// `tcp flags syn` asks whether any of these is set, `tcp flags == syn` whether just these are.
    private static func flags(_ operation: String, _ right: JSONValue) -> ForeignRule.Condition? {
        guard let bits = flagBits(right) else { return nil }
        switch operation {
        case "in": return .tcpFlags(value: 0, mask: bits, negated: true)
        case "!": return .tcpFlags(value: 0, mask: bits, negated: false)
        case "==", "!=": return .tcpFlags(value: bits, mask: .max, negated: operation == "!=")
        default: return nil
        }
    }

    /// A word, or some that are joined as nft's versions do it.
    private static func flagBits(_ value: JSONValue) -> UInt8? {
        if let word = value.string { return TCPFlags.bits([word]) }
        if let number = value.integer { return UInt8(exactly: number) }
        guard let parts = (value["|"] ?? value).elements else { return nil }
        var bits: UInt8 = 0
        for part in parts {
            guard let more = flagBits(part) else { return nil }
            bits |= more
        }
        return bits
    }

    private static func meta(_ key: String, _ right: JSONValue, _ isNegated: Bool) -> [ForeignRule.Condition]? {
        switch key {
        case "iifname", "iif":
            return right.string.flatMap(InterfacePattern.init(nft:)).map { [.inInterface($0, negated: isNegated)] }
        case "oifname", "oif":
            return right.string.flatMap(InterfacePattern.init(nft:)).map { [.outInterface($0, negated: isNegated)] }
        case "l4proto": return transport(right).map { [.transport($0, negated: isNegated)] }
        case "nfproto" where !isNegated && ["ipv4", "ipv6"].contains(right.string):
            return [family(isIPv6: right.string == "ipv6")]
        case "protocol" where !isNegated && ["ip", "ip6"].contains(right.string):
            return [family(isIPv6: right.string == "ip6")]
        case "mark":
            return right.integer.flatMap(UInt32.init(exactly:)).map {
                [.mark(value: $0, mask: .max, negated: isNegated)]
            }
        default: return nil
        }
    }

    private static func connection(
        _ left: JSONValue, _ operation: String, _ right: JSONValue
    ) -> ForeignRule.Condition? {
        let isMask = operation == "in" || operation == "!"
        let key = left["key"]?.string
        // A packet has one state, but may have several bits of the status.
        guard key == "state" || key == "status" && isMask, left["dir"] == nil else { return nil }
        let words = right.words
        let states = words.compactMap { ConnectionStateName(rawValue: $0.uppercased()) }
        // Of the status bits, these two are the states that iptables knows.
        let isKnown = states.allSatisfy { ($0 == .dnat || $0 == .snat) == (key == "status") }
        guard isKnown, states.count == words.count, isMask || words.count == 1 else { return nil }
        return .state(Set(states), negated: isNegated(operation))
    }

    private func routeType(_ left: JSONValue, _ right: JSONValue, _ isNegated: Bool) -> ForeignRule.Condition? {
        guard left["result"]?.string == "type", left["flags"]?.words == ["daddr"],
            let bits = right.string.flatMap({ RouteType.bits([$0]) })
        else { return nil }
        return .destinationType(bits: bits, family ?? .ipv4, negated: isNegated)
    }

    private static func masked(_ left: JSONValue, _ right: JSONValue, _ isNegated: Bool) -> [ForeignRule.Condition]? {
        guard let parts = left.elements, parts.count == 2 else { return nil }
        if let header = parts[0]["payload"], header["protocol"]?.string == "tcp", header["field"]?.string == "flags" {
            guard let mask = flagBits(parts[1]), let value = flagBits(right) else { return nil }
            return implied(byHeader: "tcp") + [.tcpFlags(value: value, mask: mask, negated: isNegated)]
        }
        guard parts[0]["meta"]?["key"]?.string == "mark", let mask = parts[1].integer.flatMap(UInt32.init(exactly:)),
            let value = right.integer.flatMap(UInt32.init(exactly:))
        else { return nil }
        return [.mark(value: value, mask: mask, negated: isNegated)]
    }
}
