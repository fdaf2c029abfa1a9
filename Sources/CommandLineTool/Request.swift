import Model
import Planning

/// A command of this program.
enum Command: String, CaseIterable {
    case apply
    case diff
    case verify
    case remove
    case status
}

/// How the answer is written.
enum OutputFormat: String, CaseIterable {
    case text
    case json
}

/// When colours are used.
enum ColorMode: String, CaseIterable {
    case auto
    case always
    case never
}

/// What a command line asks for, together with the settings file.
struct Request {
    var command: Command?
    var settings = Settings()
    var format = OutputFormat.text
    var color = ColorMode.auto
    var isQuiet = false
    var isVerbose = false
    var wantsHelp = false
    var wantsVersion = false
    /// The image to work on; nil for this machine.
    var root: String?
    /// The options that say what is desired, as they were given, so that advice can repeat them.
    var planningWords: [String] = []
    /// What goes into the settings file: what the command line says beyond it.
    var saved: [PersistencePlan.SavedSetting] = []

    init() {}

    /// What a command line asks for; where it is silent, what the settings file says.
    ///
    /// - Parameters:
    ///   - words: those after the program's name.
    ///   - settings: reads the settings file, below a folder or of this machine; called for the commands that need it.
    /// - Throws: a usage failure that names the word, or the line of the file, and what would be right.
    static func parse(
        _ words: [String], settings read: (String?) throws(Failure) -> FileContents?
    ) throws(Failure) -> Request {
        let line = try ArgumentParser.parse(words)
        var request = Request()
        try request.take(line)
        if request.wantsHelp || request.wantsVersion { return request }
        let command = try ArgumentParser.check(line)
        guard command.needsModes else { return request }
        if let contents = try read(request.root) {
            var saved = Request()
            for entry in try SettingsFile(contents, path: (request.root ?? "") + HostPath.settings).entries {
                try entry.apply(to: &saved)
            }
            request = saved
            try request.take(line)
            // Nothing to save where the file says the same.
            saved.settings.restartsAgent = request.settings.restartsAgent
            saved.settings.acceptsOldAgent = request.settings.acceptsOldAgent
            if saved.settings == request.settings { request.saved = [] }
        }
        if request.settings.modes.isEmpty {
            throw .usage(
                "\(command.rawValue) needs --mode, or MODE in \(HostPath.settings)",
                advice:
                    "for example: \((["ecs-netsetup", command.rawValue, "--mode bridge"] + request.planningWords).joined(separator: " "))"
            )
        }
        return request
    }

    private mutating func take(_ line: CommandLineWords) throws(Failure) {
        command = line.command
        for (option, values) in line.values {
            let value = option.isList ? values.joined(separator: ",") : values.last ?? ""
            try option.take(&self, value)
            if option.isPlanning || option.name == "root" { planningWords += values.flatMap(option.words) }
            if let key = option.settingsKey { saved.append(.init(key: key, value: value.isEmpty ? "true" : value)) }
        }
    }

    /// The command that mends a check, as a person types it.
    func command(for mend: Check.Mend) -> String {
        switch mend {
        case .apply: (["ecs-netsetup apply"] + planningWords).joined(separator: " ")
        case .command(let text): text
        }
    }

    /// Whether what persistence depends on is looked at.
    var readsDisk: Bool { command == .remove || settings.persistence != Mechanism.none }
}
