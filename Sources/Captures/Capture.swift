package import Model

/// What the stock tools printed of a host's rules, from one or more files.
package struct Capture: Sendable {
    /// More rules of ours than this are none of ours: a host has a few dozen.
    static let mostOwn = 4096

    /// What nf_tables holds; nil where it was not captured.
    package private(set) var nftables: InstalledRuleset?
    /// The families of the legacy interface that have tables in what was captured.
    private var familiesWithTables: Set<AddressFamily> = []
    /// The files with nothing in them.
    package private(set) var emptyNames: [String] = []
    /// The files, as they were named.
    package private(set) var names: [String] = []

    private var legacyTables: [TableName: LegacyTable] = [:]
    private var liveTables: Set<TableName> = []
    /// Those that the stock tools have in nf_tables, where `iptables-nft-save` was captured.
    private var stockTables: Set<TableName> = []
    private var stockRuleCount = 0
    /// Those that do nothing, which only nft tells.
    private var dormantStockTables: Set<String> = []
    private var nftablesChains = ForeignChains()
    private var stockChains = ForeignChains()
    private var legacyChains = ForeignChains()

    package init() {}

    /// Reads what a stock tool printed: `iptables-save` or `ip6tables-save` of either flavour, also several one after the
    /// other, or `nft -j list ruleset`.
    ///
    /// - Parameters:
    ///   - bytes: the text.
    ///   - name: what to call it in messages.
    ///   - unclear: which interface it is from where the tool's own words do not tell, as versions 1.8.0 to 1.8.8 print the
    ///     same for both; nil refuses such a text.
    /// - Throws: `Failure` that names the text and the line or byte.
    package mutating func read(_ bytes: [UInt8], from name: String, unclear: BackendKind? = nil) throws(Failure) {
        names.append(name)
        let blanks: [UInt8] = [0x20, 0x09, 0x0a, 0x0d]
        guard let first = bytes.first(where: { !blanks.contains($0) }) else {
            return emptyNames.append(name)
        }
        if first == UInt8(ascii: "{") {
            if nftables != nil {
                throw Failure(
                    .trouble, "\(name) is a second capture of nf_tables", advice: "give one from nft -j list ruleset")
            }
            var reader = NftRulesetReader(bytes, name: name)
            nftables = try reader.read()
            nftablesChains = reader.foreign
            dormantStockTables = reader.dormantStockTables
        } else {
            var reader = IptablesSaveReader(bytes, name: name, unclear: unclear)
            try reader.read(into: &self)
        }
    }

    /// Whether anything was captured with `iptables-nft-save`.
    package var hasStockTables: Bool { !stockTables.isEmpty }

    /// The families of the legacy interface that were captured. An empty text is of every family without tables: it is what
    /// the tool prints then. Where the tool failed it is empty too, but what is missing never counts as matching.
    package var iptablesFamilies: Set<AddressFamily> {
        emptyNames.isEmpty ? familiesWithTables : Set(AddressFamily.allCases)
    }

    /// What the legacy interface holds, as far as it was captured.
    package var iptables: InstalledRuleset {
        var installed = InstalledRuleset(backend: .iptables)
        for family in AddressFamily.allCases {
            installed.liveTables += liveTables.filter { $0.family == family }.map(\.description).sorted()
        }
        for name in StockTable.all {
            guard let table = legacyTables[name] else { continue }
            installed.rules += table.rules
            installed.foreign.merge(table.foreign)
        }
        installed.holdsOurs = !installed.rules.isEmpty
        return installed
    }

    /// The rules of others in nf_tables that `iptables-nft-save` shows, where nothing else was captured of it.
    package var stockForeign: ForeignRules {
        var foreign = ForeignRules()
        foreign.ruleCount = stockRuleCount
        foreign.dockerTables = stockChains.chains.reduce(into: []) { tables, chain in
            let isDocker = DockerChains.isDocker(table: chain.table, chain: chain.name)
            if isDocker, !tables.contains(chain.tableName) { tables.append(chain.tableName) }
        }
        return foreign
    }

    /// The chains with everybody's rules, as far as they are understood and there is room for them; without the table of
    /// our own. What `iptables-nft-save` tells of rules in its tables it tells better than nft does, and nft tells where
    /// the chains hang.
    package var foreignChains: [ForeignChain] {
        let told = Set(stockTables.map(\.description))
        let fromNft = nftablesChains.chains.map { chain in
            var chain = chain
            if told.contains(chain.tableName), let stock = stockChains.same(as: chain) { chain.rules = stock.rules }
            return chain
        }
        let others = stockChains.chains.filter { chain in
            nftablesChains.same(as: chain) == nil && !dormantStockTables.contains(chain.tableName)
        }
        return fromNft + others + legacyChains.chains
    }

    // MARK: What the reader of iptables-save gives

    /// Begins a table.
    ///
    /// - Returns: false where it was captured before.
    mutating func begin(_ table: TableName, _ backend: BackendKind) -> Bool {
        if backend == .nftables { return stockTables.insert(table).inserted }
        familiesWithTables.insert(table.family)
        legacyTables[table] = LegacyTable()
        return liveTables.insert(table).inserted
    }

    mutating func declare(_ chain: String, policy: String?, of table: TableName, _ backend: BackendKind) {
        let foreign = ForeignChain.stock(chain, of: table, backend, policy: policy)
        if backend == .nftables { return stockChains.declare(foreign) }
        legacyTables[table]?.foreign.take(chain: chain, of: table, policy: policy)
        legacyChains.declare(foreign)
    }

    mutating func append(_ rule: InstalledRule, to table: TableName) { legacyTables[table]?.rules.append(rule) }

    /// Takes note that there is a rule of others.
    mutating func countForeign(of table: TableName, _ backend: BackendKind) {
        if backend == .nftables { stockRuleCount += 1 } else { legacyTables[table]?.foreign.ruleCount += 1 }
    }

    /// Takes note of a chain's next rule, whosoever it is.
    mutating func place(
        in chain: String, of table: TableName, _ backend: BackendKind, size: Int, _ read: () -> [ForeignRule]
    ) {
        let family: ForeignChain.Family = table.family == .ipv4 ? .ip : .ip6
        if backend == .nftables {
            return stockChains.append(to: chain, table.table, family, size: size) { _ in read() }
        }
        legacyChains.append(to: chain, table.table, family, size: size) { _ in read() }
    }
}

