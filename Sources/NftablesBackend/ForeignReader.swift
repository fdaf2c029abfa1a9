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

/// Reads other people's chains on the ways that packets from containers take.
struct ForeignReader {
    /// How many rules of a table are looked at. More than that take longer than anybody waits for an answer.
    private static let maximumRules = 50_000
    /// Elements beyond these are not told apart: their set counts as unknown.
    private static let maximumElements = 1024
    /// How many sets are read.
    private static let maximumSets = 256

    /// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_IPV6` (`linux/netfilter.h`).
    private static let families: [UInt16: ForeignChain.Family] = [1: .inet, 2: .ip, 10: .ip6]
    /// `NF_INET_PRE_ROUTING`, `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`.
    private static let hooks: [UInt32: Hook] = [0: .prerouting, 1: .input, 2: .forward]

    func read(_ reader: borrowing TableReader) throws(Failure) -> [ForeignChain] {
        let generation = try reader.generation()
        let observed = try reader.chains().filter {
            Self.families[$0.tableFamily] != nil && $0.table != TableLayout.name
        }
        let dormant = try reader.dormantTables()
        var tables: [ForeignTableName] = []
        for chain in observed {
            let name = ForeignTableName(family: chain.tableFamily, name: chain.table)
            guard let base = chain.base, Self.hooks[base.hook] != nil else { continue }
            if !dormant.contains(name), !tables.contains(name) { tables.append(name) }
        }
        var chains: [ForeignChain] = []
        for table in tables {
            let own = observed.filter { $0.tableFamily == table.family && $0.table == table.name }
            chains += try read(table, chains: own, reader)
        }
        if try reader.generation() != generation {
            throw Failure(.concurrentChange, "the rules of nf_tables changed while they were read")
        }
        return chains
    }

