/// Reads the words of a command as iptables does, as far as that can be done without its extensions.
///
/// Which options an extension has is known to the extension alone, and so is whether one of them takes a word. Where both are
/// possible, a command is refused only if neither would be taken.
struct RestoreCommandParser {
    private let words: [[UInt8]]
    private let table: String
    /// The numbers of those places, where either is possible, at which an extension's option takes the next word.
    private let taking: Set<Int>
    private var index = 0
    private var command = RestoreCommand()
    /// The letters of the options that may be there once.
    private var seen: Set<Character> = []
    private var isInverted = false
    /// Whether an extension is known by now: only then can there be an option of one.
    private var mayHaveExtension = false
    /// How many places were passed where either is possible.
    private var places = 0

    private init(_ words: [[UInt8]], _ table: String, _ taking: Set<Int>) {
        (self.words, self.table, self.taking) = (words, table, taking)
    }

    /// How many such places of a command are tried, and at how many of them the word is taken. Seldom does a text begin like an
    /// option.
    private static let (mostPlaces, mostTaken) = (8, 4)

    /// - Throws: `RestoreFault` where iptables-restore would refuse the command, whatever its extensions are.
    static func parse(_ words: [[UInt8]], table: String) throws(RestoreFault) -> RestoreCommand {
        try parse(words, table, taking: [])
    }

    private static func parse(
        _ words: [[UInt8]], _ table: String, taking: Set<Int>
    ) throws(RestoreFault) -> RestoreCommand {
        var parser = RestoreCommandParser(words, table, taking)
        do throws(RestoreFault) {
            return try parser.parse()
        } catch {
            let next = (taking.max() ?? -1) + 1
            let places = min(parser.places, mostPlaces)
            if taking.count < mostTaken, next < places {
                for place in next..<places {
                    if let command = try? parse(words, table, taking: taking.union([place])) { return command }
                }
            }
            throw error
        }
    }

    private mutating func parse() throws(RestoreFault) -> RestoreCommand {
        while index < words.count {
            let word = words[index]
            index += 1
            if word == Array("--".utf8) {
                if index < words.count { throw stray(words[index]) }
            } else if word.starts(with: "--".utf8) {
                try parseLong(word)
            } else if word.count > 1, word[0] == UInt8(ascii: "-") {
                try parseLetters(word.dropFirst())
            } else if word == Array("!".utf8) {
                if isInverted { throw RestoreFault("has two ! in a row") }
                isInverted = true
                continue
            } else {
                throw stray(word)
            }
            if command.isOfOneFamily { return command }
            isInverted = false
        }
        try checkWhole()
        return command
    }

    private func stray(_ word: [UInt8]) -> RestoreFault {
        RestoreFault("has \(RestoreFault.show(word)), which belongs to no option")
    }

    // MARK: Options and their words

