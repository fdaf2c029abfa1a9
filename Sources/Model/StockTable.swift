/// A stock table of one family, in the legacy interface.
package struct TableName: Hashable, Sendable {
    package let family: AddressFamily
    /// `filter`, `nat` or `mangle`.
    package let table: String

    package init(family: AddressFamily, table: String) {
        self.family = family
        self.table = table
    }

    /// `ip filter`, `ip6 mangle`.
    package var description: String { "\(family == .ipv4 ? "ip" : "ip6") \(table)" }
}

/// Which stock table and chain each place is.
package enum StockTable {
    /// Every table that can hold rules of ours, in the order in which they are written.
    package static let all: [TableName] = ["mangle", "filter", "nat"].flatMap { table in
        AddressFamily.allCases.filter { !($0 == .ipv6 && table == "nat") }.map { TableName(family: $0, table: table) }
    }

    package static func name(of rule: Rule) -> TableName {
        TableName(family: rule.family, table: rule.place.stockChain.table)
    }

    package static func place(table: String, chain: String) -> Place? {
        Place.allCases.first { $0.stockChain == (table, chain) }
    }

    /// A rule with our mark in a chain where none of ours ever stands.
    package static func misplaced(comment: String, chain: String, of table: TableName) -> InstalledRule.Content {
        .unknown("\"\(comment)\" in \(table.description) \(chain) is in no chain of ours")
    }
}

extension ForeignRules {
    /// Adds what a chain of the legacy interface says, its rules left out.
    ///
    /// - Parameter policy: nil for a chain that is not built in.
    package mutating func take(chain: String, of name: TableName, policy: String?) {
        let table = "\(name.description) (legacy)"
        if DockerChains.isDocker(table: name.table, chain: chain), !dockerTables.contains(table) {
            dockerTables.append(table)
        }
        if name.family == .ipv4, chain == "INPUT", policy == "DROP" {
            droppingInputChains.append(DroppingChain(.iptables, "\(name.table) INPUT", isStock: true))
        }
    }

    /// Adds what another table holds.
    package mutating func merge(_ other: ForeignRules) {
        ruleCount += other.ruleCount
        dockerTables += other.dockerTables
        droppingInputChains += other.droppingInputChains
    }
}
