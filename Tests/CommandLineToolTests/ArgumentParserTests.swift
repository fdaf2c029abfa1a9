import Model
import Testing

@testable import CommandLineTool

@Suite("The command line")
struct ArgumentParserTests {
    /// An option in both spellings, and what it must have done.
    struct Given: CustomTestStringConvertible {
        let name: String
        let value: String
        /// A command that takes it.
        let command: Command
        let hasTaken: @Sendable (Request) -> Bool

        init(
            _ name: String, _ value: String, for command: Command = .apply,
            _ hasTaken: @escaping @Sendable (Request) -> Bool
        ) {
            (self.name, self.value, self.command, self.hasTaken) = (name, value, command, hasTaken)
        }

        var testDescription: String { "--\(name) \(value)" }
    }

    static let values = [
        Given("mode", "host") { $0.settings.modes == [.bridge, .host] },
        Given("bridge-interface", "br-+,docker0") {
            $0.settings.bridgeInterfaces.map(\.description) == ["br-+", "docker0"]
        },
        Given("mode", "host,awsvpc,host") { $0.settings.modes == [.bridge, .host, .awsvpc] },
        Given("bridge-interface", "br-+") { $0.settings.bridgeInterfaces.map(\.description) == ["br-+"] },
        Given("backend", "nftables") { $0.settings.backend == .nftables },
        Given("backend", "iptables") { $0.settings.backend == .iptables },
        Given("backend", "auto") { $0.settings.backend == nil },
        Given("imds-placement", "early") { $0.settings.metadataPlacement == .early },
        Given("imds-placement", "documented") { $0.settings.metadataPlacement == .documented },
        Given("imds-action", "drop") { $0.settings.metadataAction == .drop },
        Given("imds-action", "reject") { $0.settings.metadataAction == .reject },
        Given("wait", "0") { $0.settings.wait == 0 },
        Given("wait", "86400") { $0.settings.wait == 86400 },
        Given("format", "text") { $0.format == .text },
        Given("format", "json") { $0.format == .json },
        Given("color", "auto") { $0.color == .auto },
        Given("color", "always") { $0.color == .always },
        Given("color", "never") { $0.color == .never },
        Given("persist", "none") { $0.settings.persistence == Mechanism.none && !$0.readsDisk },
        Given("persist", "systemd") { $0.settings.persistence == .systemd && $0.readsDisk },
        Given("persist", "auto") { $0.settings.persistence == nil && $0.readsDisk },
        Given("probe-timeout", "1", for: .verify) { $0.probeTimeout == 1 },
        Given("probe-timeout", "60000", for: .verify) { $0.probeTimeout == 60000 },
        Given("root", "/image") { $0.root == "/image" },
        Given("out", "plan.json", for: .diff) { $0.planOut == "plan.json" },
    ]

    private static func parse(_ words: [String]) throws -> Request { try Request.parse(words) { _ in nil } }

    @Test("takes a value as the next word and behind an equals sign", arguments: values)
    func value(_ given: Given) throws {
        for words in [["--\(given.name)", given.value], ["--\(given.name)=\(given.value)"]] {
            let request = try Self.parse([given.command.rawValue, "--mode", "bridge"] + words)
            #expect(given.hasTaken(request), "\(words)")
            #expect(request.command == given.command)
        }
    }

    static let flags = [
        Given("allow-imds", "") { $0.settings.allowsMetadata },
        Given("allow-offhost-introspection", "") { $0.settings.allowsOffhostIntrospection },
        Given("no-localhost-guard", "") { !$0.settings.guardsLocalhost },
        Given("probe", "", for: .verify) { $0.probes },
        Given("restart-agent", "") { $0.settings.restartsAgent },
        Given("force-old-agent", "") { $0.settings.acceptsOldAgent },
        Given("quiet", "q") { $0.isQuiet },
        Given("verbose", "v") { $0.isVerbose },
        Given("help", "h") { $0.wantsHelp },
        Given("version", "") { $0.wantsVersion },
    ]

