/// A chain of nf_tables as it was found.
package struct ObservedChain: Sendable {
    /// `NFPROTO_*` (`linux/netfilter.h`).
    package let tableFamily: UInt16
    package let table: String
    package let name: String
    /// Nil for a chain that hangs on no hook.
    package let base: (type: String, hook: UInt32, priority: Int32)?
    /// False for a chain without a hook.
    package let dropsByPolicy: Bool
    /// The rules in it, and as the kernel tells it also the jumps to it.
    package let useCount: UInt32

    package init(
        tableFamily: UInt16, table: String, name: String, base: (type: String, hook: UInt32, priority: Int32)?,
        dropsByPolicy: Bool, useCount: UInt32
    ) {
        self.tableFamily = tableFamily
        self.table = table
        self.name = name
        self.base = base
        self.dropsByPolicy = dropsByPolicy
        self.useCount = useCount
    }
}

/// A table of nf_tables as it was found.
package struct ObservedTable: Sendable {
    package let isDormant: Bool
    /// Whether a process keeps others from changing it.
    package let isOwned: Bool
    /// The chains, sets, objects and flowtables in it.
    package let useCount: UInt32
    /// The netlink port that owns it.
    package let owner: UInt32

    package init(isDormant: Bool, isOwned: Bool, useCount: UInt32 = 0, owner: UInt32 = 0) {
        self.isDormant = isDormant
        self.isOwned = isOwned
        self.useCount = useCount
        self.owner = owner
    }
}

/// A table of our name, and whether it is as ours has to be.
package struct OwnTable {
    private let layout: TableLayout
    private let table: ObservedTable
    private let chains: [ObservedChain]
    private let isCrowded: Bool

    /// - Parameters:
    ///   - chains: those in it.
    ///   - isCrowded: whether it holds sets, objects or flowtables, none of which is ever ours.
    package init(_ layout: TableLayout, _ table: ObservedTable, chains: [ObservedChain], isCrowded: Bool) {
        self.layout = layout
        self.table = table
        self.chains = chains
        self.isCrowded = isCrowded
    }

    /// Where a rule of the table stands; nil where it is not ours.
    package static func place(chain: String, comment: String?) -> Place? {
        guard let comment, comment.hasPrefix(Rule.mark) else { return nil }
        return Place(rawValue: chain)
    }

    /// A rule that is not ours.
    package static func stranger(rule handle: UInt64, chain: String, _ layout: TableLayout) -> Obstacle {
        Obstacle(
            "the rule with handle \(handle) in chain \(layout.description) \(chain) does not carry our mark",
            advice: "nft delete rule \(layout.description) \(chain) handle \(handle)")
    }

    /// What stands in it and is not ours, its rules left out.
    package var obstacles: [Obstacle] {
        var obstacles: [Obstacle] = []
        if table.isOwned {
            let owner = table.owner == 0 ? "" : " (netlink port \(table.owner))"
            obstacles.append(
                Obstacle(
                    "table \(layout.description) is owned by another process\(owner)",
                    advice: "end the process that created it with 'flags owner'"))
        }
        if isCrowded {
            obstacles.append(
                Obstacle(
                    "table \(layout.description) holds sets or objects that are not ours",
                    advice: "nft list table \(layout.description), then delete them"))
        }
        for chain in chains where expected(chain.name) == nil {
            obstacles.append(
                Obstacle(
                    "chain \(layout.description) \(chain.name) is not ours",
                    advice: "nft delete chain \(layout.description) \(chain.name)"))
        }
        return obstacles
    }

    /// What would keep the rules in it from taking effect.
    package var defects: [String] {
        let dormant =
            table.isDormant ? ["table \(layout.description) is dormant: none of its rules takes effect"] : []
        return dormant + chains.compactMap(defect)
    }

    private func expected(_ name: String) -> BaseChain? {
        Place(rawValue: name)?.baseChain
            ?? TableLayout.answerChains.first { $0.name == name && layout == .ip }
    }

    private func defect(of chain: ObservedChain) -> String? {
        let name = "chain \(layout.description) \(chain.name)"
        guard let expected = expected(chain.name) else { return nil }
        guard let base = chain.base else { return "\(name) hangs on no hook" }
        if base.hook != expected.hook.number {
            return "\(name) hangs on hook number \(base.hook) instead of \(expected.hook.rawValue)"
        }
        if base.priority != expected.priority {
            return "\(name) has priority \(base.priority) instead of \(expected.priority)"
        }
        if base.type != expected.type { return "\(name) is of type \(base.type) instead of \(expected.type)" }
        if chain.dropsByPolicy { return "\(name) drops by policy" }
        return nil
    }

    /// What the chains outside our tables say.
    package static func foreignRules(_ chains: [ObservedChain]) -> ForeignRules {
        var foreign = ForeignRules()
        for chain in chains where chain.table != TableLayout.name { foreign.take(chain) }
        return foreign
    }
}

extension ForeignRules {
    /// Adds what a chain of nf_tables says that is not in a table of ours.
    package mutating func take(_ chain: ObservedChain) {
        ruleCount += Int(chain.useCount)
        let family = NftFamily.name(chain.tableFamily)
        let table = "\(family) \(chain.table)"
        if DockerChains.isDocker(table: chain.table, chain: chain.name), !dockerTables.contains(table) {
            dockerTables.append(table)
        }
        if chain.base?.hook == Hook.input.number, chain.dropsByPolicy, family != "ip6" {
            droppingInputChains.append(
                DroppingChain(
                    .nftables, "\(table) \(chain.name)", isStock: table == "ip filter" && chain.name == "INPUT"))
        }
    }
}

extension InstalledRuleset {
    /// What follows from the tables of ours that were found in nf_tables.
    package mutating func concludeTables() {
        holdsOurs = !ownTables.isEmpty
        if ownTables.contains(TableLayout.inet.description), ownTables.count > 1 {
            defects.append("tables of ours stand in family inet and in ip or ip6 beside it")
        }
    }
}

/// The families of nf_tables.
package enum NftFamily {
    /// `NFPROTO_*` (`linux/netfilter.h`), and how nft spells them.
    private static let names: [(number: UInt16, name: String)] = [
        (1, "inet"), (2, "ip"), (3, "arp"), (5, "netdev"), (7, "bridge"), (10, "ip6"),
    ]

    package static func name(_ number: UInt16) -> String {
        names.first { $0.number == number }?.name ?? "family \(number)"
    }

    package static func number(_ name: String) -> UInt16? { names.first { $0.name == name }?.number }
}
