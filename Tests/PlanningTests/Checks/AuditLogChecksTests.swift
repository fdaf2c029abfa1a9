import Model
import Testing

@testable import Planning

@Suite("The check of the audit log")
struct AuditLogChecksTests {
    /// An agent that started 1000 s after 1970 began.
    private static let facts: VerificationFacts = {
        var facts = VerificationFacts()
        facts.agent = AgentFacts(
            credentials: .refused, introspection: .refused, start: .at(UnixTime(seconds: 1000)),
            configurationChanged: nil, starter: .systemd)
        return facts
    }()

    @Test("the use of credentials fails only where this agent has granted none lately")
    func use() throws {
        func summary(_ change: (inout CredentialsUse) -> Void) throws -> [String] {
            var use = CredentialsUse()
            change(&use)
            var all = Self.facts
            all.credentialsUse = .success(use)
            return AuditLogChecks.use(try CheckScene.context(facts: all)).map(\.summary)
        }
        #expect(try summary { _ in } == ["passed: no credentials were asked for yet"])
        #expect(
            try summary { $0.notUnderstood = 1 } == [
                "undecided: the audit log has 1 line that is not understood, and no other"
            ])
        let figures = "last asked 1970-01-02T00:00:00Z, 12 requests by 1 task, 3 failed"
        func fill(_ use: inout CredentialsUse, granted: Int?) {
            (use.requests, use.failed, use.tasks) = (12, 3, 1)
            use.last = UnixTime(seconds: 86400)
            use.lastGranted = granted.map { UnixTime(seconds: $0) }
        }
        #expect(try summary { fill(&$0, granted: 86400 - 12 * 3600) } == ["passed: \(figures)"])
        #expect(try summary { fill(&$0, granted: 86399 - 12 * 3600) } == ["failed: \(figures), none granted lately"])
        #expect(try summary { fill(&$0, granted: nil) } == ["failed: \(figures), none granted lately"])
        // What another agent refused, before it was restarted, says nothing of this one.
        #expect(
            try summary { use in
                fill(&use, granted: nil)
                use.last = UnixTime(seconds: 999)
            } == ["passed: last asked 1970-01-01T00:16:39Z, 12 requests by 1 task, 3 failed"])
        var unreadable = Self.facts
        unreadable.credentialsUse = .failure(Failure(.trouble, "cannot read"))
        #expect(
            AuditLogChecks.use(try CheckScene.context(facts: unreadable)).map(\.summary) == [
                "undecided: cannot read"
            ])
    }

    @Test("where nobody looked there is none")
    func offline() throws {
        #expect(AuditLogChecks.use(try CheckScene.context(facts: VerificationFacts())).isEmpty)
    }
}