    private func read(
        _ table: ForeignTableName, chains: [ObservedChain], _ reader: borrowing TableReader
    ) throws(Failure) -> [ForeignChain] {
        let rows = try reader.rows(of: table, atMost: Self.maximumRules)
        let sets = try readSets(askedBy: rows, of: table, reader)
        let byChain = Dictionary(grouping: rows, by: \.chain)
        return chains.map { observed in
            var chain = makeChain(observed, table)
            let decoder = ForeignDecoder(family: chain.family.addressFamily, sets: sets)
            for row in byChain[observed.name] ?? [] { chain.rules += decoder.decode(row) }
            if rows.count > Self.maximumRules {
                chain.rules.append(
                    ForeignRule([], .unknown("more than \(Self.maximumRules) rules"), text: "table \(table.name)"))
            }
            return chain
        }
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

    /// The elements of every set that a rule asks; those left out count as unknown.
    private func readSets(
        askedBy rows: [ForeignRow], of table: ForeignTableName, _ reader: borrowing TableReader
    ) throws(Failure) -> [String: [SetElement]] {
        var sets: [String: [SetElement]] = [:]
        for row in rows {
            for case .lookup(let set, _, _, _) in row.expressions ?? [] where sets[set] == nil {
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
        unsafe try ask(NFT_MSG_GETTABLE, flags: NLM_F_DUMP, subject: "the tables") { header in
            guard let object = unsafe nftnl_table_alloc() else { return }
            defer { unsafe nftnl_table_free(object) }
            guard unsafe nftnl_table_nlmsg_parse(header, object) >= 0,
                unsafe nftnl_table_get_u32(object, UInt16(NFTNL_TABLE_FLAGS.rawValue)) & NFT_TABLE_F_DORMANT.rawValue
                    != 0
            else { return }
            let family = unsafe nftnl_table_get_u32(object, UInt16(NFTNL_TABLE_FAMILY.rawValue))
            let name = unsafe string(nftnl_table_get_str(object, UInt16(NFTNL_TABLE_NAME.rawValue)))
            dormant.insert(ForeignTableName(family: UInt16(truncatingIfNeeded: family), name: name))
        }
        return dormant
    }

    /// The rules of somebody else's table, and one more where there are more than asked for. The corresponding message is
    /// `NFT_MSG_GETRULE` with `NLM_F_DUMP`.
    func rows(of table: ForeignTableName, atMost limit: Int) throws(Failure) -> [ForeignRow] {
        var rows: [ForeignRow] = []
        unsafe try ask(
            NFT_MSG_GETRULE, family: table.family, flags: NLM_F_DUMP, subject: "the rules of table \(table.name)",
            missingIsEmpty: true,
            fill: { header in
                unsafe mnl_attr_put_strz(header, UInt16(NFTA_RULE_TABLE.rawValue), table.name)
            },
            receive: { header in
                guard rows.count <= limit, let object = unsafe nftnl_rule_alloc() else { return }
                defer { unsafe nftnl_rule_free(object) }
                guard unsafe nftnl_rule_nlmsg_parse(header, object) >= 0 else {
                    rows.append(unsafe Self.unreadable(header))
                    return
                }
                // Kernels before 4.20 ignore the table in the request.
                guard unsafe string(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_TABLE.rawValue))) == table.name else {
                    return
                }
                rows.append(
                    unsafe ForeignRow(
                        chain: string(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue))),
                        handle: nftnl_rule_get_u64(object, UInt16(NFTNL_RULE_HANDLE.rawValue)),
                        expressions: ExpressionTransfer.map(object) { ForeignExpression($0) }))
            })
        return rows
    }

    /// A rule with an expression that libnftnl does not know, which spoils the whole message: where it stands.
    private static func unreadable(_ header: UnsafePointer<nlmsghdr>) -> ForeignRow {
        var chain = ""
        let headerSize = MemoryLayout<UInt32>.size  // `struct nfgenmsg`
        let start = unsafe mnl_nlmsg_get_payload_offset(header, headerSize)
        guard var attribute = unsafe start?.assumingMemoryBound(to: nlattr.self) else {
            return ForeignRow(chain: chain, handle: 0, expressions: nil)
        }
        let end = unsafe UnsafeRawPointer(header) + Int(header.pointee.nlmsg_len)
        while unsafe mnl_attr_ok(attribute, CInt(end - UnsafeRawPointer(attribute))) {
            if unsafe mnl_attr_get_type(attribute) == UInt16(NFTA_RULE_CHAIN.rawValue) {
                chain = unsafe string(mnl_attr_get_str(attribute))
            }
            unsafe attribute = mnl_attr_next(attribute)
        }
        return ForeignRow(chain: chain, handle: 0, expressions: nil)
    }

    /// The elements of a set. The corresponding message is `NFT_MSG_GETSETELEM` with `NLM_F_DUMP`.
    func elements(of set: String, in table: ForeignTableName) throws(Failure) -> [SetElement] {
        var found: [(element: SetElement, flags: UInt32)] = []
        unsafe try ask(
            NFT_MSG_GETSETELEM, family: table.family, flags: NLM_F_DUMP, subject: "set \(set) of table \(table.name)",
            missingIsEmpty: true,
            fill: { header in
                unsafe mnl_attr_put_strz(header, UInt16(NFTA_SET_ELEM_LIST_TABLE.rawValue), table.name)
                unsafe mnl_attr_put_strz(header, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), set)
            },
            receive: { header in
                guard let object = unsafe nftnl_set_alloc() else { return }
                defer { unsafe nftnl_set_free(object) }
                guard unsafe nftnl_set_elems_nlmsg_parse(header, object) >= 0,
                    let iterator = unsafe nftnl_set_elems_iter_create(object)
                else { return }
                defer { unsafe nftnl_set_elems_iter_destroy(iterator) }
                while let element = unsafe nftnl_set_elems_iter_next(iterator) {
                    found.append(unsafe Self.element(element))
                }
            })
        return SetIntervals.joined(found)
    }

    private static func element(_ object: OpaquePointer) -> (element: SetElement, flags: UInt32) {
        // libnftnl reads what is not set through a null pointer.
        let hasFlags = unsafe nftnl_set_elem_is_set(object, UInt16(NFTNL_SET_ELEM_FLAGS))
        let flags = hasFlags ? unsafe nftnl_set_elem_get_u32(object, UInt16(NFTNL_SET_ELEM_FLAGS)) : 0
        var element = SetElement(key: unsafe bytes(object, NFTNL_SET_ELEM_KEY))
        let last = unsafe bytes(object, NFTNL_SET_ELEM_KEY_END)
        if !last.isEmpty { element.last = last }
        element.isCatchAll = flags & NFT_SET_ELEM_CATCHALL.rawValue != 0
        if unsafe nftnl_set_elem_is_set(object, UInt16(NFTNL_SET_ELEM_VERDICT)) {
            let number = unsafe Int32(
                bitPattern: nftnl_set_elem_get_u32(object, UInt16(NFTNL_SET_ELEM_VERDICT)))
            let chain = unsafe string(nftnl_set_elem_get_str(object, UInt16(NFTNL_SET_ELEM_CHAIN)))
            element.verdict = ForeignDecoder.verdict(number, chain: chain)
        }
        return (element, flags)
    }

    private static func bytes(_ object: OpaquePointer, _ attribute: Int) -> [UInt8] {
        var length: UInt32 = 0
        guard unsafe nftnl_set_elem_is_set(object, UInt16(attribute)),
            let data = unsafe nftnl_set_elem_get(object, UInt16(attribute), &length)
        else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
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
