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
        installed.foreign = foreignRules(chains)
        var found: [TableLayout] = []
        for layout in TableLayout.all {
            guard let table = try reader.table(layout) else { continue }
            found.append(layout)
            installed.ownTables.append(layout.description)
            let ours = chains.filter { $0.table == TableLayout.name && $0.tableFamily == layout.family }
            installed.ownChains += ours.map(\.name)
            // The count alone may be in the middle of somebody's transaction.
            let isCrowded = Int(table.useCount) == ours.count ? false : try reader.strangers(layout) > 0
            installed.obstacles += obstacles(in: table, layout: layout, chains: ours, isCrowded: isCrowded)
            installed.defects += defects(of: table, layout: layout, chains: ours)
            for rule in try reader.rules(layout) { take(rule, from: layout, into: &installed) }
        }
        installed.holdsOurs = !found.isEmpty
        if found.contains(.inet), found.count > 1 {
            installed.defects.append("tables of ours stand in family inet and in ip or ip6 beside it")
        }
        // A change in between would mix two rulesets.
        if try reader.generation() != installed.generation {
            throw Failure(.concurrentChange, "the rules of nf_tables changed while they were read")
        }
        return installed
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
        guard let comment = rule.comment, comment.hasPrefix(Rule.mark), let place = Place(rawValue: rule.chain) else {
            if rule.chain.isEmpty {
                installed.obstacles.append(
                    Obstacle(
                        "table \(layout.description) holds a rule that libnftnl cannot read",
                        advice: "nft -a list table \(layout.description), then delete it"))
                return
            }
            let names = rule.expressions.map(\.name).joined(separator: " ")
            installed.obstacles.append(
                Obstacle(
                    "rule \(rule.handle) of chain \(layout.description) \(rule.chain) does not carry our mark (\(names))",
                    advice: "nft delete rule \(layout.description) \(rule.chain) handle \(rule.handle)"))
            return
        }
        let result = RuleDecoder.decode(rule.expressions, at: place, in: layout, comment: comment)
        installed.rules.append(
            InstalledRule(result.content, handle: rule.handle, packets: result.packets, bytes: result.bytes))
    }

    /// What stands in our table and is not ours.
    ///
    /// - Parameter isCrowded: whether it holds sets, objects or flowtables, none of which is ever ours.
    private static func obstacles(
        in table: ObservedTable, layout: TableLayout, chains: [ObservedChain], isCrowded: Bool
    ) -> [Obstacle] {
        var obstacles: [Obstacle] = []
        if table.flags & UInt32(NFT_TABLE_F_OWNER.rawValue) != 0 {
            obstacles.append(
                Obstacle(
                    "table \(layout.description) is owned by another process (netlink port \(table.owner))",
                    advice: "end the process that created it with 'flags owner'"))
        }
        if isCrowded {
            obstacles.append(
                Obstacle(
                    "table \(layout.description) holds sets or objects that are not ours",
                    advice: "nft list table \(layout.description), then delete them"))
        }
        for chain in chains where expectedChain(chain.name, layout) == nil {
            obstacles.append(
                Obstacle(
                    "chain \(layout.description) \(chain.name) is not ours",
                    advice: "nft delete chain \(layout.description) \(chain.name)"))
        }
        return obstacles
    }

    /// What would keep the rules in this table from taking effect.
    private static func defects(of table: ObservedTable, layout: TableLayout, chains: [ObservedChain]) -> [String] {
        let isDormant = table.flags & NFT_TABLE_F_DORMANT.rawValue != 0
        let dormant = isDormant ? ["table \(layout.description) is dormant: none of its rules takes effect"] : []
        return dormant + chains.compactMap { defect(of: $0, layout: layout) }
    }

    private static func expectedChain(_ name: String, _ layout: TableLayout) -> BaseChain? {
        Place(rawValue: name)?.baseChain
            ?? TableLayout.answerChains.first { $0.name == name && layout == .ip }
    }

    private static func defect(of chain: ObservedChain, layout: TableLayout) -> String? {
        let name = "chain \(layout.description) \(chain.name)"
        guard let expected = expectedChain(chain.name, layout) else { return nil }
        guard let base = chain.base else { return "\(name) hangs on no hook" }
        if base.hook != expected.hook.number {
            return "\(name) hangs on hook number \(base.hook) instead of \(expected.hook.rawValue)"
        }
        if base.priority != expected.priority {
            return "\(name) has priority \(base.priority) instead of \(expected.priority)"
        }
        if base.type != expected.type { return "\(name) is of type \(base.type) instead of \(expected.type)" }
        if chain.policy != NF_ACCEPT { return "\(name) drops by policy" }
        return nil
    }

    private static func foreignRules(_ chains: [ObservedChain]) -> ForeignRules {
        var foreign = ForeignRules()
        for chain in chains where chain.table != TableLayout.name {
            foreign.ruleCount += Int(chain.useCount)
            let table = "\(familyName(chain.tableFamily)) \(chain.table)"
            if DockerChains.isDocker(table: chain.table, chain: chain.name), !foreign.dockerTables.contains(table) {
                foreign.dockerTables.append(table)
            }
            if chain.base?.hook == NF_INET_LOCAL_IN.rawValue, chain.policy == NF_DROP,
                familyName(chain.tableFamily) != "ip6"
            {
                foreign.droppingInputChains.append(
                    DroppingChain(
                        .nftables, "\(table) \(chain.name)", isStock: table == "ip filter" && chain.name == "INPUT"))
            }
        }
        return foreign
    }

    /// `NFPROTO_*` as nft spells it.
    private static func familyName(_ number: UInt16) -> String {
        switch number {
        case 1: "inet"
        case 2: "ip"
        case 3: "arp"
        case 5: "netdev"
        case 7: "bridge"
        case 10: "ip6"
        default: "family \(number)"
        }
    }
}
