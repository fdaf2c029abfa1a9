import Model
import Planning
import Testing

@testable import CommandLineTool

@Suite("The settings file")
struct SettingsFileTests {
    /// What `apply` with these options is, where the settings file has this text.
    private static func parse(_ text: String?, _ words: String...) throws -> Request {
        try Request.parse(["apply"] + words) { _ in text.map { FileContents(text: $0, mode: 0o644) } }
    }

    /// A line and what it must have done.
    struct Line: CustomTestStringConvertible {
        let line: String
        let hasTaken: @Sendable (Settings) -> Bool

        init(_ line: String, _ hasTaken: @escaping @Sendable (Settings) -> Bool) {
            (self.line, self.hasTaken) = (line, hasTaken)
        }

        var key: Substring { line.prefix { $0 != "=" } }
        var testDescription: String { line }
    }

    static let lines = [
        Line("MODE=host") { $0.modes == [.host] },
        Line("MODE=bridge,awsvpc,bridge") { $0.modes == [.bridge, .awsvpc] },
        Line("BRIDGE_INTERFACE=br-+,docker0") { $0.bridgeInterfaces.map(\.description) == ["br-+", "docker0"] },
        Line("IMDS_PLACEMENT=documented") { $0.metadataPlacement == .documented },
        Line("IMDS_ACTION=reject") { $0.metadataAction == .reject },
        Line("ALLOW_IMDS=true") { $0.allowsMetadata },
        Line("ALLOW_IMDS=false") { !$0.allowsMetadata },
        Line("ALLOW_OFFHOST_INTROSPECTION=true") { $0.allowsOffhostIntrospection },
        Line("ALLOW_OFFHOST_INTROSPECTION=false") { !$0.allowsOffhostIntrospection },
        Line("NO_LOCALHOST_GUARD=true") { !$0.guardsLocalhost },
        Line("NO_LOCALHOST_GUARD=false") { $0.guardsLocalhost },
        Line("BACKEND=iptables") { $0.backend == .iptables },
        Line("BACKEND=auto") { $0.backend == nil },
        Line("PERSIST=netfilter-persistent") { $0.persistence == .netfilterPersistent },
        Line("PERSIST=none") { $0.persistence == Mechanism.none },
        Line("PERSIST=auto") { $0.persistence == nil },
        Line("WAIT=0") { $0.wait == 0 },
        Line("  WAIT = 86400 \r") { $0.wait == 86400 },
    ]

    @Test("has each setting under its option's name", arguments: lines)
    func line(_ this: Line) throws {
        let request = try Self.parse("MODE=bridge\n\(this.line)\n")
        #expect(this.hasTaken(request.settings))
        #expect(request.saved.isEmpty)
        #expect(request.planningWords.isEmpty)
    }

    @Test("has a key for each option that is saved, and no other")
    func keys() {
        let known = CommandTable.options.compactMap(\.settingsKey)
        #expect(Set(known) == Set(Self.lines.map { $0.key.filter { $0 != " " } }))
        #expect(known.allSatisfy { key in key.allSatisfy { $0.isUppercase || $0 == "_" } })
        for name in ["root", "restart-agent", "force-old-agent", "format", "color", "quiet", "verbose", "help"] {
            #expect(CommandTable.options.first { $0.name == name }?.settingsKey == nil)
        }
    }

    @Test("of a key that is there more than once the last line counts, for a list too")
    func lastWins() throws {
        let request = try Self.parse("MODE=bridge\nWAIT=1\nMODE=host\nWAIT=2\nMODE=awsvpc")
        #expect(request.settings.modes == [.awsvpc])
        #expect(request.settings.wait == 2)
    }

    @Test(
        "comments, empty lines and other line breaks are fine",
        arguments: [
            "# x\n\n ; WAIT=x\n\t\nMODE=host\n", "MODE=host", "MODE=host\r\n\r\n# x\r\n",
            "#\u{fe0f}\u{20e3} x\nMODE=host",
            "\n\n\nMODE =\thost",
        ])
    func comments(_ text: String) throws {
        #expect(try Self.parse(text).settings.modes == [.host])
    }

    /// A file, and what must be said of it.
    struct Refused: CustomTestStringConvertible {
        let text: String
        let subject: String
        let advice: String

        init(_ text: String, _ subject: String, _ advice: String = "") {
            (self.text, self.subject, self.advice) = (text, subject, advice)
        }

        var testDescription: String { text.debugDescription }
    }

    static let refused = [
        Refused("MODE=bridge\nMODES=host\n", ":2: unknown key 'MODES'", "did you mean MODE?"),
        Refused("\n# x\nmode=host", ":3: unknown key 'mode'", "it takes: MODE, BRIDGE_INTERFACE, "),
        Refused("IMDS_PLACMENT=early\n", ":1: unknown key 'IMDS_PLACMENT'", "did you mean IMDS_PLACEMENT?"),
        Refused("ALLOW-IMDS=true\n", ":1: unknown key 'ALLOW-IMDS'", "did you mean ALLOW_IMDS?"),
        Refused("=x\n", ":1: unknown key ''", "it takes: "),
        Refused("ROOT=/x\n", ":1: unknown key 'ROOT'"),
        Refused("export MODE=host\n", ":1: unknown key 'export MODE'"),
        Refused("MODE=\n", ":1: MODE has an empty value", "network modes of the tasks"),
        Refused("MODE\n", ":1: 'MODE' is no KEY=value", "write a comment with # before it"),
        Refused("MODE=host\nWAIT 5\n", ":2: 'WAIT 5' is no KEY=value"),
        Refused("MODE=brigde\n", ":1: MODE does not know 'brigde'", "bridge, host, awsvpc"),
        Refused("MODE=\"host\"\n", ":1: MODE does not know '\"host\"'"),
        Refused("MODE=host,\n", ":1: MODE 'host,' has an empty entry"),
        Refused("WAIT=-1\n", ":1: WAIT does not take '-1'", "whole seconds from 0"),
        Refused("ALLOW_IMDS=yes\n", ":1: ALLOW_IMDS does not know 'yes'", "true or false"),
        Refused("NO_LOCALHOST_GUARD=1\n", ":1: NO_LOCALHOST_GUARD does not know '1'", "true or false"),
        Refused("ALLOW_IMDS=\n", ":1: ALLOW_IMDS has an empty value"),
        Refused("BACKEND=nft\n", ":1: BACKEND does not know 'nft'", "nftables, iptables, auto"),
        Refused("PERSIST=yes\n", ":1: PERSIST does not know 'yes'", "netfilter-persistent"),
        Refused("BRIDGE_INTERFACE=+\n", ":1: interface pattern '+' matches every interface"),
        // Also in a line that a later one overrides.
        Refused("WAIT=x\nWAIT=5\nMODE=host\n", ":1: WAIT does not take 'x'"),
    ]

