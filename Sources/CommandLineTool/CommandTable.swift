import Model

/// An option, with all that parsing and help need.
struct Option: Sendable {
    let name: String
    /// A letter, as in `-q`; nil for none.
    var short: Character?
    /// What help calls its value; nil for an option without one.
    var argument: String?
    let summary: String
    /// The same for one command, where that takes less; nil where it is the same for all.
    var narrowed: (@Sendable (Command) -> String)?
    /// What its value may be, as far as it can be told beforehand.
    var value = Value.free
    /// What holds without it, as help says.
    var fallback: String?
    /// The commands that take it; empty for all.
    var commands: [Command] = []
    /// Whether it takes several values, with commas or by being repeated.
    var isList = false
    /// Whether it is taken once for each time it is given.
    var isRepeated = false
    /// Whether the settings file has it too. An option without a value is `true` or `false` there.
    var isSaved = false
    /// Puts the value into the request. The value is empty for an option without one.
    let take: @Sendable (inout Request, String) throws(Failure) -> Void

    /// What the value of an option may be.
    enum Value: Sendable {
        /// What nobody can tell beforehand, such as a number.
        case free
        /// One of the words that a command takes; with `isList`, any of them.
        case words(@Sendable (Command) -> [String])
        case file
        case folder
        /// Bridges of this machine, or patterns for them.
        case bridges

        /// Every word of a type, and some more.
        static func all<Words: RawRepresentable<String> & CaseIterable>(
            _: Words.Type, also others: [String] = []
        ) -> Value {
            let words = Words.allCases.map(\.rawValue) + others
            return .words { _ in words }
        }
    }

    /// The words that its value may be; empty where there are too many to name.
    func choices(for command: Command) -> [String] {
        if case .words(let words) = value { words(command) } else { [] }
    }

    /// Whether it says what is desired, as opposed to how to go about it or how to print.
    var isPlanning: Bool { commands.contains(.diff) && commands.contains(.apply) && !commands.contains(.remove) }

    /// Whether it says how the answer is written.
    var isForOutput: Bool { ["format", "color", "quiet", "verbose"].contains(name) }

    /// Whether it asks for no work, but what the program is.
    var isAboutProgram: Bool { ["help", "version"].contains(name) }

    /// Its key in the settings file; nil for an option that is not saved.
    var settingsKey: String? { isSaved ? String(name.uppercased().map { $0 == "-" ? "_" : $0 }) : nil }

    /// The words that give it, with one of its values.
    @Sendable func words(for value: String) -> [String] {
        argument == nil ? [value.isEmpty ? "--\(name)" : "--\(name)=\(value)"] : ["--\(name)", value]
    }

    func belongs(to command: Command) -> Bool { commands.isEmpty || commands.contains(command) }
}

extension Command {
    /// What it does, as help says.
    var summary: String {
        switch self {
        case .apply: "make the host match"
        case .diff: "print what apply would change; change nothing"
        case .verify: "check the host; exit 1 where it does not match"
        case .remove: "take back exactly what apply did"
        case .status: "show what is live, with packet counters"
        case .generate: "print a file to install: \(Artefact.all.map(\.name).joined(separator: ", "))"
        }
    }

    /// What its exit status tells.
    var exitStatuses: [(status: CInt, meaning: String)] {
        let own: [(status: CInt, meaning: String)] =
            switch self {
            case .apply: [(0, "the host matches now"), (2, "it could not be done")]
            case .diff: [(0, "there is no difference"), (1, "there is"), (2, "it could not be told")]
            case .verify: [(0, "every check passed"), (1, "one failed"), (2, "it could not be told")]
            case .remove: [(0, "nothing of ours is left"), (2, "it could not be done")]
            case .status: [(0, "it was told"), (2, "it could not be told")]
            case .generate: [(0, "it was printed"), (2, "it could not be printed")]
            }
        return own + [(64, "wrong usage")]
    }

    /// What the exit status tells of any command.
    static let exitStatuses: [(status: CInt, meaning: String)] = [
        (0, "the host matches"), (1, "it does not"), (2, "trouble"), (64, "wrong usage"),
    ]

    /// What stands behind it, as help says; empty for nothing.
    var operand: String { self == .generate ? " WHAT" : "" }

    /// How it is typed, for example.
    var example: String {
        "ecs-netsetup \(rawValue)" + (needsModes ? " \(Self.usualWords)" : self == .generate ? " unit" : "")
    }

    /// What most hosts want: user-defined Docker networks are on bridges of other names.
    static let usualWords = "--mode bridge --bridge-interface docker+,br-+"

