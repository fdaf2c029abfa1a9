import Model

/// Reads the statements of a rule in a table of ours back into a `Rule`, and says what it does not understand, in the
/// words of the nftables backend's decoder.
struct NftOwnRule {
    /// A rule read back, and its counter.
    struct Result {
        let content: InstalledRule.Content
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// Why reading stopped: the words for what was not understood.
    private struct NotOurs: Error { let what: String }

    private let place: Place
    private var family: AddressFamily?
    private var matches: [Match] = []
    private var action: Action?
    private var counter: (packets: UInt64, bytes: UInt64)?

    /// - Parameter statements: nil where there are none, or more than is read.
    static func decode(
        _ statements: [JSONValue]?, at place: Place, in layout: TableLayout, comment: String
    ) -> Result {
        var reader = NftOwnRule(
            place: place, family: layout.needsFamilyMatch ? nil : layout.ruleFamilies.first)
        let content: InstalledRule.Content
        do throws(NotOurs) {
            guard let statements else { throw NotOurs(what: "more than is read") }
            for statement in statements {
                guard let (kind, value) = statement.members?.first else { throw NotOurs(what: "an unknown statement") }
                try reader.take(kind, value)
            }
            content = .rule(try reader.rule(comment: comment))
        } catch {
            content = .unknown("\"\(comment)\" in \(layout.description) \(place.rawValue) has \(error.what)")
        }
        return Result(content: content, packets: reader.counter?.packets ?? 0, bytes: reader.counter?.bytes ?? 0)
    }

    private init(place: Place, family: AddressFamily?) {
        self.place = place
        self.family = family
    }

    private func rule(comment: String) throws(NotOurs) -> Rule {
        guard let family else { throw NotOurs(what: "no address family") }
        guard let action else { throw NotOurs(what: "no verdict") }
        if counter == nil { throw NotOurs(what: "no counter") }
        return Rule(place: place, family: family, matches: matches, action: action, comment: comment)
    }

    private mutating func take(_ kind: String, _ value: JSONValue) throws(NotOurs) {
        if action != nil { throw NotOurs(what: "more after the verdict") }
        switch kind {
        case "match": try takeMatch(value)
        case "counter":
            // A named counter is an object of the table.
            if value.string != nil { throw NotOurs(what: "unknown expression 'objref'") }
            if counter != nil { throw NotOurs(what: "two counters") }
            counter = (value["packets"]?.count ?? 0, value["bytes"]?.count ?? 0)
        case "accept": action = .accept
        case "drop": action = .drop
        case "reject", "dnat", "redirect": action = try verdict(kind, value)
        case "jump", "goto", "return", "continue", "snat": throw NotOurs(what: "unknown verdict")
        default: throw NotOurs(what: "unknown expression '\(Self.expression(of: kind, value))'")
        }
    }

    /// The kernel's name for what a statement becomes (`net/netfilter/nft_*.c`).
    private static func expression(of kind: String, _ value: JSONValue) -> String {
        switch kind {
        case "xt": value["type"]?.string ?? kind
        case "masquerade": "masq"
        case "vmap": "lookup"
        case "set", "meter", "map": "dynset"
        case "mangle": value["key"]?.members?.first?.0 ?? kind
        case "ct count": "connlimit"
        case "ct helper", "ct timeout", "ct expectation": "objref"
        case "flow": "flow_offload"
        default: kind
        }
    }

    // MARK: Conditions

    private mutating func takeMatch(_ value: JSONValue) throws(NotOurs) {
        guard let operation = value["op"]?.string, let (kind, left) = value["left"]?.members?.first,
            let right = value["right"]
        else { throw NotOurs(what: "unknown condition") }
        switch kind {
        case "payload": try takePayload(left, operation, right)
        case "meta": try takeMeta(left["key"]?.string ?? "", operation, right)
        case "ct":
            // The kernel is asked whether any bit of a mask is set.
            guard operation == "in", left["dir"] == nil else { break }
            return try takeStatus(left["key"]?.string ?? "", right)
        case "&":
            guard let parts = left.elements, parts.count == 2, right.count == 0, operation == "!=",
                let key = parts[0]["ct"]?["key"]?.string
            else { break }
            return try takeStatus(key, parts[1])
        case "fib", "rt", "socket", "numgen", "exthdr", "osf": throw NotOurs(what: "unknown expression '\(kind)'")
        default: break
        }
        if ["payload", "meta"].contains(kind) { return }
        try refuseSet(right, operation)
        throw NotOurs(what: "unknown condition")
    }

    /// What is compared with more than one value becomes another expression than a comparison.
    private func refuseSet(_ right: JSONValue, _ operation: String) throws(NotOurs) {
        if right["set"] != nil || right.string?.hasPrefix("@") == true {
            throw NotOurs(what: "unknown expression 'lookup'")
        }
        if right["range"] != nil {
            throw NotOurs(what: operation == "!=" ? "unknown expression 'range'" : "unknown comparison")
        }
        if !["==", "!=", "in", "!"].contains(operation) { throw NotOurs(what: "unknown comparison") }
    }

