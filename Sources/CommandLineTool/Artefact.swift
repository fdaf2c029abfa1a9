import Engine
import Model

/// Something that `generate` prints.
struct Artefact: Sendable {
    let name: String
    /// What it is, as help says.
    let summary: String
    /// The words that may stand behind its name; empty for none.
    var choices: [String] = []
    /// What help calls that word.
    var argument = ""
    /// The word that counts where none is given; nil where one is needed.
    var fallback: String?
    /// Whether an option says something about it.
    var takes: @Sendable (Option) -> Bool = { _ in false }
    /// Whether it needs to know the modes.
    var needsModes = false
    /// Its text, by the request and the word behind its name, which is empty where there is none.
    let text: @Sendable (Request, String, Engine) throws(Failure) -> String

    /// How help spells it: `man [8|5]`.
    var usage: String {
        if choices.isEmpty { return name }
        return "\(name) \(fallback == nil ? argument : "[\(argument)]")"
    }

    /// How it is typed, for example.
    var example: String {
        let words = [name, choices.first, needsModes ? Command.usualWords : nil].compactMap(\.self)
        return "ecs-netsetup generate \(words.joined(separator: " "))"
    }

    /// Everything that `generate` prints. Parsing, help, the manual and completion derive from this table.
    static let all = [
        Artefact(
            name: "completion", summary: "completion of commands and options, for a shell",
            choices: Completion.Shell.allCases.map(\.rawValue), argument: "bash|zsh|fish",
            text: { _, name, _ throws(Failure) in
                guard let shell = Completion.Shell(rawValue: name) else { return "" }
                return Completion.text(for: shell)
            }),
        Artefact(
            name: "man", summary: "the manual page: 8 of the program, 5 of its settings file",
            choices: Manual.sections, argument: Manual.sections.joined(separator: "|"), fallback: "8",
            text: { _, section, _ throws(Failure) in try Manual.page(of: section) }),
        Artefact(
            name: "unit", summary: "the systemd unit that applies the saved settings at boot",
            takes: { $0.name == "root" },
            text: { _, _, engine throws(Failure) in try engine.unit() }),
        Artefact(
            name: "user-data", summary: "a cloud-config that installs and applies before the ECS agent starts",
            takes: { $0.isSaved }, needsModes: true,
            text: { request, _, _ throws(Failure) in try UserData.text(for: request) }),
    ]

    /// The artefact that the words behind `generate` name, and the word behind its name.
    ///
    /// - Throws: a usage failure that names the word and what would be right.
    static func find(_ words: [String]) throws(Failure) -> (artefact: Artefact, choice: String) {
        let known = all.map(\.name)
        guard let name = words.first else {
            throw .usage("generate needs to know what", advice: "one of: \(known.joined(separator: ", "))")
        }
        guard let artefact = all.first(where: { $0.name == name }) else {
            throw .usage(
                "generate does not know '\(name)'",
                advice: Suggestion.text(for: name, among: known) ?? "it takes one of: \(known.joined(separator: ", "))")
        }
        return (artefact, try artefact.choice(words.dropFirst()))
    }

    private func choice(_ words: ArraySlice<String>) throws(Failure) -> String {
        let known = choices.joined(separator: ", ")
        if let stranger = words.dropFirst(choices.isEmpty ? 0 : 1).first {
            throw .usage("generate \(name) takes no argument '\(stranger)'", advice: "see ecs-netsetup generate --help")
        }
        guard let word = words.first ?? fallback ?? (choices.isEmpty ? "" : nil) else {
            throw .usage("generate \(name) needs \(argument)", advice: "one of: \(known)")
        }
        if !choices.isEmpty, !choices.contains(word) {
            throw .usage("generate \(name) does not know '\(word)'", advice: "it takes one of: \(known)")
        }
        return word
    }
}
