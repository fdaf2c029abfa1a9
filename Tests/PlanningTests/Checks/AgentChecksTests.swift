import Model
import Testing

@testable import Planning

@Suite("Checks of the agent")
struct AgentChecksTests {
    private static let refusal = ServiceAnswer.http(
        status: 400, line: "HTTP/1.0 400 Bad Request",
        body: Array(
            #"{"code":"NoIdInRequest","message":"CredentialsV2Request: No Credential ID","HTTPErrorCode":400}"#.utf8))

    private static func introspection(_ version: String) -> ServiceAnswer {
        .http(
            status: 200, line: "HTTP/1.0 200 OK",
            body: Array(#"{"Version":"Amazon ECS Agent - \#(version) (ff)"}"#.utf8))
    }

    private static func ok(_ body: String) -> ServiceAnswer {
        .http(status: 200, line: "HTTP/1.0 200 OK", body: Array(body.utf8))
    }

    private func facts(
        credentials: ServiceAnswer = refusal, introspection: ServiceAnswer = introspection("v1.105.1"),
        start: AgentStart = .at(UnixTime(seconds: 1000)), changed: UnixTime? = nil
    ) -> VerificationFacts {
        var facts = VerificationFacts()
        facts.agent = AgentFacts(
            credentials: credentials, introspection: introspection, start: start, configurationChanged: changed,
            starter: .systemd)
        return facts
    }

    @Test(
        "the listener is the agent, or it is said who or what it is",
        arguments: [
            (refusal, "passed: answers"), (ServiceAnswer.refused, "failed: nobody listens"),
            (.silence(milliseconds: 500), "failed: accepts no connection or gives no answer within 500 ms"),
            (.failed("connect", errno: 13), "failed: cannot be asked: connect: permission denied"),
            (.other(""), "failed: hangs up without an answer"),
            (.other("SSH-2.0"), "failed: something else answers: SSH-2.0"),
            (
                ok(#"{"AvailableCommands":["/v1/tasks"]}"#),
                "failed: introspection answers there, not the credentials endpoint"
            ),
            (ok(#"{"code":"NoIdInRequest"}"#), "failed: something else answers: HTTP/1.0 200 OK"),
            (ok("<html>AvailableCommands"), "failed: something else answers: HTTP/1.0 200 OK"),
            (ok(""), "failed: something else answers: HTTP/1.0 200 OK"),
        ])
    func listener(_ answer: ServiceAnswer, _ summary: String) throws {
        let checks = AgentChecks.listener(try CheckScene.context(facts: facts(credentials: answer)))
        #expect(checks.map(\.summary) == [summary])
        #expect((checks[0].mend == nil) == (checks[0].outcome == .passed))
    }

    @Test("the version is judged, and where nobody says it, the listener counts")
    func version() throws {
        func summary(_ modes: [Mode], _ facts: VerificationFacts) throws -> [String] {
            AgentChecks.version(try CheckScene.context(modes: modes, facts: facts)).map(\.summary)
        }
        #expect(try summary([.bridge], facts()) == ["passed: 1.105.1"])
        #expect(
            try summary([.bridge, .awsvpc], facts(introspection: Self.introspection("v1.14.9"))) == [
                "failed: is 1.14.9, and mode awsvpc needs 1.15.0 or later"
            ])
        #expect(
            try summary([.host], facts(introspection: .refused)) == [
                "undecided: nobody answers on port 51678; mode host needs 1.12.0 or later"
            ])
        #expect(
            try summary([.host], facts(credentials: .refused, introspection: .refused)) == [
                "skipped: nobody answers on port 51678, as the agent does not"
            ])
        #expect(
            try summary([.host], facts(introspection: Self.ok("{}"))) == [
                "undecided: what answers on port 51678 does not say which version it is; mode host needs 1.12.0 or later"
            ])
    }

    @Test("a restart is due where the configuration is younger than the agent")
    func restart() throws {
        func summary(_ start: AgentStart, _ changed: Int?) throws -> [String] {
            let changed = changed.map { UnixTime(seconds: $0) }
            return AgentChecks.restart(try CheckScene.context(facts: facts(start: start, changed: changed))).map(
                \.summary)
        }
        let start = AgentStart.at(UnixTime(seconds: 1000, nanoseconds: 5))
        #expect(try summary(start, nil) == ["passed: there is no /etc/ecs/ecs.config"])
        #expect(try summary(start, 1000) == ["passed: started 1970-01-01T00:16:40Z, after the last change"])
        #expect(
            try summary(start, 1001) == [
                "failed: started 1970-01-01T00:16:40Z, and /etc/ecs/ecs.config was changed 1970-01-01T00:16:41Z"
            ])
        #expect(try summary(.notListening, 1001) == ["skipped: no agent runs"])
        #expect(try summary(.notListening, nil) == ["skipped: no agent runs"])
        #expect(try summary(.unknown("why"), 1001) == ["undecided: it cannot be told when the agent started: why"])
        let failed = AgentChecks.restart(
            try CheckScene.context(facts: facts(start: start, changed: UnixTime(seconds: 2000))))
        #expect(failed.map(\.mend) == [.command("systemctl restart --no-block ecs")])
    }

    @Test("without a running host there is none")
    func offline() throws {
        let context = try CheckScene.context(facts: VerificationFacts())
        let checks = [AgentChecks.listener, AgentChecks.version, AgentChecks.restart]
        #expect(checks.flatMap { $0(context) }.isEmpty)
    }
}