    private mutating func takePayload(_ left: JSONValue, _ operation: String, _ right: JSONValue) throws(NotOurs) {
        try refuseSet(right, operation)
        let (header, field) = (left["protocol"]?.string ?? "", left["field"]?.string ?? "")
        let isNegated = operation == "!="
        switch (header, field) {
        case ("ip", _), ("ip6", _):
            try name(header == "ip" ? .ipv4 : .ipv6)
            if isNegated { throw NotOurs(what: "unknown condition") }
            if field != "daddr" { throw NotOurs(what: "unknown header field") }
            try takeDestination(right)
        case ("tcp", "dport") where !isNegated:
            guard let port = right.integer.flatMap(UInt16.init(exactly:)) else { break }
            // A port says that it is TCP's: nft leaves out that the rule asks for it.
            if !matches.contains(.tcp) { matches.append(.tcp) }
            matches.append(.tcpDestinationPort(port))
            return
        default: break
        }
        if !["ip", "ip6"].contains(header) { throw NotOurs(what: "unknown condition") }
    }

    private mutating func takeDestination(_ right: JSONValue) throws(NotOurs) {
        guard let prefix = right.prefix, prefix.family == family else { throw NotOurs(what: "unknown address") }
        matches.append(.destination(prefix))
    }

    private mutating func name(_ named: AddressFamily) throws(NotOurs) {
        guard family == nil || family == named else { throw NotOurs(what: "unknown family") }
        family = named
    }

    private mutating func takeMeta(_ key: String, _ operation: String, _ right: JSONValue) throws(NotOurs) {
        try refuseSet(right, operation)
        let isNegated = operation == "!="
        switch key {
        case "nfproto" where !isNegated:
            guard let named = right.string.flatMap(AddressFamily.init(rawValue:)) else { break }
            return try name(named)
        case "l4proto" where !isNegated && right.string == "tcp": return matches.append(.tcp)
        case "iifname":
            guard let pattern = right.string.flatMap(InterfacePattern.init(nft:)) else {
                throw NotOurs(what: "no interface name")
            }
            return matches.append(.inInterface(pattern, negated: isNegated))
        default: break
        }
        throw NotOurs(what: "unknown condition")
    }

    private mutating func takeStatus(_ key: String, _ right: JSONValue) throws(NotOurs) {
        try refuseSet(right, "==")
        guard key == "status", right.words == ["dnat"] else { throw NotOurs(what: "unknown condition") }
        matches.append(.destinationTranslated)
    }

    // MARK: The verdict

    private func verdict(_ kind: String, _ value: JSONValue) throws(NotOurs) -> Action {
        let names = Set(value.members?.map(\.0) ?? [])
        switch kind {
        case "reject" where value["type"]?.string == "tcp reset": return .reject(.tcpReset)
        case "reject":
            let type = family == .ipv4 ? "icmp" : "icmpv6"
            guard value["type"]?.string == type, value["expr"]?.string == "admin-prohibited" else { break }
            return .reject(.adminProhibited)
        case "dnat":
            let named = value["family"]?.string
            guard names.isSubset(of: ["family", "addr", "port"]),
                named == nil || named == (family == .ipv4 ? "ip" : "ip6"),
                let address = value["addr"]?.string.flatMap(IPPrefix.init(text:)), address.isHost,
                address.family == family, let port = value["port"]?.integer.flatMap(UInt16.init(exactly:))
            else { break }
            return .dnat(to: address, port: port)
        case "redirect":
            guard names == ["port"], let port = value["port"]?.integer.flatMap(UInt16.init(exactly:)) else { break }
            return .redirect(port: port)
        default: break
        }
        throw NotOurs(what: "unknown verdict")
    }
}

extension JSONValue {
    /// An address, or a prefix of some.
    var prefix: IPPrefix? {
        if let text = string { return text.contains("/") ? nil : IPPrefix(text: text) }
        guard let prefix = self["prefix"], let address = prefix["addr"]?.string, let length = prefix["len"]?.integer
        else {
            return nil
        }
        return IPPrefix(text: "\(address)/\(length)")
    }

    /// A word, or a list of some.
    var words: [String] { string.map { [$0] } ?? elements?.map { $0.string ?? "" } ?? [""] }
}

extension InterfacePattern {
    /// Reads a pattern in nft's spelling: `*` at the end is the wildcard, unless a backslash stands before it.
    init?(nft text: String) {
        let isWildcard = text.hasSuffix("*") && !text.hasSuffix("\\*")
        let name = isWildcard ? String(text.dropLast()) : text
        if name.isEmpty { return nil }
        self.init(name: name, isWildcard: isWildcard)
    }
}
