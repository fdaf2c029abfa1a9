import FoundationEssentials
import Laboratory
import Model
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

    @Test("holds for the whole answers in docs/json.md")
    func examples() throws {
        let file = URL(filePath: #filePath).appending(path: "../../../../docs/json.md").standardized
        let blocks = try String(contentsOf: file, encoding: .utf8).split(separator: "```json\n").dropFirst().map {
            String($0.prefix(upTo: $0.firstRange(of: "```")?.lowerBound ?? $0.endIndex))
        }
        let answers = blocks.filter { $0.hasPrefix("{") }
        #expect(answers.count >= 5)
        for answer in answers { try Consumer.answer.read(answer) }
    }
}
