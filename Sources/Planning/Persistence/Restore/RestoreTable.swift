/// What a table holds while iptables-restore reads its lines, as far as later lines depend on it: chains, how many rules they
/// have, and which jump to which.
struct RestoreTable {
    let name: String

    private struct Chain {
        let isBuiltIn: Bool
        /// nil where this is not known.
        var ruleCount: Int? = 0
    }

    private struct Jump {
        let source: [UInt8]
        let target: [UInt8]
        let line: Int
    }

    private var chains: [[UInt8]: Chain] = [:]
    private var jumps: [Jump] = []
    /// Whether the jumps are all that there are, and all of them are still there.
    private var areJumpsKnown = true
    /// Whether all chains are known.
    private var areChainsKnown = true

    /// The longest name of a chain or an extension: XT_EXTENSION_MAXNAMELEN, less its NUL (linux/netfilter/x_tables.h).
    static let longestName = 28
    /// The longest name that a chain can be given later: that of `IPT_CHAINLABEL`, less its NUL (libiptc).
    private static let longestNewName = 31

    /// The chains that the kernel makes in each of its tables (linux: `iptable_filter.c` and its neighbours). They are the same
    /// in both families.
    private static let builtIn: KeyValuePairs = [
        "filter": ["INPUT", "FORWARD", "OUTPUT"],
        "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
        "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
        "raw": ["PREROUTING", "OUTPUT"],
        "security": ["INPUT", "FORWARD", "OUTPUT"],
    ]
    /// Verdicts, whose names no chain can have.
    static let verdicts = ["ACCEPT", "DROP", "QUEUE", "RETURN"].map { Array($0.utf8) }
    /// Targets that rules of ours have. iptables-restore prefers a chain of that name.
    private static let ownTargets: KeyValuePairs = ["nat": ["DNAT", "REDIRECT"], "filter": ["REJECT"]]
    private static let policies = ["ACCEPT", "DROP"].map { Array($0.utf8) }

    /// The table that a line such as `*nat` begins.
    init(_ line: [UInt8]) throws(RestoreFault) {
        guard let word = RestoreWords.plain(line).first else { throw RestoreFault("begins a table without a name") }
        name = String(decoding: word, as: UTF8.self)
        guard let builtIn = Self.builtIn.first(where: { Array($0.key.utf8) == Array(word) })?.value else {
            throw RestoreFault("begins a table that the kernel does not have: \(RestoreFault.show(word))")
        }
        for chain in builtIn { chains[Array(chain.utf8)] = Chain(isBuiltIn: true) }
    }

    /// Whether the name of a target may have this sign where it is not a chain's. Every target is called in capitals, those
    /// that do not come with iptables too; `DOCKER-USER` and `f2b-sshd` are not.
    private static func isOfExtension(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
    }

    // MARK: Declarations

    /// A line such as `:INPUT ACCEPT [0:0]`. Its counters are looked at with the option `-c` alone.
    mutating func declare(_ line: [UInt8]) throws(RestoreFault) {
        let words = RestoreWords.plain(line).prefix(2).map(Array.init)
        guard let chain = words.first else { throw RestoreFault("declares a chain without a name") }
        let shown = RestoreFault.show(chain)
        if chain.count > Self.longestName { throw RestoreFault("declares a chain whose name is too long: \(shown)") }
        guard words.count > 1 else { throw RestoreFault("declares chain \(shown) without a policy, or - for none") }
        if chains[chain]?.isBuiltIn != true { try create(chain) }
        if words[1] != Array("-".utf8) { try setPolicy(of: chain, to: words[1]) }
    }