/// What a stock table of the legacy interface holds.
struct LegacyTable: Sendable {
    var rules: [InstalledRule] = []
    var foreign = ForeignRules()
}

extension ForeignChain {
    /// `ip filter`.
    fileprivate var tableName: String { "\(family.rawValue) \(table)" }

    /// A chain of a stock table.
    ///
    /// - Parameter policy: nil for a chain that is not built in.
    static func stock(
        _ chain: String, of table: TableName, _ backend: BackendKind, policy: String?
    ) -> ForeignChain {
        var foreign = ForeignChain(
            backend, table.family == .ipv4 ? .ip : .ip6, table: table.table, name: chain)
        if policy != nil, let hook = Hook(rawValue: chain.lowercased()) {
            foreign.base = BaseChain(
                chain, type: table.table == "nat" ? "nat" : "filter", hook: hook, priority: table.priority(at: hook))
        }
        foreign.dropsByPolicy = policy == "DROP"
        return foreign
    }
}

extension TableName {
    /// The tables of the stock tools.
    static let known = ["filter", "mangle", "nat", "raw", "security"]

    /// `NF_IP_PRI_*` (`linux/netfilter_ipv4.h`): nat rewrites destinations before the others' filters, and sources after.
    func priority(at hook: Hook) -> Int32 {
        switch table {
        case "raw": -300
        case "mangle": -150
        case "nat": hook == .prerouting || hook == .output ? -100 : 100
        case "security": 50
        default: 0
        }
    }
}
