import Model

/// A rule of somebody else's in nf_tables, as far as it is understood.
struct NftForeignRule {
    /// Sets and maps multiply: of more conditions than these, a rule counts as unknown.
    private static let mostConditions = 4096

    /// Any of these lists of conditions, of which all hold together.
    private var alternatives: [[ForeignRule.Condition]] = [[]]
    private var rules: [ForeignRule] = []
    private var packets: UInt64?
    /// Whether the counter was passed that the stock tools put between their matches and the target.
    private var hasCounter = false
    private var isUntold = false
    /// How many more rules and conditions may come of it.
    private var room = 4 * mostConditions
    private let text: String
    private let match: NftForeignMatch

    /// Reads a rule; several where conditions have alternatives, or more than one statement decides.
    ///
    /// - Parameters:
    ///   - statements: nil for a rule that is not looked into.
    ///   - match: what reads conditions with the sets of its table.
    static func read(
        _ statements: [JSONValue]?, handle: UInt64, comment: String?, _ match: NftForeignMatch
    ) -> [ForeignRule] {
        let text = comment.map { "handle \(handle), \"\($0.cut(to: 128))\"" } ?? "handle \(handle)"
        guard let statements else {
            return [ForeignRule([.unknown("a long rule")], .unknown("a long rule"), text: text)]
        }
        var reader = NftForeignRule(text, match)
        for statement in statements {
            guard let (kind, value) = statement.members?.first else {
                reader.require([[.unknown("a statement")]])
                continue
            }
            reader.take(kind, value)
        }
        if reader.rules.isEmpty { reader.emit(.none) }
        return reader.rules
    }

    private init(_ text: String, _ match: NftForeignMatch) {
        self.text = text
        self.match = match
    }

    private mutating func require(_ conditions: [[ForeignRule.Condition]]) {
        let (left, right) = (Self.count(alternatives), Self.count(conditions))
        let isMany = left * conditions.count + right * alternatives.count > Self.mostConditions
        alternatives = ForeignRule.product(alternatives, isMany ? [[.unknown("many conditions")]] : conditions)
    }

    private static func count(_ alternatives: [[ForeignRule.Condition]]) -> Int {
        alternatives.reduce(0) { $0 + $1.count }
    }

    private mutating func emit(_ verdict: ForeignRule.Verdict) {
        if room < 0 { return }
        room -= alternatives.count + Self.count(alternatives)
        // What comes then is not known.
        if room < 0 { return append([.unknown("many conditions")], .unknown("many conditions")) }
        for conditions in alternatives { append(conditions, verdict) }
    }

    private mutating func append(_ conditions: [ForeignRule.Condition], _ verdict: ForeignRule.Verdict) {
        var rule = ForeignRule(conditions, verdict, text: text, packets: packets)
        rule.isUntold = isUntold
        rules.append(rule)
    }

    private mutating func take(_ kind: String, _ value: JSONValue) {
        switch kind {
        case "match": require(match.alternatives(value))
        case "counter":
            packets = value["packets"]?.count ?? packets
            hasCounter = true
        case "vmap": branch(value)
        case "reject":
            require([NftForeignMatch.implied(byRejection: value["type"]?.string)])
            emit(.reject)
        case "dnat", "redirect":
            if let family = value["family"]?.string { require([[NftForeignMatch.family(isIPv6: family == "ip6")]]) }
            // A map may have no element for the packet.
            if ["addr", "port"].contains(where: { value[$0]?["map"] != nil }) { require([[.unknown("map")]]) }
            emit(.rewriteDestination(Self.destination(value)))
        case "mangle": mangle(value["key"])
        case "xt": takeExtension(value)
        // Those that let a packet go on.
        case "log", "ct helper", "ct timeout", "ct expectation", "flow", "last": break
        // It leaves for a program, is another packet afterwards, or a copy of it is past the rules that are ahead.
        case "dup", "queue", "tproxy", "fwd", "synproxy", "notrack": emit(.unknown(kind))
        default:
            if let verdict = Self.verdict(kind, value) { return emit(verdict) }
            // Such as a limit: the rest holds sometimes.
            require([[.unknown(kind.cut(to: 64))]])
        }
    }

