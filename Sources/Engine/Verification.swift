package import Model
package import Planning

/// What verify found: every check, and the facts behind them.
package struct Verification: Sendable {
    package let decision: Decision
    package let facts: VerificationFacts
    package internal(set) var checks: [Check]

    package init(_ decision: Decision, settings: Settings, facts: VerificationFacts = VerificationFacts()) {
        self.decision = decision
        self.facts = facts
        checks = CheckCatalogue.checks(
            CheckContext(
                scope: decision.observed.scope, settings: settings, plan: decision.plan, changes: decision.changes,
                sysctl: decision.sysctl, persistence: decision.persistence, disk: decision.observed.disk,
                facts: facts, uncaptured: decision.uncaptured))
    }

    /// What the user should know besides: a check tells more exactly who drops redirected requests.
    package var notes: [String] {
        decision.notes.filter { note in
            // What a check has told is not told twice.
            let isTold = checks.contains {
                $0.outcome == .failed && $0.evidence.hasPrefix("/") && note.hasPrefix($0.evidence)
            }
            return !isTold && !decision.droppingNotes.contains(note)
        }
    }

    /// The checks with this outcome.
    package func checks(_ outcome: Check.Outcome) -> [Check] { checks.filter { $0.outcome == outcome } }
}

extension Engine {
    /// Looks at everything that a host's settings ask for, also at what apply cannot change.
    ///
    /// - Parameter probeMilliseconds: how long to wait for packets that prove it; nil sends none.
    package func verify(
        _ decision: Decision, for settings: Settings, probeMilliseconds: Int? = nil
    ) throws(Failure) -> Verification {
        var facts = VerificationFacts()
        if let captured = decision.observed.captured { facts.foreignChains = captured.foreignChains }
        if decision.observed.scope.isHost {
            facts.foreignChains = try foreignChains(until: Deadline(seconds: settings.wait))
            try gatherHostFacts(into: &facts)
        }
        facts.probe = probeMilliseconds.map { probe(decision, for: settings, milliseconds: $0) }
        return Verification(decision, settings: settings, facts: facts)
    }
}
