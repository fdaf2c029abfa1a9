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
    func commit(
        _ encoder: EntryEncoder, in session: XtablesSession, until deadline: Deadline
    ) throws(Failure) -> TableChange? {
        while true {
            let table = try session.take(name)
            let ours = table.contents.ours
            if isFulfilled(by: table.contents) { return nil }
            for entry in ours.reversed() { try table.handle.delete(at: entry.position, from: entry.chain) }
            for (chain, position, entry) in insertions(encoder) {
                try table.handle.insert(entry, into: chain, at: position)
            }
            do throws(Failure) {
                try table.handle.commit()
                return TableChange(name, earlier: ours)
            } catch let error where error.kind == .concurrentChange && !deadline.hasPassed {
                deadline.pause(milliseconds: 1)
            } catch let error where rules != nil {
                // The entries may be in place all the same: libiptc also fails when the counters of those that stay
                // cannot be put back.
                let back = TableChange(name, earlier: ours)
                // EINVAL: a writer without the lock came in between, so that the kernel has another number of them
                // (`do_add_counters`, net/ipv4/netfilter/ip_tables.c). The rules are what counts.
                if error.errno == EINVAL, isFulfilled(by: try session.take(name).contents) { return back }
                _ = try back.commit(encoder, in: session, until: deadline)
                throw error
            }
        }
    }

    private func isFulfilled(by contents: TableContents) -> Bool {
        guard let rules else {
            return contents.ours.elementsEqual(earlier) {
                $0.chain == $1.chain && $0.position == $1.position && $0.rule.content == $1.rule.content
            }
        }
        return Place.allCases.allSatisfy { place in
            let here = contents.ours.filter { $0.rule.rule?.place == place }
            let isAhead = !place.mustComeFirst || !here.contains { $0.rule.hasForeignRuleAhead }
            return isAhead && here.map(\.rule.rule) == rules.filter { $0.place == place }
        } && contents.ours.allSatisfy { $0.rule.rule != nil }
    }

    private func insertions(_ encoder: EntryEncoder) -> [(chain: String, position: Int, entry: [UInt8])] {
        guard let rules else {
            return earlier.filter { StandardVerdict.isNamed($0.bytes, name.family) }.map {
                ($0.chain, $0.position, $0.bytes)
            }
        }
        return Place.allCases.flatMap { place in
            rules.filter { $0.place == place }.enumerated().map { index, rule in
                (place.stockChain.chain, index, encoder.encode(rule))
            }
        }
    }
}
