import CLibmnl
import CLibnftnl
import Glibc
import Model

/// A table of anybody's: its family and its name.
struct ForeignTableName: Hashable {
    /// `NFPROTO_*`.
    let family: UInt16
    let name: String
}

/// A rule of somebody else's table, before it is understood.
struct ForeignRow {
    let chain: String
    let handle: UInt64
    /// nil for a rule that libnftnl cannot read.
    let expressions: [ForeignExpression]?
}

/// An element of a set, or of a map of verdicts.
struct SetElement {
    let key: [UInt8]
    /// The last key of an interval that does not end with its first.
    var last: [UInt8]?
    /// Whether it stands for everything that no other element names.
    var isCatchAll = false
    /// For a map of verdicts.
    var verdict: ForeignRule.Verdict?
}

/// Reads other people's chains on the ways that packets from containers, and credential requests of the host, take.
struct ForeignReader {
    /// How many rules of a table are looked at. More than that take longer than anybody waits for an answer.
    private static let maximumRules = 50_000
    /// Elements beyond these are not told apart: their set counts as unknown.
    private static let maximumElements = 1024
    /// How many rules and conditions are kept of everybody's tables together, which sets multiply.
    private static let capacity = 200_000
    /// How many sets are read.
    private static let maximumSets = 256

    /// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_IPV6` (`linux/netfilter.h`).
    private static let families: [UInt16: ForeignChain.Family] = [1: .inet, 2: .ip, 10: .ip6]
    /// `NF_INET_PRE_ROUTING`, `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`, `NF_INET_LOCAL_OUT`.
    private static let hooks: [UInt32: Hook] = [0: .prerouting, 1: .input, 2: .forward, 3: .output]
    /// The families that see frames, on whatever hook: `NFPROTO_NETDEV`, `NFPROTO_BRIDGE`.
    private static let frameFamilies: [UInt16: ForeignChain.Family] = [5: .netdev, 7: .bridge]
    /// `NF_INET_INGRESS`: the hook for frames in a table of both families.
    private static let ingress: UInt32 = 5

    func read(_ reader: borrowing TableReader) throws(Failure) -> [ForeignChain] {
        let generation = try reader.generation()
        let all = try reader.chains()
        let observed = all.filter { Self.families[$0.tableFamily] != nil && $0.table != TableLayout.name }
        let dormant = try reader.dormantTables()
        var tables: [ForeignTableName] = []
        for chain in observed {
            let name = ForeignTableName(family: chain.tableFamily, name: chain.table)
            guard let base = chain.base, Self.hooks[base.hook] != nil else { continue }
            if !dormant.contains(name), !tables.contains(name) { tables.append(name) }
        }
        var chains: [ForeignChain] = []
        var room = Self.capacity
        for table in tables {
            let own = observed.filter { $0.tableFamily == table.family && $0.table == table.name }
            chains += try read(table, chains: own, reader, &room)
        }
        for chain in all {
            let table = ForeignTableName(family: chain.tableFamily, name: chain.table)
            guard let family = Self.familyOfFrames(chain), !dormant.contains(table) else { continue }
            chains.append(try readOfFrames(chain, family, of: table, reader))
        }
        if try reader.generation() != generation {
            throw Failure(.concurrentChange, "the rules of nf_tables changed while they were read")
        }
        return chains
    }

    private func read(
        _ table: ForeignTableName, chains: [ObservedChain], _ reader: borrowing TableReader, _ room: inout Int
    ) throws(Failure) -> [ForeignChain] {
        let rows = try reader.rows(of: table, atMost: Self.maximumRules)
        let sets = try readSets(askedBy: rows, of: table, reader)
        let byChain = Dictionary(grouping: rows, by: \.chain)
        return chains.map { observed in
            var chain = makeChain(observed, table)
            let decoder = ForeignDecoder(family: chain.family.addressFamily, sets: sets)
            for row in byChain[observed.name] ?? [] where room > 0 {
                let rules = decoder.decode(row)
                room -= rules.reduce(rules.count) { $0 + $1.conditions.count }
                chain.rules += rules
            }
            if rows.count > Self.maximumRules || room <= 0 {
                chain.rules.append(ForeignRule([], .unknown("too many rules"), text: "table \(table.name)"))
            }
            return chain
        }
    }

