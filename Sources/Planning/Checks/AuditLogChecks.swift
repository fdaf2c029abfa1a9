import Model

/// Whether tasks get the credentials that they ask for, by the agent's audit log.
enum AuditLogChecks {
    /// The longest that a role's credentials last, in seconds, so that a task that runs asks within that time.
    /// IAM user guide, "Maximum session duration".
    private static let longestSession = 12 * 60 * 60

    static func use(_ context: CheckContext) -> [Check] {
        guard let log = context.facts.credentialsUse else { return [] }
        func check(_ outcome: Check.Outcome, _ evidence: String, mend: Check.Mend? = nil) -> [Check] {
            [
                Check(
                    .credentialsUse, "use of credentials", outcome, evidence: evidence,
                    why: "a task whose requests fail has no role", mend: mend)
            ]
        }
        switch log {
        case .failure(let failure): return check(.undecided, failure.description)
        case .success(let use):
            guard let last = use.last else {
                return use.notUnderstood == 0
                    ? check(.passed, "no credentials were asked for yet")
                    : check(.undecided, "the audit log has \(lines(use.notUnderstood)), and no other")
            }
            if isRefusing(use, last, agent: context.facts.agent) {
                return check(
                    .failed, figures(use, last) + ", none granted lately",
                    mend: .command("see why in /var/log/ecs/ecs-agent.log"))
            }
            return check(.passed, figures(use, last))
        }
    }

    /// Whether none was granted within the time in which a running task would have asked, and that by this agent.
    private static func isRefusing(_ use: CredentialsUse, _ last: UnixTime, agent: AgentFacts?) -> Bool {
        if case .at(let start)? = agent?.start, last < start { return false }
        return use.lastGranted.map { last.seconds - $0.seconds > longestSession } ?? true
    }

    private static func figures(_ use: CredentialsUse, _ last: UnixTime) -> String {
        let tasks = use.tasks == 1 ? "1 task" : "\(use.tasks) tasks"
        let most = use.tasks == AuditLogReader.mostTasks ? " or more" : ""
        let requests = use.requests == 1 ? "1 request" : "\(use.requests) requests"
        let strange = use.notUnderstood == 0 ? "" : ", \(lines(use.notUnderstood))"
        return "last asked \(last), \(requests) by \(tasks)\(most), \(use.failed) failed\(strange)"
    }

    private static func lines(_ count: Int) -> String {
        count == 1 ? "1 line that is not understood" : "\(count) lines that are not understood"
    }
}
