import FoundationEssentials
import Glibc
import Model
import Planning
import Testing

@testable import CommandLineTool
@testable import Engine

/// The answers as a program reads them: only what is documented.
private struct Answer: Decodable {
    struct Backend: Decodable {
        let name: String
        let evidence: [String]
    }
    struct Change: Decodable {
        let operation: String
        let what: String
        let why: String?
    }
    struct Check: Decodable {
        let id: String
        let title: String
        let severity: String
        let outcome: String
        let passed: Bool
        let why: String
        let mend: String?
        let problem: String?
    }
    struct Trouble: Decodable {
        let message: String
        let source: String?
        let errno: Int?
        let reason: String?
        let advice: String?
    }
    let schema: Int
    let command: String?
    let result: String
    let modes: [String]?
    let backend: Backend?
    let changes: [Change]?
    let checks: [Check]?
    let notes: [String]?
    let error: Trouble?

    init(_ text: String) throws { self = try JSONDecoder().decode(Answer.self, from: Data(text.utf8)) }
}

private struct Status: Decodable {
    struct Backend: Decodable {
        let name: String
        let rules: [Rule]
        let defects: [String]
    }
    struct Rule: Decodable {
        let title: String?
        let family: String?
        let place: String?
        let nft: String?
        let iptables: String?
        let unknown: String?
        let packets: UInt64
        let bytes: UInt64
    }
    struct Sysctl: Decodable {
        let name: String
        let value: String
        let earlier: String?
    }
    let schema: Int
    let command: String
    let result: String
    let backends: [Backend]
    let sysctl: Sysctl

    init(_ text: String) throws { self = try JSONDecoder().decode(Status.self, from: Data(text.utf8)) }
}

@Suite("JSON reports")
struct JSONReportTests {
    private func answer(_ observation: Observation, _ command: Command) throws -> Answer {
        let request = Scene.request(command)
        if command == .verify {
            return try Answer(JSONReport.checks(try Scene.verification(observation), request: request))
        }
        return try Answer(
            JSONReport.changes(
                Scene.decision(observation), request: request, command: command,
                notes: Scene.decision(observation).notes))
    }

    @Test("say in one word what came out", arguments: [Command.apply, .diff, .verify])
    func results(_ command: Command) throws {
        let unchanged = try answer(Scene.matching(), command)
        let changed = try answer(Scene.observation(), command)
        #expect(unchanged.result == (command == .apply ? "unchanged" : "matches"))
        #expect(changed.result == (command == .apply ? "changed" : "differs"))
        for answer in [unchanged, changed] {
            #expect(answer.schema == 1)
            #expect(answer.command == command.rawValue)
            #expect(answer.modes == ["bridge"])
            #expect(answer.backend?.name == "nftables")
            #expect(answer.backend?.evidence.isEmpty == false)
            #expect(answer.notes == [])
            #expect(answer.error == nil)
            #expect((answer.checks == nil) == (command != .verify))
        }
        #expect(unchanged.changes?.isEmpty == true)
    }

    @Test("list every change with its sign, and why")
    func changes() throws {
        let changes = try #require(try answer(Scene.broken(), .diff).changes)
        #expect(Set(changes.map(\.operation)) == ["add", "remove", "alter"])
        #expect(changes.contains { $0.what.hasPrefix("nft insert rule inet ecs-netsetup early-prerouting 'ip daddr") })
        #expect(changes.contains { $0.what == "nft delete rule inet ecs-netsetup input handle 9" })
        #expect(changes.contains { $0.what == "sysctl -w net.ipv4.conf.all.route_localnet=1" })
        #expect(changes.filter { $0.operation != "remove" }.allSatisfy { $0.why != nil })
    }

    @Test("of verify list every check, the failed ones with the problem")
    func checks() throws {
        let matching = try #require(try answer(Scene.matching(), .verify).checks)
        #expect(matching.count == (try Scene.planned().count) + Scene.otherChecks)
        #expect(matching.allSatisfy { $0.passed && $0.problem == nil && !$0.why.isEmpty })
        let broken = try #require(try answer(Scene.broken(), .verify).checks)
        #expect(broken.allSatisfy { ($0.outcome == "failed") == ($0.problem != nil) })
        #expect(broken.contains { !$0.passed } && broken.contains { $0.passed })
        #expect(broken.allSatisfy { $0.passed == ($0.outcome == "passed") })
        #expect(broken.allSatisfy { ($0.outcome == "failed") == ($0.mend != nil) })
        #expect(broken.first { $0.title == "localhost guard" }?.id == "ECS-NET-002")
        #expect(broken.first { $0.title == "localhost guard" }?.severity == "error")
    }

