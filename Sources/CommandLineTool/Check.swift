import Engine
import Model
import Planning

/// One thing that verify looks at.
struct Check {
    let title: String
    /// What is wrong; nil when nothing is.
    let problem: String?
    let why: String

    var hasPassed: Bool { problem == nil }

    /// Everything that a decision's plan asks for, and everything that is there beyond it.
    static func checks(of decision: Decision) -> [Check] {
        let changes = decision.changes.first?.changes ?? []
        let elsewhere = decision.changes.dropFirst().flatMap(\.changes).compactMap(removedTitle)
        var checks = decision.plan.rules.map { planned in
            Check(
                title: planned.rule.title,
                problem: problem(of: planned, in: changes).map { problem in
                    problem == missing && elsewhere.contains(planned.rule.title)
                        ? "is in \(decision.choice.backend.other.rawValue) instead" : problem
                }, why: planned.why)
        }
        if decision.observed.disk.isImage { checks = [] }
        if decision.plan.needsRouteLocalnet, !decision.observed.disk.isImage {
            checks.append(
                Check(
                    title: "\(Endpoint.routeLocalnet)=1", problem: decision.sysctl.map { "is \($0.from)" },
                    why: decision.sysctl?.why ?? "the kernel delivers redirected requests to 127.0.0.1"))
        }
        let moved = checks.filter { !$0.hasPassed }.map(\.title)
        return checks + decision.persistence.findings.map { Check(title: $0.title, problem: $0.problem, why: $0.why) }
            + decision.changes.flatMap { part in
                let isChosen = part.backend == decision.choice.backend
                return extra(part, isChosen: isChosen).filter { isChosen || !moved.contains($0.title) }
            }
    }

    private static let missing = "is missing"

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
                    title: installed.rule?.title ?? "a rule of ours, altered",
                    problem: installed.rule == nil
                        ? unknown(installed)
                        : isChosen ? "is there but not asked for" : "is also in \(part.backend.rawValue)",
                    why: "only what the mode asks for should be there, and in one backend")
            case .repair(let text):
                Check(
                    title: "structure", problem: text,
                    why: "only the right hook, priority, type and policy give the rules their effect")
            case .obstacle(let obstacle):
                Check(
                    title: "foreign content in our table", problem: obstacle.what,
                    why: "only its owner can take it away: \(obstacle.advice)")
            default: nil
            }
        }
    }

    private static func unknown(_ installed: InstalledRule) -> String {
        if case .unknown(let text) = installed.content { text } else { "" }
    }
}

extension Decision {
    /// Whether the host is as a command wants it: verify also looks at what apply cannot change.
    func matches(for command: Command) -> Bool {
        command == .verify ? Check.checks(of: self).allSatisfy(\.hasPassed) : isFulfilled
    }
}