    private mutating func parseLong(_ word: [UInt8]) throws(RestoreFault) {
        let text = String(decoding: word, as: UTF8.self)
        let parts = word.dropFirst(2).split(
            separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(decoding: parts[0], as: UTF8.self)
        let value = parts.count > 1 ? Array(parts[1]) : nil
        // An extension's own option is preferred to the beginning of another.
        let option =
            RestoreOption.find(name: name) ?? (mayHaveExtension ? nil : RestoreOption.find(abbreviation: name))
        guard let option else {
            guard mayHaveExtension else {
                throw RestoreFault("has the unknown option \(text), as nothing before it loads an extension")
            }
            return takeWords(ofExtension: name, hasValue: value != nil)
        }
        if option.value == .none, value != nil { throw RestoreFault("has \(text), but that option takes no value") }
        let given = if let value { value } else { try required(option, "--\(name)") }
        try take(option, "--\(name)", given)
    }

    private mutating func parseLetters(_ letters: ArraySlice<UInt8>) throws(RestoreFault) {
        var rest = letters
        while let byte = rest.popFirst() {
            let spelling = "-\(String(decoding: [byte], as: UTF8.self))"
            guard let option = RestoreOption.find(letter: Character(Unicode.Scalar(byte))) else {
                throw RestoreFault("has the unknown option \(spelling)")
            }
            if option.value == .none {
                try take(option, spelling, nil)
                if command.isOfOneFamily { return }
                if !rest.isEmpty { isInverted = false }
            } else {
                let value = rest.isEmpty ? try required(option, spelling) : Array(rest)
                return try take(option, spelling, value)
            }
        }
    }

    /// The next word, for an option that needs one.
    private mutating func required(_ option: RestoreOption, _ spelling: String) throws(RestoreFault) -> [UInt8]? {
        guard option.value == .required else { return nil }
        guard index < words.count else { throw RestoreFault("has \(spelling) without what must follow it") }
        index += 1
        // Up to iptables 1.8.7, the ! could stand behind some options.
        if words[index - 1] == Array("!".utf8), "psdio".contains(option.letter), index < words.count {
            index += 1
        }
        return words[index - 1]
    }

    /// The next word, if there is one and it is no option.
    private mutating func argument() -> [UInt8]? {
        guard index < words.count, !Self.isLikeOption(words[index]) else { return nil }
        index += 1
        return words[index - 1]
    }

    private static func isLikeOption(_ word: [UInt8]) -> Bool {
        word.first == UInt8(ascii: "-") || word.first == UInt8(ascii: "!")
    }

    private mutating func takeWords(ofExtension name: String, hasValue: Bool) {
        for taken in (hasValue ? 1 : 0)..<RestoreOption.mostWords(ofExtension: name) {
            guard index < words.count else { return }
            if Self.isLikeOption(words[index]) {
                // The second of two may not be like an option.
                guard taken == 0 else { return }
                places += 1
                guard taking.contains(places - 1) else { return }
            }
            index += 1
        }
    }

    // MARK: What an option does

    private mutating func take(_ option: RestoreOption, _ spelling: String, _ value: [UInt8]?) throws(RestoreFault) {
        switch option.letter {
        case "A", "D", "C", "I", "R", "L", "S", "F", "Z", "N", "X", "E", "P":
            try takeVerb(option.letter, spelling, value)
        case "t", "w", "W": throw RestoreFault("has \(spelling), which has no place in such a file")
        case "h", "V": throw RestoreFault("has \(spelling), with which iptables-restore ends there and then")
        case "4", "6": command.isOfOneFamily = true
        case "m":
            if isInverted { throw RestoreFault("has a ! before \(spelling)") }
            if let value, value.isEmpty || value.count > RestoreTable.longestName {
                throw RestoreFault("has a match whose name is too long or empty: \(RestoreFault.show(value))")
            }
            mayHaveExtension = true
        case "M": break
        case "v":
            if isInverted { throw RestoreFault("has a ! before \(spelling)") }
        default: try takeOnce(option.letter, spelling, value ?? [])
        }
    }

    private mutating func takeVerb(_ letter: Character, _ spelling: String, _ value: [UInt8]?) throws(RestoreFault) {
        if isInverted { throw RestoreFault("has a ! before \(spelling)") }
        let goesTogether = command.verbs + [letter]
        guard command.verbs.isEmpty || [["L", "Z"], ["Z", "L"], ["S", "Z"], ["Z", "S"]].contains(goesTogether) else {
            throw RestoreFault("has two commands, -\(command.verbs[0]) and \(spelling)")
        }
        command.verbs.append(letter)
        let named = "LSFZX".contains(letter) ? value ?? argument() : value
        command.chain = named ?? command.chain
        switch letter {
        case "D", "I", "L", "S", "Z": if let word = argument() { command.number = try Self.number(word) }
        case "R":
            guard let word = argument() else { throw RestoreFault("has \(spelling) without the number of a rule") }
            command.number = try Self.number(word)
        case "P":
            command.policy = argument()
            if command.policy == nil { throw RestoreFault("has \(spelling) without a policy") }
        case "E":
            command.newName = argument()
            if command.newName == nil { throw RestoreFault("has \(spelling) without a new name") }
        default: break
        }
    }

    private mutating func takeOnce(_ letter: Character, _ spelling: String, _ value: [UInt8]) throws(RestoreFault) {
        // -g is another -j.
        guard seen.insert(letter == "g" ? "j" : letter).inserted else {
            throw RestoreFault(letter == "j" || letter == "g" ? "has two targets" : "has \(spelling) twice")
        }
        if isInverted, "jgnx0c".contains(letter) { throw RestoreFault("has a ! before \(spelling)") }
        switch letter {
        case "s", "d": try takeAddresses(value, spelling)
        case "j", "g":
            // The verdicts have no options.
            if !RestoreTable.verdicts.contains(value) { mayHaveExtension = true }
            command.isGoto = letter == "g"
            try takeTarget(value, isApart: words[index - 1] == value)
        case "p": mayHaveExtension = true
        case "i", "o":
            if value.isEmpty { throw RestoreFault("has \(spelling) with no interface") }
            if value.count > Self.longestInterface {
                throw RestoreFault("has an interface whose name is too long: \(RestoreFault.show(value))")
            }
        case "c": try takeCounters(value, spelling)
        default: break
        }
    }

    /// IFNAMSIZ, less its NUL (linux/if.h).
    private static let longestInterface = 15

    private mutating func takeTarget(_ name: [UInt8], isApart: Bool) throws(RestoreFault) {
        if name.isEmpty || name.count > RestoreTable.longestName || name.contains(where: RestoreWords.isSpace) {
            throw RestoreFault("has a target that no chain can be named: \(RestoreFault.show(name))")
        }
        // In one word with its option, as in -jDROP, some releases take the whole word for the name.
        command.target = isApart ? name : nil
    }

    private mutating func takeAddresses(_ value: [UInt8], _ spelling: String) throws(RestoreFault) {
        let addresses = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        if addresses.contains(where: \.isEmpty) { throw RestoreFault("has \(spelling) with an empty address") }
        if isInverted, addresses.count > 1 { throw RestoreFault("has a ! before several addresses") }
        if addresses.count > 1, command.verbs == ["R"] { throw RestoreFault("replaces a rule by several") }
        let areNumbers = addresses.allSatisfy { address in
            address.contains(UInt8(ascii: ":"))
                || address.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e || $0 == 0x2f }
        }
        command.ruleCount = areNumbers ? command.ruleCount.map { $0 * addresses.count } : nil
    }