    private static func verdict(_ kind: String, _ value: JSONValue) -> ForeignRule.Verdict? {
        switch kind {
        case "accept", "masquerade", "snat": .accept
        case "drop": .drop
        case "return": .returns
        case "continue": ForeignRule.Verdict.none
        case "jump": .jump(value["target"]?.string ?? "")
        case "goto": .goTo(value["target"]?.string ?? "")
        default: nil
        }
    }

    /// A verdict for each element of a map.
    private mutating func branch(_ value: JSONValue) {
        let name = "map \(value["data"].flatMap(NftSets.Lookup.name) ?? "")".cut(to: 64)
        guard let key = value["key"], let elements = value["data"].flatMap(match.sets.elements),
            let branches = Self.branches(elements)
        else {
            require([[.unknown(name)]])
            return emit(.unknown(name))
        }
        let before = alternatives
        for (element, verdict) in branches where !NftForeignMatch.isCatchAll(element) {
            require(match.alternatives(key, element: element, isNegated: false))
            emit(verdict)
            alternatives = before
        }
        guard let otherwise = branches.first(where: { NftForeignMatch.isCatchAll($0.element) }) else { return }
        for (element, _) in branches where !NftForeignMatch.isCatchAll(element) {
            require([match.alternatives(key, element: element, isNegated: true).flatMap { $0 }])
        }
        emit(otherwise.verdict)
        alternatives = before
    }

    /// The elements of a map of verdicts; nil where one is none.
    private static func branches(_ elements: [JSONValue]) -> [(element: JSONValue, verdict: ForeignRule.Verdict)]? {
        var branches: [(element: JSONValue, verdict: ForeignRule.Verdict)] = []
        for element in elements {
            guard let pair = element.elements, pair.count == 2, let (kind, target) = pair[1].members?.first,
                let verdict = verdict(kind, target)
            else { return nil }
            branches.append((pair[0], verdict))
        }
        return branches
    }

    private mutating func mangle(_ key: JSONValue?) {
        switch key?.members?.first?.0 {
        case "meta": if key?["meta"]?["key"]?.string == "mark" { emit(.setMark) }
        // A zone decides which connection a packet belongs to.
        case "ct": if key?["ct"]?["key"]?.string == "zone" { emit(.unknown("ct zone set")) }
        case "payload": if !Self.isAside(key?["payload"]) { emit(.unknown("payload set")) }
        default: break
        }
    }

    /// Whether a field of the packet is none that is asked for here.
    private static func isAside(_ field: JSONValue?) -> Bool {
        ["ip", "ip6"].contains(field?["protocol"]?.string)
            && ["dscp", "ecn", "hoplimit", "ttl"].contains(field?["field"]?.string)
    }

    /// A match or a target of the stock tools, of which nft tells only the name, and old versions not even that. The
    /// stock tools count between the two.
    private mutating func takeExtension(_ value: JSONValue) {
        let isTarget = value["type"]?.string.map { $0 == "target" } ?? hasCounter
        guard let name = value["name"]?.string?.cut(to: 64) else {
            isUntold = true
            if !isTarget { return require([[.unknown("-m …")]]) }
            return emit(.unknown("-j …"))
        }
        if !isTarget {
            if name == "comment" { return }
            isUntold = true
            return require([[.unknown("-m \(name) …")]])
        }
        let verdict = XtablesExtension(name: name, revision: 0, data: []).verdict
        if case .rewriteDestination = verdict {
            isUntold = true
            return emit(.unknown("-j \(name) …"))
        }
        emit(verdict)
    }

    private static func destination(_ value: JSONValue) -> String {
        func text(_ value: JSONValue?) -> String? { value?.string ?? value?.integer.map { "\($0)" } }
        let address = value["addr"].map { text($0) ?? "?" } ?? ""
        let port = value["port"].map { ":" + (text($0) ?? "?") } ?? ""
        return (address.contains(":") && !port.isEmpty ? "[\(address)]" : address) + port
    }
}
