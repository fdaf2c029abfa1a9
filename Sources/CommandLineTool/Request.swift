import Model
import Planning

/// A command of this program.
enum Command: String, CaseIterable {
    case apply
    case diff
    case verify
    case remove
    case status
    case generate
}

/// How the answer is written.
enum OutputFormat: String, CaseIterable {
    case text
    case json
    case junit
    case sarif
    case tap
    case prometheus

    /// Whether it has a place for checks only.
    private var isForChecks: Bool { self != .text && self != .json }

    /// The formats that a command's answer fits into.
    static func names(for command: Command) -> [String] {
        allCases.filter { command == .verify || !$0.isForChecks }.map(\.rawValue)
    }

    /// Refuses a format that a command's answer does not fit into.
    func check(_ command: Command) throws(Failure) {
        let names = Self.names(for: command)
        if names.contains(rawValue) { return }
        let known = names.joined(separator: ", ")
        throw .usage(
            "\(command.rawValue) does not write \(rawValue), only verify does",
            advice: "\(command.rawValue) takes one of: \(known)")
    }
}

/// When colours are used.
enum ColorMode: String, CaseIterable {
    case auto
    case always
    case never
}

/// A file that says what a command line does not.
enum InputFile {
    /// The settings file below a folder; nil for that of this machine.
    case settings(root: String?)
    /// A plan, by its path as it was given.
    case plan(String)
}

/// What a command line asks for, together with the settings file.
struct Request {
    var command: Command?
    /// What to generate, and the word behind its name.
    var artefact: (artefact: Artefact, choice: String)?
    var settings = Settings()
    var format = OutputFormat.text
    var color = ColorMode.auto
    var isQuiet = false
    var isVerbose = false
    var wantsHelp = false
    var wantsVersion = false
    /// The image to work on; nil for this machine.
    var root: String?
    /// The files with captured rules; empty for looking at a kernel.
    var rulesets: [String] = []
    /// Whether verify sends packets.
    var probes = false
    /// How long it waits for what becomes of them, in milliseconds.
    var probeTimeout = 1000
    /// The options that say what is desired, as they were given, so that advice can repeat them.
    var planningWords: [String] = []
    /// The same with what else is saved, and without `--root`, for a plan.
    private(set) var planWords: [String] = []
    /// Where the plan is written; nil for nowhere.
    var planOut: String?
    /// Where the plan to carry out is; nil for none.
    var planPath: String?
    /// That plan.
    var plan: PlanFile?
    /// What goes into the settings file: what the command line says beyond it.
    var saved: [PersistencePlan.SavedSetting] = []

    init() {}

    /// What a command line asks for; where it is silent, what the settings file says.
    ///
    /// - Parameters:
    ///   - words: those after the program's name.
    ///   - read: reads a file; called for the commands that need it. nil where there is none.
    /// - Throws: a usage failure that names the word, or the line of a file, and what would be right.
    static func parse(
        _ words: [String], reading read: (InputFile) throws(Failure) -> FileContents?
    ) throws(Failure) -> Request {
        var line = try ArgumentParser.parse(words)
        var request = Request()
        try request.take(line)
        if request.wantsHelp || request.wantsVersion {
            if line.command == .generate, !line.operands.isEmpty { request.artefact = try Artefact.find(line.operands) }
            return request
        }
        let command = try ArgumentParser.check(line)
        try request.format.check(command)
        if command == .generate { return try request.generating(line) }
        if let path = request.planPath {
            guard let contents = try read(.plan(path)) else {
                throw .usage("there is no plan \(path)", advice: "make one with diff --out \(path)")
            }
            let plan = try PlanFile(contents.bytes, path: path)
            let planned = try plan.words(beside: line)
            line = line.adding(planned)
            request = Request()
            try request.take(line)
            request.plan = plan
            request = try request.completed(line, reading: read)
            // What the command line adds is for this time only.
            request.saved.removeAll { entry in !planned.values.contains { $0.option.settingsKey == entry.key } }
            return request
        }
        guard command.needsModes else { return request }
        if request.probes, request.root != nil || !request.rulesets.isEmpty {
            throw .usage(
                "--probe does not go with --\(request.root == nil ? "ruleset" : "root")",
                advice: "only a running host has a network to probe")
        }
        if request.planOut == "-" {
            throw .usage("--out takes no '-'", advice: "name a file: the answer itself goes to standard output")
        }
        if request.planOut != nil, !request.rulesets.isEmpty {
            throw .usage("--out does not go with --ruleset", advice: "a plan is made on the host, or with --root alone")
        }
        return try request.completed(line, reading: read)
    }

