import Glibc
package import Model

/// Holds our rules in the stock tables of the legacy interface, marked by their comments.
package struct IptablesBackend: RulesetBackend {
    package init() {}

    package var kind: BackendKind { .iptables }

    package func read(_ purpose: ReadPurpose) throws(Failure) -> InstalledRuleset {
        var installed = InstalledRuleset(backend: kind)
        var names: [TableName] = []
        for family in AddressFamily.allCases {
            let live = try LiveTables.read(family) ?? []
            installed.liveTables += live.sorted().map { TableName(family: family, table: $0).description }
            names += StockTable.all.filter { $0.family == family && live.contains($0.table) }
        }
        let session = purpose == .change && !names.isEmpty ? XtablesSession.ifFree() : nil
        for name in names {
            let contents = try read(name, session)
            installed.rules += contents.ours.map(\.rule)
            installed.foreign.merge(contents.foreign)
        }
        installed.holdsOurs = !installed.rules.isEmpty
        installed.reservation = session
        return installed
    }

    package func readForeignChains() throws(Failure) -> [ForeignChain] {
        var chains: [ForeignChain] = []
        for family in AddressFamily.allCases {
            let live = try LiveTables.read(family) ?? []
            for table in ForeignTable.priorities.map(\.table) where live.contains(table) {
                let name = TableName(family: family, table: table)
                // Safe: the entries are used within the call for which they are lent.
                chains += unsafe try TableSnapshot.read(name) { info, entries in
                    unsafe ForeignTable(name, info, entries).chains
                }
            }
        }
        return chains
    }

    private func read(_ name: TableName, _ session: XtablesSession?) throws(Failure) -> TableContents {
        if let session { return try session.open(name) }
        return try TableSnapshot.read(name)
    }

    package func commit(
        _ rules: [Rule], replacing installed: InstalledRuleset, until deadline: Deadline
    ) throws(Failure) {
        // libiptc takes no lock by itself; without it, a writer that keeps the number of rules would be lost.
        let held = installed.reservation as? XtablesSession
        let session = if let held { held } else { try XtablesSession(until: deadline) }
        defer { session.release() }
        let encoder = EntryEncoder(dnatRevision: KernelSupport.dnatRevision())
        var done: [TableChange] = []
        for name in try tables(for: rules, replacing: installed) {
            do throws(Failure) {
                let change = TableChange(name, rules: rules.filter { StockTable.name(of: $0) == name })
                if let undo = try change.commit(encoder, in: session, until: deadline) { done.append(undo) }
            } catch {
                throw undo(done, because: error, encoder, in: session, until: deadline)
            }
        }
    }

    /// The tables to write: those that get rules, and those that exist and may hold some; in an order in which nothing
    /// is ever open. The guards go in first and come out last, and a table that loses a rule waits until those that only
    /// gain have theirs: the rule may have moved there.
    private func tables(for rules: [Rule], replacing installed: InstalledRuleset) throws(Failure) -> [TableName] {
        var gaining: [TableName] = []
        var losing: [TableName] = []
        for name in StockTable.all {
            let isLive = try LiveTables.read(name.family)?.contains(name.table) ?? false
            guard isLive || rules.contains(where: { StockTable.name(of: $0) == name }) else { continue }
            let loses = installed.rules.contains { old in
                old.rule.map { StockTable.name(of: $0) == name && !rules.contains($0) } ?? true
            }
            if loses { losing.append(name) } else { gaining.append(name) }
        }
        return rules.isEmpty ? (gaining + losing).reversed() : gaining + losing
    }

    /// Takes back what was done, last first, and tells of it.
    private func undo(
        _ done: [TableChange], because failure: Failure, _ encoder: EntryEncoder, in session: XtablesSession,
        until deadline: Deadline
    ) -> Failure {
        var told: [String] = []
        for change in done.reversed() {
            do throws(Failure) {
                _ = try change.commit(encoder, in: session, until: deadline)
                told.append("table \(change.name.description) was put back")
            } catch {
                told.append("table \(change.name.description) could not be put back (\(error))")
            }
        }
        if told.isEmpty { return failure }
        return failure.with(
            kind: failure.kind, advice: ([failure.advice].compactMap { $0 } + told).joined(separator: "; "))
    }
}