    @Test("of verify have the audit log's figures, where it was read")
    func credentialsUse() throws {
        var facts = VerificationFacts()
        var use = CredentialsUse()
        (use.requests, use.failed, use.tasks, use.notUnderstood) = (12, 1, 3, 2)
        (use.first, use.last) = (UnixTime(seconds: 0), UnixTime(seconds: 60))
        facts.credentialsUse = .success(use)
        let verification = Verification(
            try Scene.decision(Scene.matching()), settings: Scene.settings, facts: facts)
        let text = JSONReport.checks(verification, request: Scene.request(.verify))
        let members = try JSONParser.parse(Array(text.utf8))["credentials_use"]
        #expect(members?["since"]?.string == "1970-01-01T00:00:00Z")
        #expect(members?["last_asked"]?.string == "1970-01-01T00:01:00Z")
        #expect(members?["last_granted"]?.string == nil)
        let counts = ["requests", "failed", "tasks", "not_understood"].map { members?[$0]?.integer }
        #expect(counts == [12, 1, 3, 2])
    }

    @Test("of remove name no modes and no backend")
    func remove() throws {
        let decision = Decision(removing: try Scene.matching())
        var request = Request()
        request.command = .remove
        let answer = try Answer(JSONReport.changes(decision, request: request, command: .remove, notes: decision.notes))
        #expect(answer.result == "changed")
        #expect(answer.modes == nil)
        #expect(answer.backend == nil)
        #expect(answer.changes?.first?.what == "sysctl -w net.ipv4.conf.all.route_localnet=0")
        #expect(answer.changes?.map(\.what).last == "nft delete table inet ecs-netsetup")
        #expect(answer.changes?.map(\.operation) == ["alter", "remove"])
    }

    @Test("of status list rules with counters, in both spellings")
    func status() throws {
        let status = try Status(JSONReport.status(Scene.matching()))
        #expect(status.schema == 1)
        #expect(status.command == "status")
        #expect(status.result == "installed")
        #expect(status.sysctl.value == "1")
        #expect(status.sysctl.earlier == "0")
        #expect(status.sysctl.name == "net.ipv4.conf.all.route_localnet")
        let backend = try #require(status.backends.first)
        #expect(backend.name == "nftables")
        #expect(backend.rules.map(\.title) == (try Scene.planned().map(\.rule.title)))
        #expect(backend.rules[1].packets == 1)
        #expect(backend.rules[1].bytes == 60)
        #expect(backend.rules[0].place == "early-prerouting")
        #expect(backend.rules[0].nft?.contains("iifname != ") == true)
        #expect(backend.rules[0].iptables?.hasPrefix("iptables -t mangle -A PREROUTING") == true)
    }

    @Test("of status tell of defects, and of rules that cannot be read")
    func statusOfBroken() throws {
        let status = try Status(JSONReport.status(Scene.broken()))
        #expect(status.backends.first?.defects == ["the table is dormant"])
        #expect(status.backends.first?.rules[1].unknown == "\"ecs-netsetup: x\" has a limit")
        #expect(status.sysctl.earlier == nil)
    }

    @Test("of status on a host without our rules say so")
    func statusOfNothing() throws {
        let status = try Status(JSONReport.status(Scene.observation()))
        #expect(status.result == "absent")
        #expect(status.backends.isEmpty)
    }

    @Test("of a failure hold its parts, as far as known")
    func failure() throws {
        let full = Failure.system("cannot open \"x\"", source: "iptc_init", errno: EPERM)
        let error = try #require(try Answer(JSONReport.failure(full, command: .apply)).error)
        #expect(error.message == "cannot open \"x\"")
        #expect(error.source == "iptc_init")
        #expect(error.errno == 1)
        #expect(error.reason == "operation not permitted")
        #expect(error.advice?.contains("root") == true)
        let bare = try Answer(JSONReport.failure(.usage("no command"), command: nil))
        #expect(bare.command == nil)
        #expect(bare.result == "error")
        #expect(bare.schema == 1)
        #expect(bare.error?.errno == nil && bare.error?.source == nil && bare.error?.advice == nil)
    }
}
