package import Host
package import Model
import Planning

/// The corridor that every command walks: observe, decide, commit, observe again.
package struct Engine: Sendable {
    private let host: Host
    private let nftables: any RulesetBackend
    private let iptables: any RulesetBackend

    package init(host: Host, nftables: any RulesetBackend, iptables: any RulesetBackend) {
        self.host = host
        self.nftables = nftables
        self.iptables = iptables
    }

    /// Reads everything, again while others change the rules in between.
    package func observe(for purpose: ReadPurpose, until deadline: Deadline) throws(Failure) -> Observation {
        try retrying(until: deadline) { () throws(Failure) in
            Observation(
                nftables: try nftables.read(purpose), iptables: try iptables.read(purpose),
                routeLocalnet: try host.sysctl(Endpoint.routeLocalnet),
                earlierRouteLocalnet: try host.earlierValue(of: Endpoint.routeLocalnet), hasIPv6: host.hasIPv6)
        }
    }

    /// Makes the host match a decision.
    ///
    /// - Parameters:
    ///   - decide: what an observation asks for; called for each new one.
    ///   - deadline: when to stop waiting for locks and for other writers.
    /// - Returns: the decision that was carried out, after the host was read back and needed nothing more.
    /// - Throws: `Failure`; what was done has been undone then.
    package func carryOut(
        until deadline: Deadline, _ decide: (Observation) throws(Failure) -> Decision
    ) throws(Failure) -> Decision {
        let first = try decide(try observe(for: .change, until: deadline))
        var decision = first
        var done: [Step] = []
        while !decision.isFulfilled {
            do throws(Failure) {
                try refuseObstacles(decision)
                try perform(decision, done: &done, until: deadline)
                decision.observed.release()
                decision = try decide(try observe(for: .look, until: deadline))
                if !decision.isFulfilled, deadline.hasPassed { throw notReached(decision) }
            } catch {
                decision.observed.release()
                guard error.isTransient, !deadline.hasPassed else {
                    throw undo(done, because: error, until: deadline)
                }
                deadline.pause(milliseconds: 2)
                decision = try decide(try observe(for: .change, until: deadline))
            }
        }
        decision.observed.release()
        if !decision.plan.needsRouteLocalnet { try host.forgetEarlierValues() }
        return first
    }

    /// Something done to the host, with what takes it back.
    private enum Step {
        case record
        case rules(BackendKind, earlier: [Rule])
        case sysctl(SysctlChange)
    }

    private func backend(_ kind: BackendKind) -> any RulesetBackend { kind == .nftables ? nftables : iptables }

    private func refuseObstacles(_ decision: Decision) throws(Failure) {
        let obstacles = decision.changes.flatMap(\.changes).compactMap { change in
            if case .obstacle(let obstacle) = change { obstacle } else { nil }
        }
        if obstacles.isEmpty { return }
        throw Failure(
            .trouble, "\(obstacles.map(\.what).joined(separator: "; ")): what is not ours is not touched",
            advice:
                "take it away (\(obstacles.map(\.advice).joined(separator: "; "))) and try again; nothing was changed")
    }

    /// Commits what a decision asks for. The guard is in place before `route_localnet` is raised, and stays until it
    /// is lowered.
    private func perform(_ decision: Decision, done: inout [Step], until deadline: Deadline) throws(Failure) {
        guard let change = decision.sysctl else {
            return try commitRules(decision, done: &done, until: deadline)
        }
        // Opened first: where it cannot be written, nothing is changed.
        let writer = try SysctlWriter(change.name, on: host)
        if decision.plan.needsRouteLocalnet {
            try host.rememberEarlierValue(change.from, of: change.name)
            done.append(.record)
            try commitRules(decision, done: &done, until: deadline)
            try writer.write(change.to)
            done.append(.sysctl(change))
        } else {
            try writer.write(change.to)
            done.append(.sysctl(change))
            try commitRules(decision, done: &done, until: deadline)
        }
    }

    private func commitRules(_ decision: Decision, done: inout [Step], until deadline: Deadline) throws(Failure) {
        for part in decision.changes where !part.changes.isEmpty {
            let isChosen = part.backend == decision.choice.backend
            let installed = decision.observed[part.backend]
            try backend(part.backend).commit(
                isChosen ? decision.plan.rules.map(\.rule) : [], replacing: installed, until: deadline)
            done.append(.rules(part.backend, earlier: installed.rules.compactMap(\.rule)))
        }
    }

    /// Takes back what was done, last first, and tells of it.
    private func undo(_ done: [Step], because failure: Failure, until deadline: Deadline) -> Failure {
        var told: [String] = []
        for step in done.reversed() {
            do throws(Failure) {
                switch step {
                case .record: try host.forgetEarlierValues()
                case .sysctl(let change): try SysctlWriter(change.name, on: host).write(change.from)
                case .rules(let kind, let earlier):
                    let now = try backend(kind).read(.change)
                    try backend(kind).commit(earlier, replacing: now, until: deadline)
                }
            } catch {
                told.append("undoing failed too (\(error))")
            }
        }
        let isVisible = done.contains { if case .record = $0 { false } else { true } }
        if told.isEmpty, isVisible { told.append("what was done before was undone") }
        let advice = [failure.advice].compactMap { $0 } + told
        return failure.with(kind: .trouble, advice: advice.isEmpty ? nil : advice.joined(separator: "; "))
    }

    private func notReached(_ decision: Decision) -> Failure {
        Failure(
            .trouble,
            "the host does not stay as it was set: \(decision.changeCount) differences again after committing",
            advice: "another program keeps changing the rules; stop it, or wait longer with --wait SECONDS")
    }

    private func retrying<Value>(
        until deadline: Deadline, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        while true {
            do throws(Failure) {
                return try body()
            } catch let error where error.isTransient && !deadline.hasPassed {
                deadline.pause(milliseconds: 2)
            }
        }
    }
}

extension Failure {
    /// Whether reading and deciding again may help.
    fileprivate var isTransient: Bool { kind == .concurrentChange || kind == .outcomeUnknown }
}
