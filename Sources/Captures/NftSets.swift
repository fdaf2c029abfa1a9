import Model

/// The elements of sets and maps as nft prints them, as far as there is room for them.
struct NftSets {
    /// The elements of a longer one are not known: some 100 chains in a map.
    static let longestSet = 16384
    /// What may be kept of all, counted in bytes of the captured text.
    private static let capacity = 1 << 20
    /// What a set costs beside its elements.
    private static let costOfSet = 256

    private struct Key: Hashable {
        let family: ForeignChain.Family
        let table: String
        let name: String
    }

    private var known: [Key: [JSONValue]] = [:]
    private var room = capacity

    /// Takes note of a set.
    ///
    /// - Parameter elements: nil where they are too many.
    mutating func declare(
        _ name: String, _ table: String, _ family: ForeignChain.Family, size: Int, _ elements: [JSONValue]?
    ) {
        guard let elements, room > 0 else { return }
        room -= size + Self.costOfSet
        known[Key(family: family, table: table, name: name)] = elements
    }

    /// Takes note of elements that are told by themselves. Where they are too many, the set is not known any more.
    mutating func add(
        to name: String, _ table: String, _ family: ForeignChain.Family, size: Int, _ elements: [JSONValue]?
    ) {
        let key = Key(family: family, table: table, name: name)
        guard let earlier = known[key] else { return }
        room -= size
        known[key] = elements.flatMap { room > 0 ? earlier + $0 : nil }
    }

    /// The sets that rules of a table may name.
    func named(in table: String, _ family: ForeignChain.Family) -> Lookup {
        Lookup { known[Key(family: family, table: table, name: $0)] }
    }

    /// Finds the elements of a set.
    struct Lookup {
        private let find: (String) -> [JSONValue]?

        init(_ find: @escaping (String) -> [JSONValue]?) { self.find = find }

        /// The elements of a set as a statement has it, by itself or by its name; nil where it is none, or not known.
        func elements(of value: JSONValue) -> [JSONValue]? {
            if let elements = value["set"]?.elements { return elements }
            guard let name = Self.name(of: value) else { return nil }
            return find(name)
        }

        /// `@name`, without the sign.
        static func name(of value: JSONValue) -> String? {
            guard let text = value.string, text.hasPrefix("@") else { return nil }
            return String(text.dropFirst())
        }

        /// Whether a value stands for several.
        static func isSet(_ value: JSONValue) -> Bool { value["set"] != nil || name(of: value) != nil }
    }
}
