import Model
import Planning

/// The manual pages, in mdoc(7): tables printed from those that the program runs by, prose by hand.
enum Manual {
    /// The sections that there are, and which page is in them: 8 the program, 5 its settings file.
    static let sections = ["8", "5"]

    static func page(of section: String) throws(Failure) -> String {
        Mdoc.wrapped(section == "5" ? SettingsManual.page : try ToolManual.page())
    }

    /// The first lines of a page.
    static func head(_ name: String, section: String) -> String {
        """
        .\\" Printed by: ecs-netsetup generate man \(section)
        .Dd \(Tool.versionDate)
        .Dt \(name.uppercased()) \(section)
        .Os
        """
    }

    /// The options in a list, each with its prose, its default, and the commands that take it where that is not obvious.
    ///
    /// - Parameter usual: those whose options these are.
    static func entries(of options: [Option], usual: [Command]) -> String {
        options.map { option in
            var lines = [".It \(Mdoc.option(option))"]
            lines.append(OptionProse.texts[option.name] ?? Mdoc.sentence(option.summary))
            if let fallback = option.fallback { lines.append("Default: \(Mdoc.text(fallback)).") }
            lines += takers(of: option, usual: usual)
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private static func takers(of option: Option, usual: [Command]) -> [String] {
        // What generate takes is said with what it prints.
        let commands = Command.allCases.filter { ($0 != .generate || !option.isSaved) && option.belongs(to: $0) }
        if commands == usual { return [] }
        let more = commands.filter { !usual.contains($0) }
        let isMore = !usual.isEmpty && usual.allSatisfy(commands.contains)
        return isMore
            ? ["Also with", Mdoc.list(more.map(\.rawValue)) + " ."]
            : ["With", Mdoc.list(commands.map(\.rawValue)) + "\nonly."]
    }

    static func statuses(_ statuses: [(status: CInt, meaning: String)]) -> String {
        statuses.map { ".It \($0.status)\n\(Mdoc.sentence($0.meaning))" }.joined(separator: "\n")
    }
}
