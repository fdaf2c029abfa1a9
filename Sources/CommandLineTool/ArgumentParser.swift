import Model

/// The words of a command line, sorted by the command table.
struct CommandLineWords {
    fileprivate(set) var command: Command?
    /// The words behind `generate` that are no options.
    fileprivate(set) var operands: [String] = []
    /// The options that were given, each once, with all their values; empty ones for an option without a value.
    fileprivate(set) var values: [(option: Option, values: [String])] = []

    /// With another's options, which count where both have one.
    func adding(_ other: CommandLineWords) -> CommandLineWords {
        var line = self
        line.values.removeAll { own in other.values.contains { $0.option.name == own.option.name } }
        line.values += other.values
        return line
    }
}

/// Sorts the words of a command line by the command table.
struct ArgumentParser {
    private var line = CommandLineWords()

    /// Parses the words after the program's name. Values are not looked at yet.
    ///
    /// - Throws: a usage failure that names the word and what would be right.
    static func parse(_ words: [String]) throws(Failure) -> CommandLineWords {
        var parser = ArgumentParser()
        var rest = words[...]
        while let word = rest.popFirst() { try parser.take(word, &rest) }
        return parser.line
    }

    /// What `parse` could tell before it failed: the command and how to write the answer.
    static func outputWishes(_ words: [String]) -> Request {
        var parser = ArgumentParser()
        var rest = words[...]
        while let word = rest.popFirst() {
            do throws(Failure) { try parser.take(word, &rest) } catch { continue }
        }
        var request = Request()
        request.command = parser.line.command
        for (option, values) in parser.line.values where option.isForOutput {
            do throws(Failure) { try option.take(&request, values.last ?? "") } catch { continue }
        }
        return request
    }

    /// Refuses a command line that lacks a command or has options that the command does not take.
    static func check(_ line: CommandLineWords) throws(Failure) -> Command {
        guard let command = line.command else {
            throw .usage(
                "no command", advice: "one of \(Command.allCases.map(\.rawValue).joined(separator: ", ")), or --help")
        }
        if let stranger = line.values.first(where: { !$0.option.belongs(to: command) }) {
            throw .usage(
                "\(command.rawValue) does not take --\(stranger.option.name)",
                advice: "see ecs-netsetup \(command.rawValue) --help")
        }
        return command
    }

    private mutating func take(_ word: String, _ rest: inout ArraySlice<String>) throws(Failure) {
        guard word.hasPrefix("-"), word != "-" else { return try takeCommand(word) }
        let (name, attached) = Self.split(word)
        guard let option = Self.option(name) else {
            let known = CommandTable.options.map { "--" + $0.name }
            throw .usage("unknown option '\(name)'", advice: Suggestion.text(for: name, among: known) ?? Self.seeHelp)
        }
        guard let argument = option.argument else {
            if attached != nil, option.settingsKey == nil { throw .usage("--\(option.name) takes no value") }
            return add(option, attached ?? "")
        }
        guard let value = attached ?? rest.popFirst() else {
            throw .usage("--\(option.name) needs a value", advice: "write --\(option.name) \(argument)")
        }
        if value.isEmpty { throw .usage("--\(option.name) has an empty value", advice: option.summary) }
        add(option, value)
    }

    private mutating func add(_ option: Option, _ value: String) {
        if let index = line.values.firstIndex(where: { $0.option.name == option.name }) {
            line.values[index].values.append(value)
        } else {
            line.values.append((option, [value]))
        }
    }

    private mutating func takeCommand(_ word: String) throws(Failure) {
        if line.command == .generate { return line.operands.append(word) }
        guard let command = Command(rawValue: word) else {
            if let earlier = line.command {
                throw .usage(
                    "\(earlier.rawValue) takes no argument '\(word)'",
                    advice: "see ecs-netsetup \(earlier.rawValue) --help")
            }
            let known = Command.allCases.map(\.rawValue)
            throw .usage("unknown command '\(word)'", advice: Suggestion.text(for: word, among: known) ?? Self.seeHelp)
        }
        if let earlier = line.command {
            throw .usage("two commands: \(earlier.rawValue) and \(command.rawValue)", advice: "give one")
        }
        line.command = command
    }

    private static let seeHelp = "see ecs-netsetup --help"

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
}
