import Model

/// A rule of somebody else's in nf_tables, as far as it is understood.
struct NftForeignRule {
    private var conditions: [ForeignRule.Condition] = []
    private var verdict = ForeignRule.Verdict.none
    private var packets: UInt64?

    /// - Parameter statements: nil for a rule that is not looked into.
    static func read(_ statements: [JSONValue]?, handle: UInt64, comment: String?) -> ForeignRule {
        let text = comment.map { "handle \(handle), \"\($0.cut(to: 128))\"" } ?? "handle \(handle)"
        guard let statements else {
            return ForeignRule([.unknown("a long rule")], .unknown("a long rule"), text: text)
        }
        var reader = NftForeignRule()
        for statement in statements {
            guard let (kind, value) = statement.members?.first else {
                reader.conditions.append(.unknown("a statement"))
                continue
            }
            reader.take(kind, value)
        }
        return ForeignRule(reader.conditions, reader.verdict, text: text, packets: reader.packets)
    }

    private mutating func take(_ kind: String, _ value: JSONValue) {
        switch kind {
        case "match": conditions += NftForeignMatch.conditions(value)
        case "counter": packets = value["packets"]?.count ?? packets
        case "accept", "masquerade", "snat": verdict = .accept
        case "drop": verdict = .drop
        case "reject": verdict = .reject
        case "return": verdict = .returns
        case "jump": verdict = .jump(value["target"]?.string ?? "")
        case "goto": verdict = .goTo(value["target"]?.string ?? "")
        case "dnat", "redirect": verdict = .rewriteDestination(Self.destination(value))
        case "mangle": if value["key"]?["meta"]?["key"]?.string == "mark" { verdict = .setMark }
        case "xt": takeExtension(value)
        // Those that let a packet go on.
        case "log", "notrack", "ct helper", "ct timeout", "ct expectation", "flow", "last", "continue": break
        // Where it goes depends on a map; or it leaves for a program.
        case "vmap", "queue", "tproxy", "fwd", "synproxy": verdict = .unknown(kind)
        // Such as a limit: the rest holds sometimes.
        default: conditions.append(.unknown(kind.cut(to: 64)))
        }
    }

    /// A match or a target of the stock tools, of which nft tells only the name.
    private mutating func takeExtension(_ value: JSONValue) {
        let name = (value["name"]?.string ?? "xt").cut(to: 64)
        if value["type"]?.string == "target" {
            verdict = .unknown(name)
        } else if name != "comment" {
            conditions.append(.unknown(name))
        }
    }

    private static func destination(_ value: JSONValue) -> String {
        func text(_ value: JSONValue?) -> String? { value?.string ?? value?.integer.map { "\($0)" } }
        let address = value["addr"].map { text($0) ?? "?" } ?? ""
        let port = value["port"].map { ":" + (text($0) ?? "?") } ?? ""
        return (address.contains(":") && !port.isEmpty ? "[\(address)]" : address) + port
    }
}

/// One condition of nft's as those that are understood.
enum NftForeignMatch {
    static func conditions(_ value: JSONValue) -> [ForeignRule.Condition] {
        guard let operation = value["op"]?.string, let (kind, left) = value["left"]?.members?.first,
            let right = value["right"]
        else { return [.unknown("match")] }
        let isNegated = operation == "!=" || operation == "!"
        let known: [ForeignRule.Condition]? =
            switch (kind, operation) {
            case ("payload", "=="), ("payload", "!="): payload(left, right, isNegated)
            case ("meta", "=="), ("meta", "!="): meta(left["key"]?.string ?? "", right, isNegated)
            case ("ct", "in"), ("ct", "!"), ("ct", "=="), ("ct", "!="): connection(left, right, isNegated)
            case ("fib", "=="), ("fib", "!="): fib(left, right, isNegated)
            case ("&", "=="), ("&", "!="): mark(left, right, isNegated)
            default: nil
            }
        return known ?? [.unknown(described(kind, left).cut(to: 64))]
    }

    private static func described(_ kind: String, _ left: JSONValue) -> String {
        let words = [left["protocol"], left["field"], left["key"]].compactMap { $0?.string }
        return ([kind] + words).joined(separator: " ")
    }

