import CLibmnl
import CLibnftnl
import Glibc
package import Model

/// Holds our rules in a table of our own in nf_tables.
package struct NftablesBackend: RulesetBackend {
    private let families: TableFamilies?

    /// A backend that uses one table for both families, and a table for each where the kernel cannot do so.
    ///
    /// - Parameter families: the tables to use, without trying; nil tries.
    package init(families: TableFamilies? = nil) { self.families = families }

    package var kind: BackendKind { .nftables }

    // The generation tells of changes in between; nothing has to be held.
    package func read(_ purpose: ReadPurpose) throws(Failure) -> InstalledRuleset {
        // Asking would load the module; one that is not loaded holds no rules.
        guard KernelModule.isPresent else { return InstalledRuleset(backend: kind) }
        do throws(Failure) {
            return try Self.read(TableReader())
        } catch let error where error.kind == .unsupported {
            var installed = InstalledRuleset(backend: kind)
            installed.unavailable = error.with(
                kind: .unsupported, advice: "this kernel has no nf_tables (CONFIG_NF_TABLES); use --backend iptables")
            return installed
        }
    }

    private static func read(_ reader: borrowing TableReader) throws(Failure) -> InstalledRuleset {
        var installed = InstalledRuleset(backend: .nftables)
        installed.generation = try reader.generation()
        let chains = try reader.chains()
        installed.foreign = OwnTable.foreignRules(chains)
        for layout in TableLayout.all {
            guard let table = try reader.table(layout) else { continue }
            installed.ownTables.append(layout.description)
            let ours = chains.filter { $0.table == TableLayout.name && $0.tableFamily == layout.family }
            installed.ownChains += ours.map(\.name)
            // The count alone may be in the middle of somebody's transaction.
            let isCrowded = Int(table.useCount) == ours.count ? false : try reader.strangers(layout) > 0
            let found = OwnTable(layout, table, chains: ours, isCrowded: isCrowded)
            installed.obstacles += found.obstacles
            installed.defects += found.defects
            for rule in try reader.rules(layout) { take(rule, from: layout, into: &installed) }
        }
        installed.concludeTables()
        // A change in between would mix two rulesets.
        if try reader.generation() != installed.generation {
            throw Failure(.concurrentChange, "the rules of nf_tables changed while they were read")
        }
        return installed
    }

    package func readForeignChains() throws(Failure) -> [ForeignChain] {
        guard KernelModule.isPresent else { return [] }
        do throws(Failure) {
            return try ForeignReader().read(TableReader())
        } catch let error where error.kind == .unsupported {
            return []
        }
    }

    package func commit(
        _ rules: [Rule], replacing installed: InstalledRuleset, until deadline: Deadline
    ) throws(Failure) {
        guard let families else {
            do throws(Failure) {
                return try commit(rules, replacing: installed, in: .inet)
            } catch let error where Self.meansNoInetNat(error) {
                return try commit(rules, replacing: installed, in: .split)
            }
        }
        try commit(rules, replacing: installed, in: families)
    }

    private func commit(
        _ rules: [Rule], replacing installed: InstalledRuleset, in families: TableFamilies
    ) throws(Failure) {
        var transaction = Transaction(generation: installed.generation)
        if installed.holdsOurs {
            let reader = try TableReader()
            for layout in TableLayout.all where try reader.table(layout) != nil { transaction.deleteTable(layout) }
        }
        if !rules.isEmpty {
            for layout in families.layouts { try transaction.createTable(layout, rules: layout.rules(rules)) }
        }
        try transaction.commit()
    }

    /// Kernels before 5.2 refuse a nat chain in an inet table: its type is not found, or not supported there.
    static func meansNoInetNat(_ failure: Failure) -> Bool {
        failure.subject.hasPrefix("cannot create chain inet")
            && (failure.errno == ENOENT || failure.errno == EOPNOTSUPP)
    }

    /// Files a rule of our table under what it is: ours, or somebody else's.
    private static func take(_ rule: ObservedRule, from layout: TableLayout, into installed: inout InstalledRuleset) {
        guard let place = OwnTable.place(chain: rule.chain, comment: rule.comment), let comment = rule.comment else {
            installed.obstacles.append(
                rule.chain.isEmpty
                    ? Obstacle(
                        "table \(layout.description) holds a rule that libnftnl cannot read",
                        advice: "nft -a list table \(layout.description), then delete it")
                    : OwnTable.stranger(rule: rule.handle, chain: rule.chain, layout))
            return
        }
        let result = RuleDecoder.decode(rule.expressions, at: place, in: layout, comment: comment)
        installed.rules.append(
            InstalledRule(result.content, handle: rule.handle, packets: result.packets, bytes: result.bytes))
    }
}