    @Test("takes a flag by its name and by its letter, off without it", arguments: flags)
    func flag(_ given: Given) throws {
        let words = [given.command.rawValue, "--mode", "bridge"]
        #expect(!given.hasTaken(try Self.parse(words)))
        #expect(given.hasTaken(try Self.parse(words + ["--\(given.name)"])))
        if !given.value.isEmpty { #expect(given.hasTaken(try Self.parse(words + ["-\(given.value)"]))) }
        let failure = try #require(throws: Failure.self) { try Self.parse(words + ["--\(given.name)=1"]) }
        let isSaved = CommandTable.options.contains { $0.name == given.name && $0.isSaved }
        #expect(failure.subject == (isSaved ? "--\(given.name) does not know '1'" : "--\(given.name) takes no value"))
        if isSaved { #expect(!given.hasTaken(try Self.parse(words + ["--\(given.name)", "--\(given.name)=false"]))) }
    }

    /// Those whose value is a file that is read; tests of their own cover them.
    static let files: Set = ["plan", "ruleset"]

    @Test("the tables above name every option")
    func everyOption() {
        #expect(Set((Self.values + Self.flags).map(\.name)).union(Self.files) == Set(CommandTable.options.map(\.name)))
    }

    @Test("captured rules are given file by file, and leave this machine's settings alone")
    func rulesets() throws {
        func parse(_ words: [String]) throws(Failure) -> Request {
            try Request.parse(["verify", "--ruleset", "a,b", "--ruleset=-"] + words) { file throws(Failure) in
                if case .settings(let root) = file { #expect(root == "/image") }
                return FileContents(text: "MODE=host\n", mode: 0o644)
            }
        }
        let request = try parse(["--mode", "bridge"])
        #expect(request.rulesets == ["a,b", "-"] && request.planningWords == ["--mode", "bridge"])
        #expect(!request.readsDisk)
        let image = try parse(["--root", "/image"])
        #expect(image.settings.modes == [.host] && image.readsDisk)
        let failure = try #require(throws: Failure.self) { try parse([]) }
        #expect(failure.kind == .usage && failure.subject.contains("without --root"))
        #expect(throws: Failure.self) { try Self.parse(["apply", "--mode=host", "--ruleset", "a"]) }
        #expect(throws: Failure.self) { try Self.parse(["diff", "--mode=host", "--ruleset", "a", "--out", "b"]) }
    }

    @Test("takes commands, and options before them", arguments: Command.allCases)
    func command(_ command: Command) throws {
        let words = command.needsModes ? ["--mode=bridge"] : []
        let operands = command == .generate ? ["unit"] : []
        #expect(try Self.parse(words + [command.rawValue] + operands).command == command)
        #expect(try Self.parse([command.rawValue] + operands + words).command == command)
    }

    @Test("the first bridge pattern replaces the default, the next ones add to it, once each")
    func bridges() throws {
        func patterns(_ words: String...) throws -> [String] {
            try Self.parse(["apply", "--mode=bridge"] + words.map { "--bridge-interface=" + $0 })
                .settings.bridgeInterfaces.map(\.description)
        }
        #expect(try patterns() == ["docker+"])
        #expect(try patterns("br0") == ["br0"])
        #expect(try patterns("br0", "docker+", "br0") == ["br0", "docker+"])
    }

    @Test("modes add up over repeated options, in the order given, once each")
    func modes() throws {
        let request = try Self.parse(["diff", "--mode", "host", "--mode=bridge,host"])
        #expect(request.settings.modes == [.host, .bridge])
    }

    @Test("remembers the words that say what is desired, so that advice can repeat them")
    func planningWords() throws {
        let words = ["verify", "--mode=bridge,host", "--quiet", "--allow-imds", "--wait", "3", "--imds-action", "drop"]
        let planning = try Self.parse(words).planningWords
        #expect(planning == ["--mode", "bridge,host", "--allow-imds", "--imds-action", "drop"])
        #expect(
            try Self.parse(["apply"] + planning).settings
                == Self.parse(["diff"] + planning).settings)
    }

    @Test("the last of two values counts")
    func last() throws {
        let request = try Self.parse(["status", "--wait", "1", "--format=json", "--wait=2"])
        #expect(request.settings.wait == 2)
    }

    @Test(
        "asking for help or the version needs nothing else",
        arguments: [["--help"], ["-h"], ["--version"], ["apply", "-h"]])
    func help(_ words: [String]) throws {
        let request = try Self.parse(words)
        #expect(request.wantsHelp || request.wantsVersion)
    }

    @Test("what was understood before a mistake tells how to write the failure")
    func outputWishes() {
        let wishes = ArgumentParser.outputWishes(["verify", "--nonsense", "--mode=x", "--format=json", "extra"])
        #expect(wishes.command == .verify)
        #expect(wishes.format == .json)
        #expect(ArgumentParser.outputWishes(["--format"]).format == .text)
    }
}
