import Glibc
import Model

/// The rules of ours that one stock table is to hold, and where.
struct TableChange {
    let name: TableName
    private let rules: [Rule]?
    private let earlier: [TableContents.Entry]

    /// A change to these rules of the plan, at the heads of their chains.
    init(_ name: TableName, rules: [Rule]) {
        self.name = name
        self.rules = rules
        earlier = []
    }

    /// A change back to what was there.
    private init(_ name: TableName, earlier: [TableContents.Entry]) {
        self.name = name
        rules = nil
        self.earlier = earlier
    }

    /// Commits the change, again while other writers get in first.
    ///
    /// - Returns: the change that takes this one back; nil when nothing had to be done.
    func commit(_ encoder: EntryEncoder, until deadline: Deadline) throws(Failure) -> TableChange? {
        while true {
            let table = try open()
            let contents = TableContents(of: table)
            if isFulfilled(by: contents) { return nil }
            for entry in contents.ours.reversed() { try table.delete(at: entry.position, from: entry.chain) }
            for (chain, position, entry) in insertions(encoder) { try table.insert(entry, into: chain, at: position) }
            do throws(Failure) {
                try table.commit()
                return TableChange(name, earlier: contents.ours)
            } catch where error.kind == .concurrentChange && !deadline.hasPassed {
                deadline.pause(milliseconds: 1)
            }
        }
    }

    /// Opens the table; where the kernel's module is missing, loads it and tries again.
    private func open() throws(Failure) -> TableHandle {
        do throws(Failure) {
            return try TableHandle(name)
        } catch where error.kind == .unsupported {
            KernelSupport.loadModule(name.family)
            return try TableHandle(name)
        }
    }

    private func isFulfilled(by contents: TableContents) -> Bool {
        guard let rules else { return false }
        return Place.allCases.allSatisfy { place in
            let here = contents.ours.filter { $0.rule.rule?.place == place }
            let isAhead = !place.mustComeFirst || !here.contains { $0.rule.hasForeignRuleAhead }
            return isAhead && here.map(\.rule.rule) == rules.filter { $0.place == place }
        } && contents.ours.allSatisfy { $0.rule.rule != nil }
    }

    private func insertions(_ encoder: EntryEncoder) -> [(chain: String, position: Int, entry: [UInt8])] {
        guard let rules else { return earlier.map { ($0.chain, $0.position, $0.bytes) } }
        return Place.allCases.flatMap { place in
            rules.filter { $0.place == place }.enumerated().map { index, rule in
                (place.stockChain.chain, index, encoder.encode(rule))
            }
        }
    }
}
