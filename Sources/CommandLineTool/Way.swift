import Engine
import Model
import Planning

/// A way that packets take, or on which they are stopped, with the rules that see to it.
struct Way {
    /// Who sends: `container`, `neighbour`, `host`.
    let source: String
    /// The patterns of the bridges by which it enters the host; empty where it is none.
    let bridges: [String]
    /// Whether the destination is rewritten.
    let isTranslated: Bool
    let target: String
    /// Whether packets are to get through.
    let isMeantOpen: Bool
    /// What the rules have counted; nil where none of them is there.
    let packets: UInt64?
    /// What the probe found; nil where it was not tried.
    var outcome: Check.Outcome?
}

extension Way {
    /// The ways of rules that are installed.
    static func ways(_ installed: [InstalledRule]) -> [Way] {
        ways(of: installed.compactMap { rule in rule.rule.map { Counted(rule: $0, packets: rule.packets) } })
    }

    /// The ways of the plan, with what the probe found.
    static func ways(_ verification: Verification) -> [Way] {
        let decision = verification.decision
        let installed = decision.observed[decision.plan.backend].rules
        return ways(
            of: decision.plan.rules.map { planned in
                Counted(rule: planned.rule, packets: installed.first { $0.rule == planned.rule }?.packets)
            },
            outcome: { kind in worst(verification.checks.filter { $0.kind == kind }.map(\.outcome)) })
    }

    private struct Counted {
        let rule: Rule
        let packets: UInt64?

        /// The bridge that the rule speaks of.
        var bridge: String? {
            rule.matches.lazy.compactMap { match in
                if case .inInterface(let pattern, false) = match { pattern.description } else { nil }
            }.first
        }
    }

    private static func ways(
        of rules: [Counted], outcome: (CheckKind) -> Check.Outcome? = { _ in nil }
    ) -> [Way] {
        let metadata = rules.filter { $0.rule.place == .forward || $0.rule.place == .filterForward }
        let bridges = metadata.compactMap(\.bridge).reduce(into: [String]()) { names, name in
            if !names.contains(name) { names.append(name) }
        }
        func way(_ chosen: [Counted], _ source: String, _ target: String, _ kind: CheckKind?, isOpen: Bool) -> [Way] {
            if chosen.isEmpty { return [] }
            let counts = chosen.compactMap(\.packets)
            return [
                Way(
                    source: source, bridges: source == container ? bridges : [], isTranslated: isOpen, target: target,
                    isMeantOpen: isOpen, packets: counts.isEmpty ? nil : counts.reduce(0, +),
                    outcome: kind.flatMap(outcome))
            ]
        }
        let agent = "agent :\(Endpoint.agentPort)"
        return way(rules.filter { $0.rule.place == .prerouting }, container, agent, .probeCredentials, isOpen: true)
            + way(
                metadata.filter { $0.rule.family == .ipv4 }, container, "IMDS \(Endpoint.metadata.address)",
                .probeMetadata, isOpen: false)
            + way(
                metadata.filter { $0.rule.family == .ipv6 }, container, "IMDS \(Endpoint.metadata6.address)",
                .probeMetadata6, isOpen: false)
            + way(
                rules.filter { $0.rule.title == LocalhostGuard.title }, "neighbour", Endpoint.agent.address,
                .probeLocalhost, isOpen: false)
            + way(rules.filter { $0.rule.place == .output }, "host", agent, nil, isOpen: true)
    }

    private static let container = "container"

    /// The worst of several bridges; nil for none.
    private static func worst(_ outcomes: [Check.Outcome]) -> Check.Outcome? {
        [Check.Outcome.failed, .undecided, .passed, .skipped].first(where: outcomes.contains)
    }
}