    private mutating func create(_ chain: [UInt8]) throws(RestoreFault) {
        if Self.verdicts.contains(chain) {
            throw RestoreFault("makes a chain with the name of a verdict, \(RestoreFault.show(chain))")
        }
        if chains[chain] != nil {
            throw RestoreFault("makes chain \(RestoreFault.show(chain)), which is there already")
        }
        if Self.ownTargets.contains(where: { $0.key == name && $0.value.contains { Array($0.utf8) == chain } }) {
            throw RestoreFault(
                "makes chain \(RestoreFault.show(chain)), to which rules of ours would jump instead of to that target")
        }
        chains[chain] = Chain(isBuiltIn: false)
    }

    private func setPolicy(of chain: [UInt8], to policy: [UInt8]) throws(RestoreFault) {
        guard chains[chain]?.isBuiltIn == true else {
            throw RestoreFault("gives chain \(RestoreFault.show(chain)) a policy, but it is not built in")
        }
        guard Self.policies.contains(policy) else {
            throw RestoreFault("has the policy \(RestoreFault.show(policy)), which is neither ACCEPT nor DROP")
        }
    }

    // MARK: Commands

    /// Does what a command does.
    ///
    /// - Parameter line: the index of its line.
    mutating func run(_ command: RestoreCommand, line: Int) throws(RestoreFault) {
        if command.isOfOneFamily {
            if !areChainsKnown { return }
            (areChainsKnown, areJumpsKnown) = (false, false)
            for chain in chains.keys { chains[chain]?.ruleCount = nil }
            return
        }
        // What a line that one family alone reads has done cannot be told.
        guard areChainsKnown else { return }
        if let chain = command.chain { try check(chain, for: command) }
        if command.isAboutRule { try checkTarget(of: command) }
        for verb in command.verbs { try run(verb, command, line) }
    }

    private func check(_ chain: [UInt8], for command: RestoreCommand) throws(RestoreFault) {
        let shown = RestoreFault.show(chain)
        if chain.count > Self.longestName { throw RestoreFault("is for a chain whose name is too long: \(shown)") }
        if command.verbs != ["N"], chains[chain] == nil {
            throw RestoreFault("is for chain \(shown), which is neither built into table \(name) nor declared above")
        }
    }

    private func checkTarget(of command: RestoreCommand) throws(RestoreFault) {
        guard let target = command.target else { return }
        let shown = RestoreFault.show(target)
        if chains[target]?.isBuiltIn == true { throw RestoreFault("jumps to the built-in chain \(shown)") }
        if chains[target] != nil { return }
        if command.isGoto { throw RestoreFault("goes to \(shown), which is no chain declared above") }
        if !target.allSatisfy(Self.isOfExtension) {
            throw RestoreFault("jumps to \(shown), which is no chain declared above")
        }
    }

    private mutating func run(_ verb: Character, _ command: RestoreCommand, _ line: Int) throws(RestoreFault) {
        switch verb {
        case "N": try makeChain(command.chain ?? [])
        case "X": try deleteChains(command.chain)
        case "E": try rename(command.chain ?? [], to: command.newName ?? [])
        case "P": try setPolicy(of: command.chain ?? [], to: command.policy ?? [])
        case "F": flush(command.chain)
        case "Z": try check(command.number, of: command.chain)
        case "A", "C", "D", "I", "R": try runOnRules(verb, command, line)
        default: break
        }
    }

