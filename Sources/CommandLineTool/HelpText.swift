import Planning

/// Help, derived from the command table.
enum HelpText {
    /// The help of a command, or of the whole program.
    ///
    /// - Parameter artefact: what `generate` is to print; nil for its help on all of them.
    static func text(for command: Command?, _ artefact: Artefact? = nil) -> String {
        var lines: [String] = []
        if let command {
            let operand = artefact.map { " \($0.usage)" } ?? command.operand
            lines.append("usage: ecs-netsetup \(command.rawValue)\(operand) [OPTION...]")
            lines.append("")
            lines.append((artefact?.summary ?? command.summary) + ".")
            if command == .generate, artefact == nil {
                lines += ["", "what:"] + columns(Artefact.all.map { ($0.usage, $0.summary) })
            }
        } else {
            lines += [
                "usage: ecs-netsetup COMMAND [OPTION...]",
                "",
                "Lets the containers of an Amazon ECS host reach their own credentials, and keeps",
                "them from the host's.",
                "",
                "commands:",
            ]
            lines += columns(Command.allCases.map { ($0.rawValue, $0.summary) })
        }
        lines += ["", command == .generate && artefact == nil ? "options, each where WHAT has it:" : "options:"]
        lines += columns(options(of: command, artefact).map { ($0.usage, $0.help(for: command)) })
        if command?.needsModes ?? true {
            lines += ["", "settings: \(HostPath.settings), where apply saves what it is given;", "options override it"]
        }
        let statuses = command?.exitStatuses ?? Command.exitStatuses
        let told = "exit status: " + statuses.map { "\($0.status) \($0.meaning)" }.joined(separator: ", ")
        lines += [""] + wrap(told, width: width)
        lines += [
            "",
            "example: \(artefact?.example ?? (command ?? .apply).example)",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func options(of command: Command?, _ artefact: Artefact?) -> [Option] {
        CommandTable.options.filter { option in
            guard command.map(option.belongs) ?? true else { return false }
            return artefact.map { $0.takes(option) || option.isAboutProgram } ?? true
        }
    }

    private static let width = 80

    /// Two columns, the second wrapped.
    private static func columns(_ rows: [(String, String)]) -> [String] {
        let left = min(rows.map(\.0.count).max() ?? 0, 30)
        return rows.flatMap { name, text in
            wrap(text, width: width - left - 4).enumerated().map { index, line in
                "  " + pad(index == 0 ? name : "", left) + "  " + line
            }
        }
    }

    static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}

/// Fills a text with blanks up to a width.
func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
}

extension Option {
    /// `-q, --quiet` or `--mode LIST`.
    var usage: String {
        (short.map { "-\($0), " } ?? "") + "--" + name + (argument.map { " " + $0 } ?? "")
    }

    /// What it does, as one command has it, or all.
    func summary(for command: Command?) -> String { command.flatMap { narrowed?($0) } ?? summary }

    /// The same with the default.
    func help(for command: Command?) -> String {
        summary(for: command) + (fallback.map { " (default \($0))" } ?? "")
    }
}