    /// With what to generate. No settings file counts: what is made is for another host.
    private func generating(_ line: CommandLineWords) throws(Failure) -> Request {
        var request = self
        let (artefact, choice) = try Artefact.find(line.operands)
        if let stranger = line.values.first(where: { !artefact.takes($0.option) }) {
            throw .usage(
                "generate \(artefact.name) does not take --\(stranger.option.name)",
                advice: "see ecs-netsetup generate --help")
        }
        if artefact.needsModes, settings.modes.isEmpty {
            throw .usage(
                "generate \(artefact.name) needs --mode",
                advice: "for example: ecs-netsetup generate \(artefact.name) \(Command.usualWords)")
        }
        request.artefact = (artefact, choice)
        return request
    }

    /// With what the settings file says where the command line is silent.
    private func completed(
        _ line: CommandLineWords, reading read: (InputFile) throws(Failure) -> FileContents?
    ) throws(Failure) -> Request {
        var request = self
        if readsSettings, let contents = try read(.settings(root: root)) {
            var saved = Request()
            for entry in try SettingsFile(contents, path: (root ?? "") + HostPath.settings).entries {
                try entry.apply(to: &saved)
            }
            request = saved
            try request.take(line)
            request.plan = plan
            // Nothing to save where the file says the same.
            saved.settings.restartsAgent = request.settings.restartsAgent
            saved.settings.acceptsOldAgent = request.settings.acceptsOldAgent
            if saved.settings == request.settings { request.saved = [] }
        }
        if request.settings.modes.isEmpty {
            let name = line.command?.rawValue ?? ""
            let planned = request.planningWords
            let words = [planned.contains("--bridge-interface") ? "--mode bridge" : Command.usualWords] + planned
            throw .usage(
                "\(name) needs --mode"
                    + (request.readsSettings
                        ? ", or MODE in \(HostPath.settings)"
                        : ", as --ruleset looks at no settings file without --root"),
                advice: "for example: ecs-netsetup \(name) \(words.joined(separator: " "))")
        }
        // Of the files that make it last, none is there to look at.
        if !request.readsSettings { request.settings.persistence = Mechanism.none }
        return request
    }

    /// Whether there is a settings file to look at.
    private var readsSettings: Bool { rulesets.isEmpty || root != nil }

    private mutating func take(_ line: CommandLineWords) throws(Failure) {
        command = line.command
        for (option, values) in line.values {
            if option.isRepeated {
                for value in values { try option.take(&self, value) }
                continue
            }
            let value = option.isList ? values.joined(separator: ",") : values.last ?? ""
            try option.take(&self, value)
            let words = values.flatMap(option.words)
            let isPlanning = option.isPlanning || option.name == "root"
            if isPlanning { planningWords += words }
            if option.isPlanning || option.isSaved { planWords += words }
            if let key = option.settingsKey { saved.append(.init(key: key, value: value.isEmpty ? "true" : value)) }
        }
    }

    /// The command that mends a check, as a person types it.
    func command(for mend: Check.Mend) -> String {
        switch mend {
        case .apply: (["ecs-netsetup apply"] + planningWords).joined(separator: " ")
        case .applyWith(let option, let value):
            (["ecs-netsetup apply"] + words(without: option) + ["--\(option)", value]).joined(separator: " ")
        case .command(let text): text
        }
    }

    /// The options that say what is desired, without one that has values.
    private func words(without option: String) -> [String] {
        var words: [String] = []
        var isValue = false
        for word in planningWords {
            if !isValue, word != "--\(option)" { words.append(word) }
            isValue = word == "--\(option)"
        }
        return words
    }

    /// Whether what persistence depends on is looked at.
    var readsDisk: Bool { command == .remove || settings.persistence != Mechanism.none }
}
