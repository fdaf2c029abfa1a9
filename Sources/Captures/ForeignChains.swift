import Model

/// Other people's chains as they are read, up to a bound: a capture may hold millions of rules.
struct ForeignChains {
    /// What may be kept, counted in bytes of the captured text: some 10,000 rules as nft prints them. What is kept takes
    /// a few times as much.
    private static let capacity = 4 << 20
    /// What a chain costs beside its rules.
    private static let costOfChain = 256
    /// What a condition costs beside its text, which may be a few letters.
    private static let costOfCondition = 40
    /// What a rule costs that another one makes several of.
    private static let costOfRule = 80
    /// A longer rule is not looked into.
    static let longestRule = 4096

    private struct Key: Hashable {
        let family: ForeignChain.Family
        let table: String
        let name: String
    }

    private(set) var chains: [ForeignChain] = []
    private var places: [Key: Int] = [:]
    private var isCut: Set<Int> = []
    private var room = capacity

    /// Takes note of a chain; its rules may have come before. A jump to one for which there was no room is not known to
    /// come back, but what hangs on a hook has to be known.
    mutating func declare(_ chain: ForeignChain) {
        let key = Key(family: chain.family, table: chain.table, name: chain.name)
        if let place = places[key] {
            var chain = chain
            chain.rules = chains[place].rules
            chains[place] = chain
        } else if room > 0 || chain.base != nil && room > -Self.capacity {
            room -= Self.costOfChain
            places[key] = chains.count
            chains.append(chain)
        }
    }

    /// The chain of the same name, as it is known here.
    func same(as chain: ForeignChain) -> ForeignChain? {
        places[Key(family: chain.family, table: chain.table, name: chain.name)].map { chains[$0] }
    }

    /// Takes note of a chain's next rule.
    ///
    /// - Parameters:
    ///   - size: its length in the captured text.
    ///   - read: reads it, where there is room; several where it has alternatives.
    mutating func append(
        to name: String, _ table: String, _ family: ForeignChain.Family, size: Int,
        _ read: (ForeignChain) -> [ForeignRule]
    ) {
        guard let place = places[Key(family: family, table: table, name: name)], !isCut.contains(place) else { return }
        if room <= 0 {
            isCut.insert(place)
            chains[place].rules.append(
                ForeignRule([.unknown("too many rules")], .unknown("too many rules"), text: "further rules"))
            return
        }
        let rules = read(chains[place])
        room -= min(size, Self.longestRule)
        // What is beyond the first was not in the text.
        room -= rules.reduce((rules.count - 1) * Self.costOfRule) { $0 + $1.conditions.count * Self.costOfCondition }
        chains[place].rules += rules
    }
}

extension String {
    /// The beginning, where it is long: texts of others that are only shown. In bytes, as a character has no bound.
    func cut(to length: Int) -> String {
        utf8.count <= length ? self : String(decoding: utf8.prefix(length), as: UTF8.self) + "…"
    }
}
