/// What the shells need to complete a command line, derived from the command table and written by `generate completion`.
///
/// Each script is a part written by hand, which follows the words before the cursor, and tables that are printed into it.
enum Completion {
    /// The shells whose scripts there are.
    enum Shell: String, CaseIterable {
        case bash
        case zsh
        case fish
    }

    static func text(for shell: Shell) -> String {
        switch shell {
        case .bash: BashCompletion.text
        case .zsh: ZshCompletion.text
        case .fish: FishCompletion.text
        }
    }

    /// How far a command line has got, and what may follow there.
    struct Context {
        /// The command and the artefact; empty before the command.
        let words: [String]
        let options: [Option]
        /// What this is called, and what it may be, with its description; empty for nothing.
        let operand: String
        let operands: [(word: String, description: String)]
    }

    /// Every place in a command line that takes options of its own.
    static var contexts: [Context] {
        let start = Context(
            words: [], options: CommandTable.options.filter(\.standsAlone), operand: "command",
            operands: Command.allCases.map { ($0.rawValue, $0.summary) })
        let artefacts = Artefact.all.map { artefact in
            Context(
                words: [Command.generate.rawValue, artefact.name], options: options { artefact.takes($0) },
                operand: artefact.name, operands: artefact.choices.map { ($0, artefact.summary) })
        }
        return [start] + Command.allCases.map(context) + artefacts
    }

    private static func context(of command: Command) -> Context {
        guard command == .generate else {
            let options = CommandTable.options.filter { $0.belongs(to: command) }
            return Context(words: [command.rawValue], options: options, operand: "", operands: [])
        }
        return Context(
            words: [command.rawValue], options: options { option in Artefact.all.contains { $0.takes(option) } },
            operand: "artefact", operands: Artefact.all.map { ($0.name, $0.summary) })
    }

    /// The options of `generate` that say something, and help.
    private static func options(_ areTaken: (Option) -> Bool) -> [Option] {
        CommandTable.options.filter { $0.belongs(to: .generate) && areTaken($0) || $0.name == "help" }
    }

    /// The options whose value differs by command, or not: with each set of words, the commands that take it.
    static func words(of option: Option) -> [(commands: [Command], words: [String])] {
        var sets: [(commands: [Command], words: [String])] = []
        for command in Command.allCases where option.belongs(to: command) {
            let words = option.choices(for: command)
            if let index = sets.firstIndex(where: { $0.words == words }) {
                sets[index].commands.append(command)
            } else {
                sets.append(([command], words))
            }
        }
        return sets
    }
}

extension Option {
    /// How it is typed: `-q`, `--quiet`.
    var spellings: [String] { (short.map { ["-\($0)"] } ?? []) + ["--\(name)"] }

    /// Whether giving it again says more.
    var mayBeGivenAgain: Bool { isList || isRepeated }

    /// Whether nothing else counts beside it.
    var standsAlone: Bool { name == "help" || name == "version" }

    /// Whether `=true` and `=false` may stand behind it.
    var isSwitch: Bool { argument == nil && isSaved }
}

extension String {
    /// As one word of a shell: POSIX's quotes, which zsh takes too.
    var quoted: String { "'" + replacing("'", with: #"'\''"#) + "'" }
}
