package import Host
package import Model
import Planning

/// The corridor that every command walks: observe, decide, commit, observe again.
package struct Engine: Sendable {
    let host: Host
    let nftables: any RulesetBackend
    let iptables: any RulesetBackend
    /// What sends packets to prove what the rules do; nil where nothing can.
    let packetProbe: (any PacketProbe)?

    package init(
        host: Host, nftables: any RulesetBackend, iptables: any RulesetBackend, probe: (any PacketProbe)? = nil
    ) {
        self.host = host
        self.nftables = nftables
        self.iptables = iptables
        packetProbe = probe
    }

    /// Reads everything, again while others change the rules in between. Of an image, only the files.
    ///
    /// - Parameter readsDisk: whether what persistence depends on is read too.
    package func observe(
        for purpose: ReadPurpose, readsDisk: Bool, until deadline: Deadline
    ) throws(Failure) -> Observation {
        let disk = try PersistenceFactsReader(host: host).read(isWhole: readsDisk)
        if host.isImage { return Observation(image: disk) }
        return try retrying(until: deadline) { () throws(Failure) in
            Observation(
                nftables: try nftables.read(purpose), iptables: try iptables.read(purpose),
                routeLocalnet: try host.sysctl(Endpoint.routeLocalnet),
                earlierRouteLocalnet: try host.earlierValue(of: Endpoint.routeLocalnet), hasIPv6: host.hasIPv6,
                disk: disk)
        }
    }

    /// The chains on the ways that packets from containers take, again while others change them in between.
    func foreignChains(until deadline: Deadline) throws(Failure) -> [ForeignChain] {
        try retrying(until: deadline) { () throws(Failure) in
            try nftables.readForeignChains() + iptables.readForeignChains()
        }
    }

    /// Makes the host match a decision.
    ///
    /// - Parameters:
    ///   - decide: what an observation asks for; called for each new one.
    ///   - readsDisk: whether what persistence depends on is read too.
    ///   - deadline: when to stop waiting for locks and for other writers.
    /// - Returns: the decision that was carried out, after the host was read back and needed nothing more.
    /// - Throws: `Failure`; what was done has been undone then.
    package func carryOut(
        readsDisk: Bool, until deadline: Deadline, _ decide: (Observation) throws(Failure) -> Decision
    ) throws(Failure) -> Decision {
        let lock = try HostLock.take(on: host, until: deadline)
        return try lock.whileHeld { () throws(Failure) in
            try carryOutLocked(readsDisk: readsDisk, until: deadline, decide)
        }
    }

    private func carryOutLocked(
        readsDisk: Bool, until deadline: Deadline, _ decide: (Observation) throws(Failure) -> Decision
    ) throws(Failure) -> Decision {
        if readsDisk { try host.removeLeftovers() }
        let first = try decide(try observe(for: .change, readsDisk: readsDisk, until: deadline))
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
                decision = try decide(
                    try observe(for: failure == nil ? .look : .change, readsDisk: readsDisk, until: deadline))
            } catch {
                throw undo(done, because: error, until: deadline)
            }
            if !decision.isFulfilled, deadline.hasPassed {
                decision.observed.release()
                throw undo(done, because: failure ?? notReached(decision), until: deadline)
            }
        }
        decision.observed.release()
        if !decision.plan.needsRouteLocalnet, !host.isImage {
            do throws(Failure) { try host.forgetEarlierValues() } catch {
                throw error.with(kind: .trouble, advice: "everything else was done")
            }
        }
        return first
    }

    /// Something done to the host, with what takes it back.
    private enum Step {
        case record
        case rules(BackendKind, earlier: [InstalledRule])
        /// What raises it again must not do so without the localhost guard where the settings ask for that.
        case sysctl(SysctlChange, needsGuard: Bool)
        case disk(PersistenceStep)
        /// The record of what was changed on disk.
        case diskRecord(earlier: Record)
    }

    func backend(_ kind: BackendKind) -> any RulesetBackend { kind == .nftables ? nftables : iptables }

    private func refuseObstacles(_ decision: Decision) throws(Failure) {
        let obstacles = decision.obstacles
        if obstacles.isEmpty { return }
        throw Failure(
            .trouble, "\(obstacles.map(\.what).joined(separator: "; ")): what is not ours is not touched",
            advice: (obstacles.map(\.advice) + ["then try again"]).joined(separator: "; "))
    }

    /// Commits what a decision asks for. What makes the kernel safe is there before the disk says that it shall be open
    /// at the next boot, and stays until the disk does not say so any more.
    private func perform(_ decision: Decision, done: inout [Step], until deadline: Deadline) throws(Failure) {
        if !decision.plan.needsRouteLocalnet { try performOnDisk(decision, done: &done) }
        if !decision.isKernelFulfilled { try performInKernel(decision, done: &done, until: deadline) }
        if decision.plan.needsRouteLocalnet { try performOnDisk(decision, done: &done) }
    }

    /// The record first, so that whatever is interrupted when can be taken back.
    private func performOnDisk(_ decision: Decision, done: inout [Step]) throws(Failure) {
        let plan = decision.persistence
        if plan.isFulfilled { return }
        let earlier = decision.observed.disk.record
        done.append(.diskRecord(earlier: earlier))
        try rememberValueBeforeFile(decision, done: &done)
        try host.write(plan.record.including(earlier))
        for step in plan.steps {
            done.append(.disk(step))
            try host.perform(step)
        }
        try host.write(plan.record)
        // Those that only the record was in.
        for step in plan.steps { if case .emptyFolder = step { try host.perform(step) } }
    }

    /// Where a file of ours is about to set a parameter that somebody else had set before, that is what to go back to.
    private func rememberValueBeforeFile(_ decision: Decision, done: inout [Step]) throws(Failure) {
        let observed = decision.observed
        guard !host.isImage, decision.persistence.record.raisesRouteLocalnet, !observed.disk.raisesRouteLocalnet,
            observed.earlierRouteLocalnet == nil, decision.sysctl == nil
        else { return }
        done.append(.record)
        try host.rememberEarlierValue(observed.routeLocalnet, of: Endpoint.routeLocalnet)
    }

    /// The guard is in place before `route_localnet` is raised, and stays until it is lowered.
    private func performInKernel(_ decision: Decision, done: inout [Step], until deadline: Deadline) throws(Failure) {
        guard let change = decision.sysctl else {
            return try commitRules(decision, done: &done, until: deadline)
        }
        // Opened first: where it cannot be written, nothing is changed.
        let writer = try SysctlWriter(change.name, on: host)
        let step = Step.sysctl(
            change, needsGuard: decision.observed.disk.contents(HostPath.settings)?.forgoesGuard != true)
        if decision.plan.needsRouteLocalnet {
            done.append(.record)
            try host.rememberEarlierValue(change.from, of: change.name)
            try commitRules(decision, done: &done, until: deadline)
            done.append(step)
            try writer.write(change.to)
        } else {
            try requireLock(decision)
            done.append(step)
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
            done.append(.rules(part.backend, earlier: installed.rules))
            try backend(part.backend).commit(
                isChosen ? decision.plan.rules.map(\.rule) : [], replacing: installed, until: deadline)
        }
    }

    /// Takes back what was done, last first, and tells of it.
    ///
    /// Ends at the first step that cannot be taken back: the earlier ones, such as the guard, are what makes it safe. Not at the
    /// record of what was changed on disk: one that says more than there is does no harm.
    private func undo(_ done: [Step], because failure: Failure, until deadline: Deadline) -> Failure {
        var isChanged = false
        var told: String?
        var exceptions: [String] = []
        steps: for step in done.reversed() {
            if case .sysctl(let change, needsGuard: true) = step, mustStayLowered(change) {
                told = "\(change.name) stays \(change.to), as the localhost guard is not live; all else is as it was"
                continue
            }
            do throws(Failure) {
                if try undo(step, until: deadline) { isChanged = true }
            } catch {
                switch step {
                case .diskRecord: exceptions.append("the record says more than there is, so it stays (\(error))")
                case .disk(.service(let action)) where action.verb == .reload: exceptions.append("\(error)")
                default:
                    told = "undoing failed too (\(error)), so the rest was left as it is; run apply or remove again"
                    break steps
                }
            }
        }
        let outcome = told ?? (isChanged ? "what was done before was undone" : "nothing was changed")
        return failure.with(
            kind: .trouble, advice: ([failure.advice, outcome].compactMap { $0 } + exceptions).joined(separator: "; "))
    }

    /// Whether taking a change of `route_localnet` back would open localhost to neighbours.
    private func mustStayLowered(_ change: SysctlChange) -> Bool {
        change.from != "0" && (try? host.sysctl(change.name)) != change.from && isGuardLive != true
    }

    /// - Returns: whether there was anything to take back that a person would see.
    private func undo(_ step: Step, until deadline: Deadline) throws(Failure) -> Bool {
        switch step {
        case .record:
            try host.forgetEarlierValues()
            return false
        case .sysctl(let change, _):
            if try host.sysctl(change.name) == change.from { return false }
            try SysctlWriter(change.name, on: host).write(change.from)
            return true
        case .disk(let step): return try host.takeBack(step)
        case .diskRecord(let earlier):
            // Where the disk is full, it cannot even be written as it is.
            if earlier.isEmpty || (try? PersistenceFactsReader(host: host).record()) != earlier {
                try host.write(earlier)
            }
            return false
        case .rules(let kind, let earlier): return try putBack(earlier, in: kind, until: deadline)
        }
    }

    /// Puts rules back in place of those that are there now.
    ///
    /// One of ours that somebody altered cannot be written again. Without it the others may leave the host open, so that the
    /// new rules stay.
    ///
    /// - Returns: whether others are there now.
    private func putBack(
        _ earlier: [InstalledRule], in kind: BackendKind, until deadline: Deadline
    ) throws(Failure) -> Bool {
        let now = try retrying(until: deadline) { () throws(Failure) in try backend(kind).read(.change) }
        let rules = earlier.compactMap(\.rule)
        let isReadable = rules.count == earlier.count
        let isThere =
            isReadable
            ? Diff.changes(from: now, to: rules.map { PlannedRule($0, why: "") }).isEmpty
            : now.rules.map(\.content) == earlier.map(\.content)
        if isThere || !isReadable { now.reservation?.release() }
        if isThere { return false }
        guard isReadable else {
            throw Failure(
                .trouble, "a rule of ours that was there was altered by somebody, and cannot be written again")
        }
        try backend(kind).commit(rules, replacing: now, until: deadline)
        return true
    }

    private func notReached(_ decision: Decision) -> Failure {
        let count = decision.changeCount
        return Failure(
            .trouble,
            "the host does not stay as it was set: \(count) \(count == 1 ? "difference" : "differences") again after committing",
            advice:
                "another program keeps changing \(host.isImage ? "the image, or one that was run changed nothing" : "the rules"); see diff for what differs, or wait longer with --wait SECONDS"
        )
    }

    func retrying<Value>(
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
    var isTransient: Bool { kind == .concurrentChange || kind == .outcomeUnknown }
}