    private static func payload(
        _ left: JSONValue, _ right: JSONValue, _ isNegated: Bool
    ) -> [ForeignRule.Condition]? {
        let (header, field) = (left["protocol"]?.string ?? "", left["field"]?.string ?? "")
        switch (header, field) {
        case ("ip", "saddr"), ("ip6", "saddr"): return right.prefix.map { [.source($0, negated: isNegated)] }
        case ("ip", "daddr"), ("ip6", "daddr"): return right.prefix.map { [.destination($0, negated: isNegated)] }
        case ("ip", "protocol"), ("ip6", "nexthdr"):
            return transport(right).map { [family(header == "ip6"), .transport($0, negated: isNegated)] }
        case ("tcp", "dport"), ("udp", "dport"), ("tcp", "sport"), ("udp", "sport"):
            guard let ports = ports(right) else { return nil }
            // A port says whose it is: nft leaves out that the rule asks for the protocol.
            return [
                .transport(header == "tcp" ? 6 : 17, negated: false),
                field == "dport" ? .destinationPort(ports, negated: isNegated) : .sourcePort(ports, negated: isNegated),
            ]
        default: return nil
        }
    }

    private static func transport(_ right: JSONValue) -> UInt8? {
        right.string.flatMap(Transport.number) ?? right.integer.flatMap(UInt8.init(exactly:))
    }

    private static func ports(_ right: JSONValue) -> ClosedRange<UInt16>? {
        if let port = right.integer.flatMap(UInt16.init(exactly:)) { return port...port }
        guard let ends = right["range"]?.elements?.map({ $0.integer.flatMap(UInt16.init(exactly:)) }), ends.count == 2,
            let low = ends[0], let high = ends[1], low <= high
        else { return nil }
        return low...high
    }

    /// That a packet is of a family: its source is any address of it.
    private static func family(_ isIPv6: Bool) -> ForeignRule.Condition {
        let any = IPPrefix(bytes: [UInt8](repeating: 0, count: isIPv6 ? 16 : 4), length: 0)
        return any.map { .source($0, negated: false) } ?? .unknown("nfproto")
    }

    private static func meta(_ key: String, _ right: JSONValue, _ isNegated: Bool) -> [ForeignRule.Condition]? {
        switch key {
        case "iifname", "iif":
            return right.string.flatMap(InterfacePattern.init(nft:)).map { [.inInterface($0, negated: isNegated)] }
        case "oifname", "oif":
            return right.string.flatMap(InterfacePattern.init(nft:)).map { [.outInterface($0, negated: isNegated)] }
        case "l4proto": return transport(right).map { [.transport($0, negated: isNegated)] }
        case "nfproto" where !isNegated: return right.string.map { [family($0 == "ipv6")] }
        case "protocol" where !isNegated && ["ip", "ip6"].contains(right.string): return [family(right.string == "ip6")]
        case "mark":
            return right.integer.flatMap(UInt32.init(exactly:)).map {
                [.mark(value: $0, mask: .max, negated: isNegated)]
            }
        default: return nil
        }
    }

    private static func connection(
        _ left: JSONValue, _ right: JSONValue, _ isNegated: Bool
    ) -> [ForeignRule.Condition]? {
        let key = left["key"]?.string
        guard key == "state" || key == "status", left["dir"] == nil else { return nil }
        let words = right["set"]?.words ?? right.words
        let states = words.compactMap { ConnectionStateName(rawValue: $0.uppercased()) }
        // Of the status bits, these two are the states that iptables knows.
        let isKnown = states.allSatisfy { ($0 == .dnat || $0 == .snat) == (key == "status") }
        return isKnown && states.count == words.count ? [.state(Set(states), negated: isNegated)] : nil
    }

    private static func fib(_ left: JSONValue, _ right: JSONValue, _ isNegated: Bool) -> [ForeignRule.Condition]? {
        guard left["result"]?.string == "type", left["flags"]?.words == ["daddr"], right.string == "local" else {
            return nil
        }
        return [.destinationIsLocal(negated: isNegated)]
    }

    private static func mark(_ left: JSONValue, _ right: JSONValue, _ isNegated: Bool) -> [ForeignRule.Condition]? {
        guard let parts = left.elements, parts.count == 2, parts[0]["meta"]?["key"]?.string == "mark",
            let mask = parts[1].integer.flatMap(UInt32.init(exactly:)),
            let value = right.integer.flatMap(UInt32.init(exactly:))
        else { return nil }
        return [.mark(value: value, mask: mask, negated: isNegated)]
    }
}