    private mutating func takeCounters(_ value: [UInt8], _ spelling: String) throws(RestoreFault) {
        let parts = value.split(separator: UInt8(ascii: ","), maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = parts.count > 1 ? Array(parts[1]) : argument() else {
            throw RestoreFault("has \(spelling) with one number instead of two")
        }
        for number in [Array(parts[0]), bytes] {
            let digits = number.drop(while: RestoreWords.isSpace).drop { $0 == 0x2b || $0 == 0x2d }
            guard let first = digits.first, (0x30...0x39).contains(first) else {
                throw RestoreFault("has \(spelling) with \(RestoreFault.show(number)), which is no number")
            }
        }
    }

    /// A rule's number, in C's spelling of numbers.
    private static func number(_ word: [UInt8]) throws(RestoreFault) -> Int {
        let text = String(decoding: word.drop(while: RestoreWords.isSpace), as: UTF8.self).lowercased()
        let digits = text.hasPrefix("+") ? String(text.dropFirst()) : text
        let isHexadecimal = digits.hasPrefix("0x")
        let number = Int(
            isHexadecimal ? String(digits.dropFirst(2)) : digits,
            radix: isHexadecimal ? 16 : digits.hasPrefix("0") ? 8 : 10)
        guard let number, (1...Int(Int32.max)).contains(number), !digits.hasPrefix("+") else {
            throw RestoreFault("has \(RestoreFault.show(word)) where the number of a rule belongs")
        }
        return number
    }

    // MARK: The command as a whole

    private func checkWhole() throws(RestoreFault) {
        guard let verb = command.verbs.first else { throw RestoreFault("has no command, such as -A") }
        if isInverted { throw RestoreFault("ends with a !") }
        if let letter = seen.sorted().first(where: { !isAllowed($0) }) {
            let spelling = letter == "0" ? "--line-numbers" : "-\(letter)"
            throw RestoreFault("has \(spelling), which does not go with -\(verb)")
        }
        let drop = Array("DROP".utf8)
        if table == "nat", command.target == drop || command.policy == drop {
            throw RestoreFault("drops in table nat, which iptables does not do")
        }
        guard let chain = command.chain.map({ String(decoding: $0, as: UTF8.self) }), command.isAboutRule else {
            return
        }
        if seen.contains("o"), ["PREROUTING", "INPUT"].contains(chain) {
            throw RestoreFault("has -o, which chain \(chain) does not know")
        }
        if seen.contains("i"), ["POSTROUTING", "OUTPUT"].contains(chain) {
            throw RestoreFault("has -i, which chain \(chain) does not know")
        }
    }

    /// Whether an option goes with the command (iptables, `xshared.c`, the table of both).
    private func isAllowed(_ option: Character) -> Bool {
        switch command.verbs.last {
        case "D" where command.number != nil: false
        case "A", "I", "R": "sdpjiofc".contains(option)
        case "D", "C": "sdpjiof".contains(option)
        case "P": option == "c"
        default: command.verbs.contains("L") && "nx0".contains(option)
        }
    }
}
