import Glibc
import Laboratory
import Model
import Planning
import TestSupport
import Testing

@testable import CommandLineTool

/// The completions, each in its own shell: `Tests/Consumers/complete.*` types a line and presses TAB.
@Suite("Completion")
struct CompletionTests {
    /// What a shell makes of a line.
    struct Answer {
        /// The words that it offers, without what stands before them with `=` or a comma.
        let words: Set<String>
        /// What stands on the line afterwards; nil for fish, which is only asked.
        let line: String?
    }

    private static let consumers = String(
        #filePath.dropLast("/CommandLineToolTests/CompletionTests.swift".utf8.count) + "/Consumers")

    /// Types a line and presses TAB.
    private static func complete(
        _ line: String, in shell: Completion.Shell, with text: String? = nil
    ) throws -> Answer {
        let folder = try FixtureRoot()
        let name = shell == .zsh ? "/_ecs-netsetup" : "/ecs-netsetup"
        try folder.write(text ?? Completion.text(for: shell), to: name)
        let script = "\(consumers)/complete.\(shell.rawValue)"
        let words =
            switch shell {
            case .bash: ["bash", script, folder.path + name, line]
            case .zsh: ["zsh", "-f", script, folder.path, line]
            case .fish: ["fish", "--no-config", script, folder.path + name, line]
            }
        let result = try Machine.execute(words, environment: ["LC_ALL=C.UTF-8", "HOME=\(folder.path)", "TERM=dumb"])
        try #require(result.errors.isEmpty, "\(shell.rawValue): \(result.errors)")
        let lines = result.output.split(separator: "\n").map(String.init)
        return Answer(
            words: Set(lines.filter { !$0.hasPrefix("=") }.map(offered)),
            line: lines.first { $0.hasPrefix("=") }.map { String($0.dropFirst()) })
    }

    /// The word of an answer's line: fish describes it behind a tab.
    private static func offered(_ line: String) -> String {
        let word = line.prefix { $0 != "\t" }
        let value = word.hasPrefix("--") ? word.split(separator: "=").last ?? "" : word
        return String(value.split(separator: ",").last ?? "")
    }

    private static func names(_ options: [Option]) -> Set<String> { Set(options.map { "--" + $0.name }) }

    @Test("offers every option of a command, and no other", arguments: Command.allCases, Completion.Shell.allCases)
    func options(_ command: Command, _ shell: Completion.Shell) throws {
        let words = try Self.complete("ecs-netsetup \(command.rawValue) --", in: shell).words
        if command != .generate {
            return #expect(words == Self.names(CommandTable.options.filter { $0.belongs(to: command) }))
        }
        for artefact in Artefact.all {
            let words = try Self.complete("ecs-netsetup generate \(artefact.name) --", in: shell).words
            #expect(words == Self.names(CommandTable.options.filter { artefact.takes($0) || $0.name == "help" }))
        }
    }

    /// An option, and a command that takes it with these words: `--format` at each.
    static let words: [(option: Option, command: Command)] = CommandTable.options.flatMap { option in
        let commands = Command.allCases.filter { option.belongs(to: $0) && !option.choices(for: $0).isEmpty }
        return (option.name == "format" ? commands : Array(commands.prefix(1))).map { (option, $0) }
    }

    @Test("offers the words that a value may be", arguments: Completion.Shell.allCases)
    func values(_ shell: Completion.Shell) throws {
        for (option, command) in Self.words {
            let expected = Set(option.choices(for: command))
            for equals in [" ", "="] {
                let line = "ecs-netsetup \(command.rawValue) --\(option.name)\(equals)"
                #expect(try Self.complete(line, in: shell).words == expected, "\(line)")
            }
        }
    }

    @Test("every word that a value may be is taken", arguments: words)
    func taken(_ option: Option, _ command: Command) throws {
        for word in option.choices(for: command) {
            var request = Request()
            try option.take(&request, word)
            try request.format.check(command)
        }
    }

    /// A line, what is offered, and what then stands there. What no machine offers alike is left out: nil.
    struct Case: CustomTestStringConvertible {
        let line: String
        var offered: Set<String>?
        var completed: String?

        var testDescription: String { line }
    }

    static let cases = [
        Case(line: "", offered: Set(Command.allCases.map(\.rawValue)), completed: ""),
        Case(line: "ver", offered: ["verify"], completed: "verify "),
        Case(line: "--", offered: ["--help", "--version"]),
        Case(line: "generate ", offered: Set(Artefact.all.map(\.name))),
        Case(line: "generate completion ", offered: ["bash", "zsh", "fish"]),
        Case(line: "generate completion z", offered: ["zsh"], completed: "generate completion zsh "),
        // Options before the command and beside it.
        Case(line: "--quiet --mode bridge ver", offered: ["verify"], completed: "--quiet --mode bridge verify "),
        Case(line: "--mode host apply --imds-a", offered: ["--imds-action"]),
        Case(line: "generate --root / uni", offered: ["unit"], completed: "generate --root / unit "),
        // Given once, or again.
        Case(line: "status --quiet --", offered: ["--wait", "--format", "--color", "--help", "--version"]),
        Case(line: "status -q --wait=3 --", offered: ["--format", "--color", "--help", "--version"]),
        Case(line: "diff --mode bridge --mo", offered: ["--mode"]),
        Case(line: "verify --ruleset a --rules", offered: ["--ruleset"]),
        Case(line: "apply --allow-imds=false --allow", offered: ["--allow-offhost-introspection"]),
        // Lists.
        Case(line: "apply --mode bridge,", offered: ["host", "awsvpc"]),
        Case(line: "apply --mode=host,bridge,", offered: ["awsvpc"]),
        // A switch, by its = only.
        Case(line: "apply --allow-imds=", offered: ["true", "false"]),
        Case(line: "apply --allow-imds=f", offered: ["false"], completed: "apply --allow-imds=false "),
        Case(line: "apply --restart-agent=", offered: []),
        // Files and folders.
        Case(line: "apply --plan /etc/os-rel", completed: "apply --plan /etc/os-release "),
        Case(line: "apply --plan=/etc/os-rel", completed: "apply --plan=/etc/os-release "),
        Case(line: "verify --root /etc/ssl/cert", completed: "verify --root /etc/ssl/certs/"),
        Case(line: "verify --root=/etc/os-rel", completed: "verify --root=/etc/os-rel"),
        // Nothing to say.
        Case(line: "apply --wait ", offered: [], completed: "apply --wait "),
        Case(line: "frobnicate ", offered: [], completed: "frobnicate "),
        Case(line: "generate frobnicate ", offered: [], completed: "generate frobnicate "),
    ]

    @Test("follows the line", arguments: cases, Completion.Shell.allCases)
    func line(_ this: Case, _ shell: Completion.Shell) throws {
        let answer = try Self.complete("ecs-netsetup " + this.line, in: shell)
        if let offered = this.offered { #expect(answer.words == offered) }
        if let completed = this.completed, let line = answer.line { #expect(line == "ecs-netsetup " + completed) }
    }

    @Test(
        "offers Docker's bridges and those of the machine",
        .enabled(if: getuid() == 0, "a network namespace needs root"), arguments: Completion.Shell.allCases)
    func bridges(_ shell: Completion.Shell) throws {
        let namespace = try Namespace("host", hasMounts: true)
        try namespace.require(["ip", "link", "add", "ecs-test0", "type", "bridge"])
        // The names of its own interfaces, not of the machine's.
        try namespace.require(["mount", "-t", "sysfs", "none", "/sys"])
        let words = try namespace.run {
            try Self.complete("ecs-netsetup apply --bridge-interface br-+,", in: shell).words
        }
        #expect(words == ["docker+", "ecs-test0"])
    }

    @Test("is sound to its shell", arguments: Completion.Shell.allCases)
    func sound(_ shell: Completion.Shell) throws {
        let text = Completion.text(for: shell)
        let checks =
            switch shell {
            case .bash: [["bash", "-n"], ["shellcheck", "--shell=bash", "-"]]
            case .zsh: [["zsh", "-n"]]
            case .fish: [["fish", "--no-execute"]]
            }
        for words in checks {
            let result = try Machine.execute(words, input: text)
            #expect(result.status == 0 && result.errors.isEmpty, "\(words): \(result.output)\(result.errors)")
            // A quote that is open, at the end and so whatever the shell.
            #expect(try Machine.execute(words, input: text + "echo 'open\n").status != 0, "\(words) takes anything")
        }
    }

    @Test("describes every word, in zsh and fish")
    func descriptions() throws {
        for shell in [Completion.Shell.zsh, .fish] {
            let text = Completion.text(for: shell)
            for summary in Command.allCases.map(\.summary) + CommandTable.options.map({ $0.summary(for: .verify) }) {
                #expect(text.contains(summary.prefix { $0 != "'" }), "\(shell): \(summary)")
            }
        }
    }

    @Test("is loaded by the package bash-completion where it looks")
    func loaded() throws {
        let folder = try FixtureRoot()
        try folder.write(Completion.text(for: .bash), to: "/bash-completion/completions/ecs-netsetup")
        let script =
            ". /usr/share/bash-completion/bash_completion; _completion_loader ecs-netsetup; complete -p ecs-netsetup"
        let result = try Machine.execute(
            ["bash", "--norc", "-c", script], environment: ["XDG_DATA_HOME=\(folder.path)"])
        #expect(result.output == "complete -F _ecs_netsetup ecs-netsetup\n", "\(result.errors)")
    }

    @Test("without it, a shell offers nothing of ours", arguments: Completion.Shell.allCases)
    func control(_ shell: Completion.Shell) throws {
        let words = try Self.complete("ecs-netsetup apply --", in: shell, with: "# nothing\n").words
        #expect(words.isDisjoint(with: Self.names(CommandTable.options)))
    }
}
