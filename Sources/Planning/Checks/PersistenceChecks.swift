import Model

/// Whether what is on disk is as the settings ask, so that it lasts.
enum PersistenceChecks {
    static func checks(_ context: CheckContext) -> [Check] {
        context.persistence.findings.map { finding in
            let obstacle = context.persistence.obstacles.first { $0.what == finding.problem }
            return Check(
                finding.kind, finding.title, problem: finding.problem, why: finding.why,
                mend: finding.mend ?? obstacle.map { .command($0.advice) } ?? .apply)
        }
    }
}
