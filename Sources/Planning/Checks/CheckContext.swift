package import Model

/// What the checks are decided from.
package struct CheckContext: Sendable {
    /// What was looked at, and so what can be told.
    package enum Scope: Sendable {
        /// A running host: everything.
        case host
        /// Captured rules, a folder of files, or both: no kernel.
        case offline(rules: Bool, files: Bool)

        package var hasRules: Bool { if case .offline(let rules, _) = self { rules } else { true } }
        package var isHost: Bool { if case .host = self { true } else { false } }
    }

    package let scope: Scope
    package let settings: Settings
    package let plan: Plan
    /// The rule changes, the chosen backend's first.
    package let changes: [BackendChanges]
    package let sysctl: SysctlChange?
    package let persistence: PersistencePlan
    package let disk: PersistenceFacts
    package let facts: VerificationFacts
    /// The families whose rules were not captured, so that nothing can be told of them.
    package let uncaptured: [AddressFamily]

    package init(
        scope: Scope, settings: Settings, plan: Plan, changes: [BackendChanges], sysctl: SysctlChange?,
        persistence: PersistencePlan, disk: PersistenceFacts, facts: VerificationFacts,
        uncaptured: [AddressFamily] = []
    ) {
        self.scope = scope
        self.settings = settings
        self.plan = plan
        self.changes = changes
        self.sysctl = sysctl
        self.persistence = persistence
        self.disk = disk
        self.facts = facts
        self.uncaptured = uncaptured
    }

    /// The check that tells what is wrong with our table as a whole, so that rules in it need not have their effect; nil
    /// where nothing is.
    var spoiled: CheckKind? {
        for change in changes.first?.changes ?? [] {
            switch change {
            case .repair: return .tableStructure
            case .obstacle: return .tableContents
            default: continue
            }
        }
        return nil
    }

    /// How that is told where a check depends on the table.
    var spoiledEvidence: String? { spoiled.map { "what is wrong with our table comes first: \($0.identifier)" } }
}

/// What verify looks at beyond what apply needs to know.
package struct VerificationFacts: Sendable {
    /// Other people's chains on the ways that the packets of ECS take.
    package var foreignChains: [ForeignChain] = []
    /// The host's bridges, by name; nil where nobody looked.
    package var bridges: Result<[String], Failure>?
    /// The networks of the host's bridges, by the bridges' names; none where they are not known.
    package var networks: [String: [IPPrefix]] = [:]
    /// The Docker networks that lead out of the host; nil where the engine did not say.
    package var dockerNetworks: [DockerNetwork]? = []
    /// nil where there is no running host.
    package var agent: AgentFacts?
    /// What the agent's audit log tells; nil where nobody looked.
    package var credentialsUse: Result<CredentialsUse, Failure>?

    /// What packets showed; nil where none was sent.
    package var probe: ProbeReport?

    package init() {}
}

/// Every check.
///
/// To add a check: write a function in `Planning/Checks`, name it here, and give it a case of `CheckKind`.
package enum CheckCatalogue {
    static let entries: [@Sendable (CheckContext) -> [Check]] = [
        RuleChecks.planned,
        RuleChecks.routeLocalnet,
        BridgeChecks.coverage,
        PersistenceChecks.checks,
        AgentChecks.restart,
        AgentChecks.version,
        AgentChecks.listener,
        AuditLogChecks.use,
        RuleChecks.beyondPlan,
        ForeignRuleChecks.natOrder,
        ForeignRuleChecks.foreignInput,
        ForeignRuleChecks.shadowedDrop,
        ProbeChecks.checks,
    ]

    /// What every check says, by its identifier.
    package static func checks(_ context: CheckContext) -> [Check] {
        let checks = entries.flatMap { $0(context) }
        return CheckKind.allCases.flatMap { kind in checks.filter { $0.kind == kind } }
    }
}