    /// Whether it needs to know the modes.
    var needsModes: Bool { self == .apply || self == .diff || self == .verify }
}

/// Every command and option. Parsing and help derive from this table.
enum CommandTable {
    private static let planning: [Command] = [.apply, .diff, .verify]

    /// Those that take what can be saved.
    private static let settling = planning + [.generate]

    /// Those that look at a host.
    private static let looking = planning + [.remove, .status]

    static let options: [Option] = ruleOptions + hostOptions + outputOptions

    private static let ruleOptions: [Option] = [
        Option(
            name: "mode", argument: "LIST",
            summary: "network modes of the tasks: bridge, host, awsvpc; commas or repeated",
            value: .all(Mode.self), fallback: "from the settings file", commands: settling, isList: true, isSaved: true,
            take: { request, value throws(Failure) in request.settings.modes = try parseModes(value) }),
        Option(
            name: "bridge-interface", argument: "PATTERN",
            summary: "bridges whose containers are kept from IMDS; commas or repeated; '+' at the end is a wildcard",
            value: .bridges, fallback: "docker+", commands: settling, isList: true, isSaved: true,
            take: { request, value throws(Failure) in request.settings.bridgeInterfaces = try parsePatterns(value) }),
        Option(
            name: "imds-placement", argument: "WHERE",
            summary:
                "early: before everybody's filter rules; documented: filter FORWARD at position 1, as in Amazon's manual",
            value: .all(MetadataPlacement.self), fallback: "early", commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.metadataPlacement = try parse(value, "--imds-placement")
            }),
        Option(
            name: "imds-action", argument: "ACTION",
            summary:
                "drop, or reject: answer at once with a TCP reset or ICMP error (iptables: documented placement only)",
            value: .all(MetadataAction.self), fallback: "drop", commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.metadataAction = try parse(value, "--imds-action")
            }),
        Option(
            name: "allow-imds", summary: "leave the rules against IMDS out", commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.allowsMetadata = try parseFlag(value, "--allow-imds")
            }),
        Option(
            name: "allow-offhost-introspection", summary: "leave the agent's introspection port open to other hosts",
            commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.allowsOffhostIntrospection = try parseFlag(value, "--allow-offhost-introspection")
            }),
        Option(
            name: "no-localhost-guard", summary: "leave services on 127.0.0.1 open to neighbours (CVE-2020-8558)",
            commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.guardsLocalhost = try !parseFlag(value, "--no-localhost-guard")
            }),
    ]

    private static let hostOptions: [Option] = [
        Option(
            name: "backend", argument: "KIND",
            summary: "nftables, iptables (the legacy kernel interface), or auto: where live rules are",
            value: .all(BackendKind.self, also: ["auto"]), fallback: "auto", commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.backend = value == "auto" ? nil : try parse(value, "--backend", also: ["auto"])
            }),
        Option(
            name: "persist", argument: "MECHANISM",
            summary:
                "what brings the rules back at boot: systemd, iptables-services, netfilter-persistent, none, or auto: what fits the host; with none, no file is written, not even ecs.config",
            value: .all(Mechanism.self, also: ["auto"]), fallback: "auto", commands: settling, isSaved: true,
            take: { request, value throws(Failure) in
                request.settings.persistence = value == "auto" ? nil : try parse(value, "--persist", also: ["auto"])
            }),
        Option(
            name: "root", argument: "DIR", summary: "work on an image below this folder: files only, no kernel",
            value: .folder, fallback: "/", commands: planning + [.remove, .generate],
            take: { request, value in request.root = value }),
        Option(
            name: "out", argument: "FILE", summary: "also write the changes to a plan, for apply --plan",
            value: .file, commands: [.diff], take: { request, value in request.planOut = value }),
        Option(
            name: "plan", argument: "FILE",
            summary: "carry out the plan that diff --out made, just as it is; refused where the host has changed since",
            value: .file, commands: [.apply], take: { request, value in request.planPath = value }),
        Option(
            name: "ruleset", argument: "FILE",
            summary:
                "look at captured rules instead of this machine: what iptables-save, ip6tables-save or nft -j list ruleset printed; repeated; - is standard input",
            value: .file, commands: [.diff, .verify], isRepeated: true,
            take: { request, value in request.rulesets.append(value) }),
        Option(
            name: "restart-agent", summary: "restart the ECS agent if its configuration is newer",
            commands: [.apply, .remove], take: { request, _ in request.settings.restartsAgent = true }),
        Option(
            name: "force-old-agent", summary: "go on where the running ECS agent is too old for the mode",
            commands: [.apply, .diff], take: { request, _ in request.settings.acceptsOldAgent = true }),
        Option(
            name: "probe", summary: "also prove it by packets, from short-lived namespaces joined to the bridges",
            commands: [.verify], take: { request, _ in request.probes = true }),
        Option(
            name: "probe-timeout", argument: "MILLISECONDS",
            summary: "how long to wait for what becomes of a packet", fallback: "1000", commands: [.verify],
            take: { request, value throws(Failure) in request.probeTimeout = try parseMilliseconds(value) }),
        Option(
            name: "wait", argument: "SECONDS", summary: "how long to wait for the xtables lock and for other writers",
            fallback: "5", commands: looking + [.generate], isSaved: true,
            take: { request, value throws(Failure) in request.settings.wait = try parseSeconds(value) }),
    ]

    private static let outputOptions: [Option] = [
        Option(
            name: "format", argument: "FORMAT",
            summary: "how the answer is written: text or json; verify also: junit, sarif, tap, prometheus",
            narrowed: { "how the answer is written: \(OutputFormat.names(for: $0).joined(separator: ", "))" },
            value: .words { OutputFormat.names(for: $0) },
            fallback: "text", commands: looking,
            take: { request, value throws(Failure) in request.format = try parse(value, "--format") }),
        Option(
            name: "color", argument: "WHEN", summary: "auto, always or never; NO_COLOR is honoured",
            value: .all(ColorMode.self), fallback: "auto",
            commands: looking,
            take: { request, value throws(Failure) in request.color = try parse(value, "--color") }),
        Option(
            name: "quiet", short: "q", summary: "print errors only", commands: looking,
            take: { request, _ in request.isQuiet = true }),
        Option(
            name: "verbose", short: "v", summary: "also say why this backend and this mechanism",
            commands: planning + [.remove],
            take: { request, _ in request.isVerbose = true }),
        Option(
            name: "help", short: "h", summary: "print this help, or a command's",
            take: { request, _ in request.wantsHelp = true }),
        Option(
            name: "version", summary: "print the version",
            take: { request, _ in request.wantsVersion = true }),
    ]

    private static func parse<Value: RawRepresentable<String> & CaseIterable>(
        _ text: String, _ option: String, also others: [String] = []
    ) throws(Failure) -> Value {
        if let value = Value(rawValue: text) { return value }
        let known = (Value.allCases.map(\.rawValue) + others).joined(separator: ", ")
        throw .usage("\(option) does not know '\(text)'", advice: "it takes one of: \(known)")
    }

    private static func parseModes(_ text: String) throws(Failure) -> [Mode] {
        try parseList(text, "--mode", example: "bridge,host") { word throws(Failure) in try parse(word, "--mode") }
    }

    private static func parsePatterns(_ text: String) throws(Failure) -> [InterfacePattern] {
        try parseList(text, "--bridge-interface", example: "docker+,br-+") { word throws(Failure) in
            try InterfacePattern(word)
        }
    }

    /// The entries of a list, each once.
    private static func parseList<Value: Equatable>(
        _ text: String, _ option: String, example: String, _ read: (String) throws(Failure) -> Value
    ) throws(Failure) -> [Value] {
        var values: [Value] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            if word.isEmpty {
                throw .usage("\(option) '\(text)' has an empty entry", advice: "give a list such as \(example)")
            }
            let value = try read(String(word))
            if !values.contains(value) { values.append(value) }
        }
        return values
    }

    /// An option without a value says yes; the settings file, or `--option=false`, says it in a word.
    private static func parseFlag(_ text: String, _ option: String) throws(Failure) -> Bool {
        switch text {
        case "", "true": return true
        case "false": return false
        default: throw .usage("\(option) does not know '\(text)'", advice: "it takes true or false")
        }
    }

    /// A day: nobody waits longer for a lock on purpose.
    private static let longestWait = 86400

    /// A minute: what has not happened by then does not.
    private static let longestProbe = 60_000

    private static func parseMilliseconds(_ text: String) throws(Failure) -> Int {
        guard let milliseconds = Int(text), (1...longestProbe).contains(milliseconds) else {
            throw .usage(
                "--probe-timeout does not take '\(text)'", advice: "give whole milliseconds from 1 to \(longestProbe)")
        }
        return milliseconds
    }

    private static func parseSeconds(_ text: String) throws(Failure) -> Int {
        guard let seconds = Int(text), (0...longestWait).contains(seconds) else {
            throw .usage(
                "--wait does not take '\(text)'", advice: "give whole seconds from 0 to \(longestWait)")
        }
        return seconds
    }
}
