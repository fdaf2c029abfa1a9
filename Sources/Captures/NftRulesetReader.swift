import Model

/// Reads what `nft -j list ruleset` prints (libnftables-json(5)), an object after the other: a tree of all of it would
/// take many times its size.
struct NftRulesetReader {
    /// The expressions of a longer rule are not looked into.
    private static let longestRule = 65536
    private static let longestText = 1024

    /// The members of an object that are looked at, whatever its kind.
    private struct Head {
        var texts: [String: String] = [:]
        var flags: [String] = []
        var handle: UInt64 = 0
        var priority: Int32 = 0
        /// Whether a set has a size of its own: what packets fill has one.
        var isSized = false
        /// Where its expressions or elements begin, and how long they are.
        var list: (parser: JSONParser, size: Int)?

        subscript(name: String) -> String { texts[name] ?? "" }
    }

    /// What was found in a table of ours.
    private struct Own {
        var table: ObservedTable?
        var chains: [ObservedChain] = []
        var isCrowded = false
        var rules: [InstalledRule] = []
        var strangers: [Obstacle] = []
    }

    private let name: String
    private let bytes: [UInt8]
    private var own = Array(repeating: Own(), count: TableLayout.all.count)
    private var foreignRules = ForeignRules()
    private(set) var foreign = ForeignChains()
    /// Those of the stock tools' tables that do nothing.
    private(set) var dormantStockTables: Set<String> = []
    /// The table that was read last, where it does nothing: nft prints a table with all that is in it.
    private var dormantTable: (family: ForeignChain.Family, name: String)?
    private var sets = NftSets()
    private var ownCount = 0
    /// Set where reading ends for another reason than bad JSON.
    private var failure: Failure?

