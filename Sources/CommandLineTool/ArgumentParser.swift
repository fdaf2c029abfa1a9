import Model

/// Turns the words of a command line into a request, by the command table.
struct ArgumentParser {
    private var request = Request()
    /// Every option so far: whether the command takes it is known when the command is.
    private var given: [Option] = []

    /// Parses the words after the program's name.
    ///
    /// - Throws: a usage failure that names the word and what would be right.
    static func parse(_ words: [String]) throws(Failure) -> Request {
        var parser = ArgumentParser()
        var rest = words[...]
        while let word = rest.popFirst() { try parser.take(word, &rest) }
        try parser.check()
        return parser.request
    }

    /// What `parse` could tell before it failed: the command and how to write the answer.
    static func outputWishes(_ words: [String]) -> Request {
        var parser = ArgumentParser()
        var rest = words[...]
        while let word = rest.popFirst() {
            do throws(Failure) { try parser.take(word, &rest) } catch { continue }
        }
        return parser.request
    }

    private mutating func take(_ word: String, _ rest: inout ArraySlice<String>) throws(Failure) {
        guard word.hasPrefix("-"), word != "-" else { return try takeCommand(word) }
        let (name, attached) = Self.split(word)
        guard let option = Self.option(name) else {
            let known = CommandTable.options.map { "--" + $0.name }
            throw .usage("unknown option '\(name)'", advice: Self.suggestion(for: name, among: known))
        }
        given.append(option)
        guard let argument = option.argument else {
            if attached != nil { throw .usage("--\(option.name) takes no value") }
            if option.isPlanning { request.planningWords.append("--\(option.name)") }
            return try option.take(&request, "")
        }
        guard let value = attached ?? rest.popFirst() else {
            throw .usage("--\(option.name) needs a value", advice: "write --\(option.name) \(argument)")
        }
        if value.isEmpty { throw .usage("--\(option.name) has an empty value", advice: option.summary) }
        if option.isPlanning { request.planningWords += ["--\(option.name)", value] }
        try option.take(&request, value)
    }

    private mutating func takeCommand(_ word: String) throws(Failure) {
        guard let command = Command(rawValue: word) else {
            if let earlier = request.command {
                throw .usage(
                    "\(earlier.rawValue) takes no argument '\(word)'",
                    advice: "see ecs-netsetup \(earlier.rawValue) --help")
            }
            let known = Command.allCases.map(\.rawValue)
            throw .usage("unknown command '\(word)'", advice: Self.suggestion(for: word, among: known))
        }
        if let earlier = request.command {
            throw .usage("two commands: \(earlier.rawValue) and \(command.rawValue)", advice: "give one")
        }
        request.command = command
    }

    private func check() throws(Failure) {
        if request.wantsHelp || request.wantsVersion { return }
        guard let command = request.command else {
            throw .usage(
                "no command", advice: "one of \(Command.allCases.map(\.rawValue).joined(separator: ", ")), or --help")
        }
        if let stranger = given.first(where: { !$0.belongs(to: command) }) {
            throw .usage(
                "\(command.rawValue) does not take --\(stranger.name)",
                advice: "see ecs-netsetup \(command.rawValue) --help")
        }
        if command.needsModes, request.settings.modes.isEmpty {
            throw .usage(
                "\(command.rawValue) needs --mode",
                advice: "for example: ecs-netsetup \(command.rawValue) --mode bridge")
        }
    }

    /// `--name=value` into its parts.
    private static func split(_ word: String) -> (name: String, value: String?) {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    private static func option(_ name: String) -> Option? {
        CommandTable.options.first { option in
            name == "--" + option.name || option.short.map { name == "-\($0)" } ?? false
        }
    }

    /// The known word that differs least, if it is close.
    static func suggestion(for word: String, among known: [String]) -> String {
        let distances = known.map { (word: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
        if let best = distances.min(by: { $0.distance < $1.distance }),
            best.distance <= min(3, max(1, word.utf8.count / 3))
        {
            return "did you mean \(best.word)?"
        }
        return "see ecs-netsetup --help"
    }

    /// The number of bytes to insert, delete or replace (Levenshtein).
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, byte) in a.prefix(64).enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (byte == b[j] ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