    @Test("is refused with the file, the line, and what would be right", arguments: refused)
    func refusal(_ this: Refused) throws {
        for words in [[], ["--mode", "bridge", "--wait", "3"]] {
            let failure = try #require(throws: Failure.self) {
                try Request.parse(["verify"] + words) { _ in FileContents(text: this.text, mode: 0o644) }
            }
            #expect(failure.kind == .usage)
            #expect(failure.subject.hasPrefix("/etc/ecs-netsetup.conf\(this.subject)"), "\(failure.subject)")
            #expect(this.advice.isEmpty || failure.advice?.contains(this.advice) == true, "\(failure)")
        }
    }

    @Test("a long line is told in short, and bytes that are no text do no harm")
    func longLine() throws {
        let failure = try #require(throws: Failure.self) { try Self.parse(String(repeating: "x", count: 5000)) }
        #expect(failure.subject.utf8.count < 150)
        let bytes = FileContents(bytes: [0xff, 0x3d, 0x31, 0x0a], mode: 0o644)
        #expect(throws: Failure.self) { try Request.parse(["diff"]) { _ in bytes } }
    }

    @Test("options override it, a list as a whole")
    func overrides() throws {
        let text =
            "MODE=bridge\nBRIDGE_INTERFACE=br-+\nALLOW_IMDS=true\nNO_LOCALHOST_GUARD=true\nBACKEND=iptables\nWAIT=9\n"
        let request = try Self.parse(
            text, "--mode", "host", "--mode", "awsvpc", "--allow-imds=false", "--backend", "auto", "--wait=1")
        #expect(request.settings.modes == [.host, .awsvpc])
        #expect(request.settings.bridgeInterfaces.map(\.description) == ["br-+"])
        #expect(!request.settings.allowsMetadata)
        #expect(!request.settings.guardsLocalhost)
        #expect(request.settings.backend == nil)
        #expect(request.settings.wait == 1)
        #expect(
            request.saved == [
                .init(key: "MODE", value: "host,awsvpc"), .init(key: "ALLOW_IMDS", value: "false"),
                .init(key: "BACKEND", value: "auto"), .init(key: "WAIT", value: "1"),
            ])
    }

    @Test("what it says already is not saved again, and what is no setting is never saved")
    func saved() throws {
        #expect(try Self.parse("MODE=host\nWAIT=5\n", "--mode", "host", "--wait", "5").saved.isEmpty)
        #expect(try Self.parse("MODE=host\n", "--restart-agent", "--format", "json", "--root", "/x").saved.isEmpty)
        #expect(try Self.parse(nil, "--mode", "host", "--force-old-agent").saved == [.init(key: "MODE", value: "host")])
        #expect(
            try Self.parse(nil, "--mode", "host", "--allow-imds").saved
                == [.init(key: "MODE", value: "host"), .init(key: "ALLOW_IMDS", value: "true")])
    }

    @Test("what is saved says the same when it is read again")
    func savedAndRead() throws {
        let words = [
            "--mode=bridge,host", "--bridge-interface=br-+", "--bridge-interface=docker0",
            "--imds-placement=documented",
            "--imds-action=reject", "--allow-offhost-introspection", "--no-localhost-guard", "--backend=iptables",
            "--persist=systemd", "--wait=7",
        ]
        let given = try Request.parse(["apply"] + words) { _ in nil }
        let text = given.saved.map { "\($0.key)=\($0.value)\n" }.joined()
        #expect(try Self.parse(text).settings == given.settings)
    }

    @Test("without modes in it or on the command line, apply says where they go")
    func noModes() throws {
        let failure = try #require(throws: Failure.self) { try Self.parse("WAIT=5\n") }
        #expect(failure.subject == "apply needs --mode, or MODE in /etc/ecs-netsetup.conf")
    }

    @Test("is read below the image that is worked on, and not at all by remove and status")
    func whoReads() throws {
        var roots: [String?] = []
        let read = { (file: InputFile) throws(Failure) -> FileContents? in
            if case .settings(let root) = file { roots.append(root) }
            return FileContents(text: "MODE=host\n", mode: 0o644)
        }
        _ = try Request.parse(["apply", "--root", "/image"], reading: read)
        _ = try Request.parse(["verify"], reading: read)
        #expect(roots == ["/image", nil])
        for words in [["remove"], ["status"], ["apply", "--help"], ["--version"]] {
            _ = try Request.parse(words, reading: read)
        }
        #expect(roots.count == 2)
    }
}
