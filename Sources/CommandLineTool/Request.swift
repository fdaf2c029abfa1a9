import Model

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

/// Where apply saves what it was given.
enum Persistence: String, CaseIterable {
    case none
}

/// What a command line asks for.
struct Request {
    var command: Command?
    var settings = Settings()
    var format = OutputFormat.text
    var color = ColorMode.auto
    var isQuiet = false
    var isVerbose = false
    var wantsHelp = false
    var wantsVersion = false
    /// The options that say what is desired, as they were given, so that advice can repeat them.
    var planningWords: [String] = []
    /// Whether `--bridge-interface` was given, so that the next one adds to it instead of replacing the default.
    var namesBridges = false
}
