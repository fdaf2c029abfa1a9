import Model

/// Whether the kernel holds the rules and the parameter of the plan, and nothing of ours beyond them.
enum RuleChecks {
    /// Every rule of the plan: there, unaltered, and at its place.
    static func planned(_ context: CheckContext) -> [Check] {
        guard context.scope.hasRules else { return [] }
        let changes = context.changes.first?.changes ?? []
        let elsewhere = context.changes.dropFirst().flatMap(\.changes).compactMap(removedTitle)
        return context.plan.rules.map { planned in
            if context.uncaptured.contains(planned.rule.family) {
                return .uncaptured(
                    kind(of: planned.rule), planned.rule.title, planned.rule.family, why: planned.why)
            }
            var problem = problem(of: planned, in: changes)
            if problem == missing, elsewhere.contains(planned.rule.title) {
                problem = "is in \(context.plan.backend.other.rawValue) instead"
            }
            if problem == nil, let spoiled = context.spoiledEvidence {
                return Check(
                    kind(of: planned.rule), planned.rule.title, .skipped, evidence: "is there, but \(spoiled)",
                    why: planned.why)
            }
            return Check(kind(of: planned.rule), planned.rule.title, problem: problem, why: planned.why)
        }
    }

    /// The kernel parameter, now.
    static func routeLocalnet(_ context: CheckContext) -> [Check] {
        guard context.plan.needsRouteLocalnet, context.scope.isHost else { return [] }
        return [
            Check(
                .routeLocalnet, "\(Endpoint.routeLocalnet)=1", problem: context.sysctl.map { "is \($0.from)" },
                why: context.sysctl?.why ?? "the kernel delivers redirected requests to 127.0.0.1")
        ]
    }

    /// What is wrong with the table, in it, or beyond the plan.
    static func beyondPlan(_ context: CheckContext) -> [Check] {
        let failed = planned(context).filter { $0.outcome == .failed }.map(\.title)
        return context.changes.flatMap { part in
            let isChosen = part.backend == context.plan.backend
            return extra(part, isChosen: isChosen).filter { isChosen || !failed.contains($0.title) }
        }
    }

    private static let missing = "is missing"

    private static func kind(of rule: Rule) -> CheckKind {
        switch rule.place {
        case .earlyPrerouting: return .localhostGuard
        case .prerouting: return .containerCredentials
        case .output: return .hostCredentials
        case .filterInput: return .inputAccept
        case .input: return .introspection
        case .forward, .filterForward: return rule.family == .ipv4 ? .metadata : .metadata6
        }
    }

    private static func removedTitle(_ change: Change) -> String? {
        if case .remove(let installed) = change { installed.rule?.title } else { nil }
    }

    private static func problem(of planned: PlannedRule, in changes: [Change]) -> String? {
        for change in changes {
            switch change {
            case .add(planned): return missing
            case .move(let installed, planned):
                return installed.hasForeignRuleAhead
                    ? "is there, but others' rules come first" : "is there, but not at its place"
            case .alter(_, planned): return "was altered"
            default: continue
            }
        }
        return nil
    }

    private static func extra(_ part: BackendChanges, isChosen: Bool) -> [Check] {
        part.changes.compactMap { change in
            switch change {
            case .remove(let installed):
                Check(
                    .noOtherRules, installed.rule?.title ?? "a rule of ours, altered",
                    problem: installed.rule == nil
                        ? unknown(installed)
                        : isChosen ? "is there but not asked for" : "is also in \(part.backend.rawValue)",
                    why: "only what the mode asks for should be there, and in one backend")
            case .repair(let text):
                Check(
                    .tableStructure, "structure", problem: text,
                    why: "only the right hook, priority, type and policy give the rules their effect")
            case .obstacle(let obstacle):
                Check(
                    .tableContents, "foreign content in our table", problem: obstacle.what,
                    why: "only its owner can take it away", mend: .command(obstacle.advice))
            default: nil
            }
        }
    }

    private static func unknown(_ installed: InstalledRule) -> String {
        if case .unknown(let text) = installed.content { text } else { "" }
    }
}

extension Check {
    /// What would be told of a family whose rules were not captured.
    static func uncaptured(_ kind: CheckKind, _ title: String, _ family: AddressFamily, why: String) -> Check {
        let program = IptablesSpelling.program(family)
        return Check(
            kind, title, .undecided, evidence: "\(program) was not captured", why: why,
            mend: .command("give what \(program)-legacy-save prints, with --ruleset"))
    }
}