    private static func familyOfFrames(_ chain: ObservedChain) -> ForeignChain.Family? {
        guard let base = chain.base else { return nil }
        if let family = frameFamilies[chain.tableFamily] { return family }
        return families[chain.tableFamily] == .inet && base.hook == ingress ? .inet : nil
    }

    /// A chain for frames, with the first of its rules, which says enough.
    private func readOfFrames(
        _ observed: ObservedChain, _ family: ForeignChain.Family, of table: ForeignTableName,
        _ reader: borrowing TableReader
    ) throws(Failure) -> ForeignChain {
        var chain = ForeignChain.ofFrames(
            family, table: table.name, name: observed.name, type: observed.base?.type ?? "",
            dropsByPolicy: observed.dropsByPolicy)
        let first = try reader.rows(of: table, atMost: Self.maximumRules).first { $0.chain == observed.name }
        if let first { chain.rules.append(.unfollowed("handle \(first.handle)")) }
        return chain
    }

    private func makeChain(_ observed: ObservedChain, _ table: ForeignTableName) -> ForeignChain {
        var chain = ForeignChain(
            .nftables, Self.families[table.family] ?? .inet, table: table.name, name: observed.name)
        if let base = observed.base, let hook = Self.hooks[base.hook] {
            chain.base = BaseChain(observed.name, type: base.type, hook: hook, priority: base.priority)
            chain.dropsByPolicy = observed.dropsByPolicy
        }
        return chain
    }

    /// The elements of every set that a rule asks; those left out count as unknown. A set that packets fill holds
    /// something else by the time it is asked.
    private func readSets(
        askedBy rows: [ForeignRow], of table: ForeignTableName, _ reader: borrowing TableReader
    ) throws(Failure) -> [String: [SetElement]] {
        var sets: [String: [SetElement]] = [:]
        var filled: Set<String> = []
        for row in rows {
            for case .updates(let set) in row.expressions ?? [] { filled.insert(set) }
        }
        for row in rows {
            for case .lookup(let set, _, _, _) in row.expressions ?? [] where sets[set] == nil && !filled.contains(set)
            {
                guard sets.count < Self.maximumSets else { return sets }
                let elements = try reader.elements(of: set, in: table)
                if elements.count <= Self.maximumElements { sets[set] = elements }
            }
        }
        return sets
    }
}