    init(_ bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    mutating func read() throws(Failure) -> InstalledRuleset {
        var isRuleset = false
        do throws(JSONParser.Fault) {
            var parser = JSONParser(bytes)
            try parser.object { parser, member throws(JSONParser.Fault) in
                guard member == "nftables" else {
                    try parser.skip()
                    return
                }
                isRuleset = true
                try parser.array { parser throws(JSONParser.Fault) in try takeElement(&parser) }
            }
            try parser.end()
        } catch {
            throw failure
                ?? Failure(
                    .trouble, "\(name) is not what nft -j list ruleset prints: \(error)", advice: "capture it again")
        }
        if !isRuleset {
            throw Failure(
                .trouble, "\(name) is JSON, but not what nft -j list ruleset prints: it has no member \"nftables\"",
                advice: "capture it again")
        }
        return installed()
    }

    private mutating func takeElement(_ parser: inout JSONParser) throws(JSONParser.Fault) {
        try parser.object { parser, kind throws(JSONParser.Fault) in
            if kind == "metainfo" {
                try parser.skip()
                return
            }
            let start = parser.offset
            try take(kind, try Self.head(&parser), at: start)
        }
    }

    /// The flags of a table that do not make it dormant. Any other word does: nft 1.0.6 prints some stray text of its own in
    /// place of a flag's name, and a table with a flag is a dormant one, unless its owner still runs.
    private static let otherFlags = ["owner", "persist"]

    private static func isDormant(_ table: Head) -> Bool { table.flags.contains { !otherFlags.contains($0) } }

    private static func head(_ parser: inout JSONParser) throws(JSONParser.Fault) -> Head {
        var head = Head()
        try parser.object { parser, member throws(JSONParser.Fault) in
            switch member {
            case "family", "table", "name", "chain", "comment", "type", "hook", "policy":
                head.texts[member] = try small(&parser)?.string
            case "handle": head.handle = try small(&parser)?.count ?? 0
            case "prio": head.priority = (try small(&parser)?.integer).flatMap(Int32.init(exactly:)) ?? 0
            case "flags":
                let value = try small(&parser)
                head.flags = value?.string.map { [$0] } ?? value?.elements?.compactMap(\.string) ?? []
            case "size":
                head.isSized = true
                try parser.skip()
            case "expr", "elem":
                let before = parser
                head.list = (before, try parser.skip().count)
            default: try parser.skip()
            }
        }
        return head
    }

    /// The next value; nil where it is a long one.
    private static func small(_ parser: inout JSONParser) throws(JSONParser.Fault) -> JSONValue? {
        var before = parser
        let range = try parser.skip()
        return range.count > longestText ? nil : try before.value()
    }

    private mutating func take(_ kind: String, _ head: Head, at offset: Int) throws(JSONParser.Fault) {
        let layout = TableLayout.all.firstIndex { $0.spelling == head["family"] }
        let table = kind == "table" ? head["name"] : head["table"]
        guard table == TableLayout.name else { return takeForeign(kind, head, table) }
        // A table of our name in another family, such as bridge, is neither ours nor in the way.
        guard let layout else { return }
        switch kind {
        case "table":
            own[layout].table = ObservedTable(
                isDormant: Self.isDormant(head), isOwned: head.flags.contains("owner"))
        case "chain":
            own[layout].chains.append(Self.chain(head))
            try count(at: offset)
        case "rule": try takeOwnRule(head, TableLayout.all[layout], layout, at: offset)
        // The elements of a set, which is told by itself.
        case "element": break
        default: own[layout].isCrowded = true
        }
    }

    /// Counts what may be many only in a text that no host has printed.
    private mutating func count(at offset: Int) throws(JSONParser.Fault) {
        ownCount += 1
        if ownCount <= Capture.mostOwn { return }
        let what = "more than \(Capture.mostOwn) chains and rules in tables of ours"
        failure = Failure(.trouble, "\(name) has \(what) at byte \(offset): no host has so many")
        throw JSONParser.Fault(what: what, offset: offset)
    }

    private mutating func takeOwnRule(
        _ head: Head, _ layout: TableLayout, _ index: Int, at offset: Int
    ) throws(JSONParser.Fault) {
        try count(at: offset)
        let chain = head["chain"]
        if head.handle == 0 {
            let what = "a rule of chain \(layout.description) \(chain) without a handle"
            failure = Failure(
                .trouble, "\(name) has \(what) at byte \(offset)", advice: "capture it with nft -j list ruleset")
            throw JSONParser.Fault(what: what, offset: offset)
        }
        guard let place = OwnTable.place(chain: chain, comment: head.texts["comment"]) else {
            own[index].strangers.append(OwnTable.stranger(rule: head.handle, chain: chain, layout))
            return
        }
        let statements = try Self.elements(head, upTo: Self.longestRule)
        let result = NftOwnRule.decode(statements, at: place, in: layout, comment: head["comment"])
        own[index].rules.append(
            InstalledRule(result.content, handle: head.handle, packets: result.packets, bytes: result.bytes))
    }

    /// A rule's expressions or a set's elements; nil where they are missing or too long.
    private static func elements(_ head: Head, upTo longest: Int) throws(JSONParser.Fault) -> [JSONValue]? {
        guard let (parser, size) = head.list, size <= longest else { return nil }
        var copy = parser
        return try copy.value().elements
    }

    private static func chain(_ head: Head) -> ObservedChain {
        let hook = head.texts["hook"].map { Hook(rawValue: $0)?.number ?? .max }
        return ObservedChain(
            tableFamily: NftFamily.number(head["family"]) ?? 0, table: head["table"], name: head["name"],
            base: hook.map { (type: head["type"], hook: $0, priority: head.priority) },
            dropsByPolicy: hook != nil && (head.texts["policy"] ?? "accept") != "accept", useCount: 0)
    }

    // MARK: What is somebody else's

    /// Tables of Docker's and chains that drop, beyond which no more are told.
    private static let mostTold = 256

    private mutating func takeForeign(_ kind: String, _ head: Head, _ table: String) {
        let family = ForeignChain.Family(rawValue: head["family"])
        switch kind {
        case "table": if let family { takeForeignTable(head, family) }
        case "chain":
            let isTold = max(foreignRules.dockerTables.count, foreignRules.droppingInputChains.count) < Self.mostTold
            if isTold { foreignRules.take(Self.chain(head)) }
            guard let family, !isDormant(table, family), let chain = Self.foreignChain(head, family) else { return }
            foreign.declare(chain)
        case "rule":
            foreignRules.ruleCount += 1
            if let family { takeForeignRule(head, table, family) }
        case "set", "map", "element": if let family { takeSet(kind, head, table, family) }
        default: break
        }
    }

    private mutating func takeForeignTable(_ head: Head, _ family: ForeignChain.Family) {
        dormantTable = Self.isDormant(head) ? (family, head["name"]) : nil
        if dormantTable != nil, family != .inet, TableName.known.contains(head["name"]) {
            dormantStockTables.insert("\(family.rawValue) \(head["name"])")
        }
    }

    private func isDormant(_ table: String, _ family: ForeignChain.Family) -> Bool {
        dormantTable.map { $0.family == family && $0.name == table } ?? false
    }

    private mutating func takeForeignRule(_ head: Head, _ table: String, _ family: ForeignChain.Family) {
        let match = NftForeignMatch(sets: sets.named(in: table, family), family: family.addressFamily)
        foreign.append(to: head["chain"], table, family, size: head.list?.size ?? 0) { chain in
            if chain.isOfFrames { return [.unfollowed("handle \(head.handle)")] }
            return NftForeignRule.read(
                Self.readable(head, upTo: ForeignChains.longestRule), handle: head.handle,
                comment: head.texts["comment"], match)
        }
    }

    private mutating func takeSet(_ kind: String, _ head: Head, _ table: String, _ family: ForeignChain.Family) {
        // One without elements has no list of them.
        let held = head.list == nil ? [] : Self.readable(head, upTo: NftSets.longestSet)
        // By the time that a packet asks for it, it may hold something else.
        let elements = head.isSized ? nil : held
        let size = head.list?.size ?? 0
        if kind == "element" {
            sets.add(to: head["name"], table, family, size: size, elements)
        } else {
            sets.declare(head["name"], table, family, size: size, elements)
        }
    }

    /// A rule's expressions or a set's elements; nil where it is too long. That they are JSON was seen when they were
    /// passed over.
    private static func readable(_ head: Head, upTo longest: Int) -> [JSONValue]? {
        do throws(JSONParser.Fault) {
            return try elements(head, upTo: longest)
        } catch {
            return nil
        }
    }

    private static func foreignChain(_ head: Head, _ family: ForeignChain.Family) -> ForeignChain? {
        let drops = head["policy"] == "drop"
        if let hook = head.texts["hook"], family == .bridge || family == .netdev || hook == "ingress" {
            return .ofFrames(family, table: head["table"], name: head["name"], type: head["type"], dropsByPolicy: drops)
        }
        var chain = ForeignChain(.nftables, family, table: head["table"], name: head["name"])
        if let name = head.texts["hook"] {
            // Others are not on a way that is looked at.
            guard let hook = Hook(rawValue: name) else { return nil }
            chain.base = BaseChain(chain.name, type: head["type"], hook: hook, priority: head.priority)
            chain.dropsByPolicy = drops
        }
        return chain
    }

    // MARK: The whole

    /// In the order in which the live backend tells it.
    private func installed() -> InstalledRuleset {
        var installed = InstalledRuleset(backend: .nftables)
        installed.foreign = foreignRules
        for (layout, found) in zip(TableLayout.all, own) {
            guard let table = found.table else { continue }
            installed.ownTables.append(layout.description)
            installed.ownChains += found.chains.map(\.name)
            let own = OwnTable(layout, table, chains: found.chains, isCrowded: found.isCrowded)
            installed.obstacles += own.obstacles + found.strangers
            installed.defects += own.defects
            installed.rules += found.rules
        }
        installed.concludeTables()
        return installed
    }
}
