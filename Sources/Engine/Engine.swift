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
        let lock = try HostLock.take(on: host, until: deadline)
        return try lock.whileHeld { () throws(Failure) in try carryOutLocked(until: deadline, decide) }
    }

    private func carryOutLocked(
        until deadline: Deadline, _ decide: (Observation) throws(Failure) -> Decision
    ) throws(Failure) -> Decision {
        let first = try decide(try observe(for: .change, until: deadline))
        var decision = first
        var done: [Step] = []
        while !decision.isFulfilled {
            var failure: Failure?
            do throws(Failure) {
                try refuseObstacles(decision)
                try perform(decision, done: &done, until: deadline)
            } catch {
                failure = error
            }
            decision.observed.release()
            // Where the kernel's answer was lost, only the host tells what happened, whatever the deadline.
            if let failure, failure.kind != .outcomeUnknown, !failure.isTransient || deadline.hasPassed {
                throw undo(done, because: failure, until: deadline)
            }
            if failure != nil { deadline.pause(milliseconds: 2) }
            do throws(Failure) {
                decision = try decide(try observe(for: failure == nil ? .look : .change, until: deadline))
            } catch {
                throw undo(done, because: error, until: deadline)
            }
            if !decision.isFulfilled, deadline.hasPassed {
                decision.observed.release()
                throw undo(done, because: failure ?? notReached(decision), until: deadline)
            }
        }
        decision.observed.release()
        if !decision.plan.needsRouteLocalnet {
            do throws(Failure) { try host.forgetEarlierValues() } catch {
                throw error.with(kind: .trouble, advice: "everything else was done")
            }
        }
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
        let obstacles = decision.obstacles
        if obstacles.isEmpty { return }
        throw Failure(
            .trouble, "\(obstacles.map(\.what).joined(separator: "; ")): what is not ours is not touched",
            advice:
                "take it away (\(obstacles.map(\.advice).joined(separator: "; "))) and try again")
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
            done.append(.record)
            try host.rememberEarlierValue(change.from, of: change.name)
            try commitRules(decision, done: &done, until: deadline)
            done.append(.sysctl(change))
            try writer.write(change.to)
        } else {
            try requireLock(decision)
            done.append(.sysctl(change))
            try writer.write(change.to)
            try commitRules(decision, done: &done, until: deadline)
        }
    }

    /// Nothing is lowered while somebody else keeps the rules from being changed right after.
    private func requireLock(_ decision: Decision) throws(Failure) {
        let installed = decision.observed.iptables
        let isDue = decision.changes.contains { $0.backend == .iptables && !$0.changes.isEmpty }
        if isDue, !installed.liveTables.isEmpty, installed.reservation == nil {
            throw Failure(
                .concurrentChange, "another program holds the xtables lock",
                advice: "try again, or wait longer with --wait SECONDS")
        }
    }

    private func commitRules(_ decision: Decision, done: inout [Step], until deadline: Deadline) throws(Failure) {
        for part in decision.changes where !part.changes.isEmpty {
            let isChosen = part.backend == decision.choice.backend
            let installed = decision.observed[part.backend]
            // Noted first: a commit whose answer is lost may have happened.
            done.append(.rules(part.backend, earlier: installed.rules.compactMap(\.rule)))
            try backend(part.backend).commit(
                isChosen ? decision.plan.rules.map(\.rule) : [], replacing: installed, until: deadline)
        }
    }

    /// Takes back what was done, last first, and tells of it.
    ///
    /// Ends at the first step that cannot be taken back: the earlier ones, such as the guard, are what makes it safe.
    private func undo(_ done: [Step], because failure: Failure, until deadline: Deadline) -> Failure {
        var isChanged = false
        var told: String?
        for step in done.reversed() {
            do throws(Failure) {
                if try undo(step, until: deadline) { isChanged = true }
            } catch {
                told = "undoing failed too (\(error)), so the rest was left as it is; run apply or remove again"
                break
            }
        }
        let outcome = told ?? (isChanged ? "what was done before was undone" : "nothing was changed")
        return failure.with(
            kind: .trouble, advice: [failure.advice, outcome].compactMap { $0 }.joined(separator: "; "))
    }

    /// - Returns: whether there was anything to take back that a person would see.
    private func undo(_ step: Step, until deadline: Deadline) throws(Failure) -> Bool {
        switch step {
        case .record:
            try host.forgetEarlierValues()
            return false
        case .sysctl(let change):
            if try host.sysctl(change.name) == change.from { return false }
            try SysctlWriter(change.name, on: host).write(change.from)
            return true
        case .rules(let kind, let earlier):
            let now = try retrying(until: deadline) { () throws(Failure) in try backend(kind).read(.change) }
            let planned = earlier.map { PlannedRule($0, why: "") }
            if Diff.changes(from: now, to: planned).isEmpty {
                now.reservation?.release()
                return false
            }
            try backend(kind).commit(earlier, replacing: now, until: deadline)
            return true
        }
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