extension TableReader {
    /// The tables that do nothing. The corresponding message is `NFT_MSG_GETTABLE` with `NLM_F_DUMP`.
    func dormantTables() throws(Failure) -> Set<ForeignTableName> {
        var dormant: Set<ForeignTableName> = []
        try ask(NFT_MSG_GETTABLE, flags: NLM_F_DUMP, subject: "the tables") { message in
            guard let object = TableObject(message),
                object.number(NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT.rawValue != 0
            else { return }
            let family = UInt16(truncatingIfNeeded: object.number(NFTNL_TABLE_FAMILY))
            dormant.insert(ForeignTableName(family: family, name: object.text(NFTNL_TABLE_NAME)))
        }
        return dormant
    }

    /// The rules of somebody else's table, and one more where there are more than asked for. The corresponding message is
    /// `NFT_MSG_GETRULE` with `NLM_F_DUMP`.
    func rows(of table: ForeignTableName, atMost limit: Int) throws(Failure) -> [ForeignRow] {
        var rows: [ForeignRow] = []
        try ask(
            NFT_MSG_GETRULE, family: table.family, flags: NLM_F_DUMP, subject: "the rules of table \(table.name)",
            missingIsEmpty: true,
            fill: { $0.put(NFTA_RULE_TABLE.rawValue, table.name) },
            receive: { message in
                if rows.count > limit { return }
                guard let object = RuleObject(message) else {
                    rows.append(Self.unreadable(message))
                    return
                }
                // Kernels before 4.20 ignore the table in the request.
                guard object.text(NFTNL_RULE_TABLE) == table.name else { return }
                rows.append(
                    ForeignRow(
                        chain: object.text(NFTNL_RULE_CHAIN), handle: object.handle,
                        expressions: object.map { ForeignExpression($0) }))
            })
        return rows
    }

    /// A rule with an expression that libnftnl does not know, which spoils the whole message: where it stands.
    private static func unreadable(_ message: borrowing ReceivedMessage) -> ForeignRow {
        // `struct nfgenmsg` comes before the attributes.
        let chain = message.text(UInt16(NFTA_RULE_CHAIN.rawValue), after: MemoryLayout<UInt32>.size)
        return ForeignRow(chain: chain ?? "", handle: 0, expressions: nil)
    }

    /// The elements of a set. The corresponding message is `NFT_MSG_GETSETELEM` with `NLM_F_DUMP`.
    func elements(of set: String, in table: ForeignTableName) throws(Failure) -> [SetElement] {
        var found: [(element: SetElement, flags: UInt32)] = []
        try ask(
            NFT_MSG_GETSETELEM, family: table.family, flags: NLM_F_DUMP, subject: "set \(set) of table \(table.name)",
            missingIsEmpty: true,
            fill: { message in
                message.put(NFTA_SET_ELEM_LIST_TABLE.rawValue, table.name)
                message.put(NFTA_SET_ELEM_LIST_SET.rawValue, set)
            },
            receive: { message in
                SetObject(message)?.forEachElement { found.append(Self.element($0)) }
            })
        return SetIntervals.joined(found)
    }

    private static func element(_ object: borrowing ElementObject) -> (element: SetElement, flags: UInt32) {
        let flags = object.number(Int(NFTNL_SET_ELEM_FLAGS))
        var element = SetElement(key: object.bytes(Int(NFTNL_SET_ELEM_KEY)))
        let last = object.bytes(Int(NFTNL_SET_ELEM_KEY_END))
        if !last.isEmpty { element.last = last }
        element.isCatchAll = flags & NFT_SET_ELEM_CATCHALL.rawValue != 0
        if object.has(Int(NFTNL_SET_ELEM_VERDICT)) {
            let number = Int32(bitPattern: object.number(Int(NFTNL_SET_ELEM_VERDICT)))
            element.verdict = ForeignDecoder.verdict(number, chain: object.text(Int(NFTNL_SET_ELEM_CHAIN)))
        }
        return (element, flags)
    }
}

/// Intervals as the kernel keeps them: an element where each begins, and one with a flag right behind its end.
enum SetIntervals {
    static func joined(_ found: [(element: SetElement, flags: UInt32)]) -> [SetElement] {
        let ending = NFT_SET_ELEM_INTERVAL_END.rawValue
        guard found.contains(where: { $0.flags & ending != 0 }) else { return found.map(\.element) }
        var joined: [SetElement] = []
        var isOpen = false
        let sorted = found.sorted { left, right in
            if left.element.key == right.element.key { return left.flags & ending > right.flags & ending }
            return left.element.key.lexicographicallyPrecedes(right.element.key)
        }
        for (element, flags) in sorted {
            if flags & ending == 0 {
                joined.append(element)
                isOpen = true
            } else if isOpen, let index = joined.indices.last {
                joined[index].last = before(element.key)
                isOpen = false
            }
        }
        if isOpen, let index = joined.indices.last {
            joined[index].last = [UInt8](repeating: 0xff, count: joined[index].key.count)
        }
        return joined
    }

    /// The key before another, as numbers in network byte order.
    private static func before(_ key: [UInt8]) -> [UInt8] {
        var key = key
        for index in key.indices.reversed() {
            key[index] &-= 1
            if key[index] != 0xff { break }
        }
        return key
    }
}
