import FoundationEssentials
import Laboratory
import Model
import Planning
import TestSupport
import Testing

@testable import CommandLineTool
@testable import Engine

/// Every JSON answer, and what the documentation shows of them, against the schema that is published.
@Suite("The schema of JSON answers")
struct SchemaTests {
    enum Host: String, CaseIterable {
        case matching
        case bare
        case broken

        func observation() throws -> Observation {
            switch self {
            case .matching: try Scene.matching()
            case .bare: Scene.observation()
            case .broken: try Scene.broken()
            }
        }
    }

    @Test("holds for what apply and diff answer", arguments: [Command.apply, .diff], Host.allCases)
    func changes(_ command: Command, _ host: Host) throws {
        let decision = try Scene.decision(host.observation())
        let request = Scene.request(command)
        try Consumer.answer.read(
            JSONReport.changes(decision, request: request, command: command, notes: decision.notes + ["\"\u{1}\\"]))
    }

    @Test("holds for what remove answers", arguments: Host.allCases)
    func remove(_ host: Host) throws {
        let decision = Decision(removing: try host.observation())
        var request = Request()
        request.command = .remove
        try Consumer.answer.read(
            JSONReport.changes(decision, request: request, command: .remove, notes: decision.notes))
    }

    @Test("holds for what verify answers", arguments: Host.allCases)
    func verify(_ host: Host) throws {
        var verification = try Scene.verification(host.observation())
        let request = Scene.request(.verify)
        try Consumer.answer.read(JSONReport.checks(verification, request: request))
        verification.checks += [
            Check(.metadata, "\u{7f}", .undecided, evidence: "<&>", why: ""),
            Check(.metadata, "\u{2028}", .skipped, evidence: "\\", why: ""),
            Check(.foreignInput, "#", .failed, evidence: "\n", why: "", mend: .command("\u{0}")),
        ]
        try Consumer.answer.read(JSONReport.checks(verification, request: request))
    }

    @Test("holds for what verify answers of the audit log and of packets' ways", arguments: Host.allCases)
    func facts(_ host: Host) throws {
        var use = CredentialsUse()
        for times in [nil, UnixTime(seconds: 60)] as [UnixTime?] {
            (use.first, use.last, use.lastGranted) = (times, times, times)
            var facts = VerificationFacts()
            facts.credentialsUse = .success(use)
            facts.probe = ProbeReport(obstacle: "no bridge")
            let verification = Verification(
                try Scene.decision(host.observation()), settings: Scene.settings, facts: facts)
            var request = Scene.request(.verify)
            request.probes = true
            let text = JSONReport.checks(verification, request: request)
            #expect(text.contains("\"credentials_use\"") && text.contains("\"ways\""))
            try Consumer.answer.read(text)
        }
    }

    @Test("holds for what status answers", arguments: Host.allCases)
    func status(_ host: Host) throws {
        try Consumer.answer.read(JSONReport.status(host.observation()))
    }

    @Test("holds for errors, with all their parts and with none")
    func errors() throws {
        try Consumer.answer.read(
            JSONReport.failure(.system("cannot open \"x\"", source: "iptc_init", errno: 1), command: .apply))
        try Consumer.answer.read(JSONReport.failure(.usage("no command"), command: nil))
    }

    @Test("refuses what is none")
    func others() {
        for text in ["{}", "{\"schema\": 2}", "{\"schema\": 1, \"result\": \"error\", \"error\": {\"message\": 1}}"] {
            #expect(throws: (any Error).self) { try Consumer.answer.read(text) }
        }
    }

    @Test("refuses an answer in which anything is misspelt")
    func misspelt() throws {
        let verification = try Scene.verification(Scene.broken())
        let text = JSONReport.checks(verification, request: Scene.request(.verify))
        try Consumer.answer.read(text)
        for word in [
            "\"mend\"", "\"evidence\"", "\"failed\"", "\"differs\"", "\"ECS-NET-", "\"alter\"", "\"nftables\"",
        ] {
            try #require(text.contains(word))
            let wrong = text.replacing(word, with: "\"x" + word.dropFirst(), maxReplacements: 1)
            #expect(throws: (any Error).self, "\(word)") { try Consumer.answer.read(wrong) }
        }
    }

    @Test("names no member that docs/json.md does not tell of")
    func documented() throws {
        let document = try Documentation.text(of: "json.md")
        let schema = try JSONParser.parse(Array(try Documentation.text(of: "json.schema.json").utf8))
        let names = Self.members(schema)
        #expect(names.count > 40)
        for name in names {
            // Of an object the document tells only the members.
            let isTold = ["`\(name)`", ".\(name)`", "`\(name)."].contains { document.contains($0) }
            #expect(isTold, "\(name)")
        }
    }

    /// The names below every `properties`.
    private static func members(_ schema: JSONValue) -> Set<String> {
        switch schema {
        case .object(let members):
            var names: Set<String> = []
            for (key, value) in members {
                if key == "properties", case .object(let properties) = value { names.formUnion(properties.map(\.0)) }
                names.formUnion(Self.members(value))
            }
            return names
        case .array(let elements): return elements.reduce(into: []) { $0.formUnion(Self.members($1)) }
        default: return []
        }
    }

    @Test("holds for the whole answers in docs/json.md")
    func examples() throws {
        let blocks = try Documentation.text(of: "json.md").split(separator: "```json\n").dropFirst().map {
            String($0.prefix(upTo: $0.firstRange(of: "```")?.lowerBound ?? $0.endIndex))
        }
        let answers = blocks.filter { $0.hasPrefix("{") }
        #expect(answers.count >= 5)
        for answer in answers { try Consumer.answer.read(answer) }
    }
}
