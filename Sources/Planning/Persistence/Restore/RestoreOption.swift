/// An option of a command that is no extension's (iptables(8)).
struct RestoreOption: Equatable {
    /// What stands behind an option.
    enum Value: Equatable {
        case none
        /// The rest of its word, or the next word, whatever that is.
        case required
        /// The rest of its word.
        case optional
    }

    let letter: Character
    let name: String
    let value: Value

    private init(_ letter: Character, _ name: String, _ value: Value) {
        (self.letter, self.name, self.value) = (letter, name, value)
    }

    /// All, in iptables' order.
    private static let all = [
        RestoreOption("A", "append", .required), RestoreOption("D", "delete", .required),
        RestoreOption("C", "check", .required), RestoreOption("I", "insert", .required),
        RestoreOption("R", "replace", .required), RestoreOption("L", "list", .optional),
        RestoreOption("S", "list-rules", .optional), RestoreOption("F", "flush", .optional),
        RestoreOption("Z", "zero", .optional), RestoreOption("N", "new-chain", .required),
        RestoreOption("X", "delete-chain", .optional), RestoreOption("E", "rename-chain", .required),
        RestoreOption("P", "policy", .required), RestoreOption("s", "source", .required),
        RestoreOption("d", "destination", .required), RestoreOption("s", "src", .required),
        RestoreOption("d", "dst", .required), RestoreOption("p", "protocol", .required),
        RestoreOption("i", "in-interface", .required), RestoreOption("j", "jump", .required),
        RestoreOption("t", "table", .required), RestoreOption("m", "match", .required),
        RestoreOption("n", "numeric", .none), RestoreOption("o", "out-interface", .required),
        RestoreOption("v", "verbose", .none), RestoreOption("w", "wait", .optional),
        RestoreOption("W", "wait-interval", .optional), RestoreOption("x", "exact", .none),
        RestoreOption("f", "fragments", .none), RestoreOption("V", "version", .none),
        RestoreOption("h", "help", .optional), RestoreOption("0", "line-numbers", .none),
        RestoreOption("M", "modprobe", .required), RestoreOption("c", "set-counters", .required),
        RestoreOption("g", "goto", .required), RestoreOption("4", "ipv4", .none),
        RestoreOption("6", "ipv6", .none),
    ]

    /// The option of a letter; `--line-numbers` has none.
    static func find(letter: Character) -> RestoreOption? {
        letter == "0" ? nil : all.first { $0.letter == letter }
    }

    /// The option of exactly this name.
    static func find(name: String) -> RestoreOption? { all.first { $0.name == name } }

    /// The one option whose name begins so. What two options have in common stands for none, as getopt_long(3) says.
    static func find(abbreviation: String) -> RestoreOption? {
        let found = all.filter { $0.name.hasPrefix(abbreviation) }
        return found.allSatisfy { $0.letter == found[0].letter } ? found.first : nil
    }

    /// Options of extensions that take two words, where all others take one at most.
    ///
    /// `--tcp-flags` of tcp(8), `--chunk-types` of sctp, and those of ipset's match and target.
    private static let pairs = [
        "tcp-flags", "chunk-types", "match-set", "set", "add-set", "del-set", "map-set",
    ]

    /// How many words an extension's option of this name may take.
    static func mostWords(ofExtension name: String) -> Int { pairs.contains { $0.hasPrefix(name) } ? 2 : 1 }
}