    private mutating func makeChain(_ chain: [UInt8]) throws(RestoreFault) {
        let isOdd = chain.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "!") } ?? true
        if isOdd || chain.contains(where: RestoreWords.isSpace) {
            throw RestoreFault("makes a chain with a name that cannot be: \(RestoreFault.show(chain))")
        }
        try create(chain)
    }

    private mutating func rename(_ chain: [UInt8], to name: [UInt8]) throws(RestoreFault) {
        if chains[chain]?.isBuiltIn == true { throw RestoreFault("renames a built-in chain") }
        if name.count > Self.longestNewName {
            throw RestoreFault("gives a chain a name that is too long: \(RestoreFault.show(name))")
        }
        let ruleCount = chains[chain]?.ruleCount
        try create(name)
        chains[name]?.ruleCount = ruleCount
        chains[chain] = nil
        areJumpsKnown = false
    }

    private mutating func deleteChains(_ chain: [UInt8]?) throws(RestoreFault) {
        if let chain, chains[chain]?.isBuiltIn == true { throw RestoreFault("deletes a built-in chain") }
        let deleted = chains.filter { !$0.value.isBuiltIn && (chain == nil || $0.key == chain) }
        if let full = deleted.first(where: { ($0.value.ruleCount ?? 0) > 0 })?.key {
            throw RestoreFault("deletes chain \(RestoreFault.show(full)), which has rules")
        }
        if areJumpsKnown, let jump = jumps.first(where: { deleted[$0.target] != nil }) {
            throw RestoreFault("deletes chain \(RestoreFault.show(jump.target)), to which a rule jumps")
        }
        for name in deleted.keys { chains[name] = nil }
    }

    private mutating func flush(_ chain: [UInt8]?) {
        for name in chains.keys where chain == nil || name == chain { chains[name]?.ruleCount = 0 }
        jumps.removeAll { chain == nil || $0.source == chain }
    }

    /// Whether the chain has a rule of this number.
    private func check(_ number: Int?, of chain: [UInt8]?) throws(RestoreFault) {
        guard let number, let chain, let ruleCount = chains[chain]?.ruleCount, number > ruleCount else { return }
        throw RestoreFault("is for rule \(number) of chain \(RestoreFault.show(chain)), which has \(ruleCount) by then")
    }

    private mutating func runOnRules(
        _ verb: Character, _ command: RestoreCommand, _ line: Int
    ) throws(RestoreFault) {
        let chain = command.chain ?? []
        let ruleCount = chains[chain]?.ruleCount
        let change = command.ruleCount
        switch verb {
        case "I":
            if let number = command.number { try check(number - 1, of: chain) }
            chains[chain]?.ruleCount = ruleCount.flatMap { now in change.map { now + $0 } }
        case "A": chains[chain]?.ruleCount = ruleCount.flatMap { now in change.map { now + $0 } }
        case "D" where command.number != nil:
            try check(command.number, of: chain)
            chains[chain]?.ruleCount = ruleCount.map { $0 - 1 }
        case "D", "C":
            if ruleCount == 0 {
                throw RestoreFault("is for a rule of chain \(RestoreFault.show(chain)), which has none by then")
            }
            if verb == "D" { chains[chain]?.ruleCount = ruleCount.flatMap { now in change.map { max(now - $0, 0) } } }
        default: try check(command.number, of: chain)
        }
        if "DR".contains(verb) { areJumpsKnown = false }
        if let target = command.target, chains[target] != nil, "AIR".contains(verb) {
            jumps.append(Jump(source: chain, target: target, line: line))
        }
    }

    // MARK: The end

    /// The index of a line that closes a circle of jumps, which the kernel refuses where a built-in chain leads into it.
    var circle: Int? {
        guard areJumpsKnown else { return nil }
        let out = Dictionary(grouping: jumps, by: \.source)
        var done: Set<[UInt8]> = []
        for chain in chains.keys.filter({ chains[$0]?.isBuiltIn == true }) {
            // Each with the jumps of it that are still to be followed. Not by recursion: a file may have any number of chains.
            var path: [(chain: [UInt8], rest: ArraySlice<Jump>)] = [(chain, (out[chain] ?? [])[...])]
            var isOnPath: Set<[UInt8]> = [chain]
            while let last = path.last {
                guard let jump = last.rest.first else {
                    path.removeLast()
                    isOnPath.remove(last.chain)
                    done.insert(last.chain)
                    continue
                }
                path[path.count - 1].rest = last.rest.dropFirst()
                if isOnPath.contains(jump.target) { return jump.line }
                if done.contains(jump.target) { continue }
                path.append((jump.target, (out[jump.target] ?? [])[...]))
                isOnPath.insert(jump.target)
            }
        }
        return nil
    }
}
