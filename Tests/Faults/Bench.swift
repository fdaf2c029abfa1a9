import Glibc
import Laboratory
import TestSupport

/// A host on which one walk is disturbed again and again, and set back in between.
final class Bench {
    private let walk: Walk
    private let host: FaultyHost
    /// Before ecs-netsetup was there at all.
    private let original: HostState
    private let before: HostState
    private let after: HostState
    /// The calls of an undisturbed run.
    let calls: [SystemCall]

    private(set) var tally = Tally()
    private(set) var problems: [String] = []
    /// States that the next run was seen to go on from.
    private var recovered: Set<HostState> = []
    /// Those after which less was asked of it.
    private var recoveredAfterDenial: Set<HostState> = []

    /// Makes the host and walks once without disturbance. The calling thread is in no namespace yet.
    init(_ walk: Walk) throws {
        let host = try FaultyHost(walk)
        self.walk = walk
        self.host = host
        (original, before, after, calls) = try host.lab.host.run {
            let original = try HostState(of: host.lab.host)
            try host.prepare(walk)
            let before = try HostState(of: host.lab.host)
            let result = try Tracer([Tool.path] + walk.words).run()
            guard result.status == 0 else { throw LaboratoryError("\(walk.title): \(result.errors)") }
            return (original, before, try HostState(of: host.lab.host), result.calls)
        }
        try requireMeaning()
    }

    /// A matrix over a walk that does nothing, or on a host where nothing can be lost, would hold whatever happens.
    private func requireMeaning() throws {
        let isChanging = before != after
        guard isChanging == (walk.command != .noop), after.isGuarded,
            original.rules.foreign.count > 5, before.rules.foreign == original.rules.foreign,
            walk.opens ? before.isClosed && !after.isClosed : after.isClosed
        else { throw LaboratoryError("\(walk.title): the undisturbed run is not what it should be") }
    }

    /// What has to be noticed of a host that somebody spoilt, after a run that was not killed as it should have been.
    private static let control = [
        "without the guard", "IMDS was closed", "rules of others", "ecs.config", "ended with status",
    ]

    /// Spoils the host in every respect that is looked at, and throws where that is not noticed.
    func requireControl() throws {
        let namespace = host.lab.host
        let faults = try namespace.run { [self] in
            let result = try Tracer([Tool.path] + walk.words).run()
            try host.spoil()
            let now = try HostState(of: namespace)
            try before.restore(on: namespace, from: now)
            let kill = Case(call: calls[0], kind: .kill)
            return Judge(walk: walk, before: before, after: after, now: now, result: result, disturbance: kill).faults
        }
        let missing = Self.control.filter { text in !faults.contains { $0.contains(text) } }
        if !missing.isEmpty { throw LaboratoryError("\(walk.title): nobody would notice: \(missing)") }
    }

    /// Tries cases, one after the other.
    func run(_ cases: [Case]) throws {
        let namespace = host.lab.host
        try namespace.run { [self] in
            var now = try HostState(of: namespace)
            for disturbance in cases {
                try before.restore(on: namespace, from: now)
                now = try attempt(disturbance)
            }
        }
    }

    /// - Returns: what the host holds at the end.
    private func attempt(_ disturbance: Case) throws -> HostState {
        let result = try Tracer([Tool.path] + walk.words).run(at: disturbance.call, fault(of: disturbance))
        let now = try HostState(of: host.lab.host)
        guard let hit = result.hit else {
            tally.countMissed()
            return now
        }
        let judge = Judge(walk: walk, before: before, after: after, now: now, result: result, disturbance: disturbance)
        var faults = judge.faults
        var end = now
        if isNew(now, disturbance) {
            tally.countState()
            let (found, state) = try recover(disturbance)
            faults += found
            end = state
        }
        tally.count(disturbance.kind, status: result.status, holds: faults.isEmpty)
        let place = "\(walk.title): \(disturbance.description) (\(ErrorTable.name(hit.number)) \(hit.text))"
        problems += faults.map { "\(place): \($0)" }
        return end
    }

    /// Whether the next run was not yet seen to go on from a state, and notes that it now is.
    private func isNew(_ state: HostState, _ disturbance: Case) -> Bool {
        if recovered.contains(state) { return false }
        return disturbance.isDenial
            ? recoveredAfterDenial.insert(state).inserted : recovered.insert(state).inserted
    }

    private func fault(of disturbance: Case) -> Fault {
        switch disturbance.kind {
        case .kill: .kill
        case .error(let number): .error(number)
        case .writer: .meanwhile { [host] in try host.addForeignRule(disturbance.call.index) }
        }
    }

    /// The next run needs no help, verification holds, and remove leaves what was there before everything.
    private func recover(_ disturbance: Case) throws -> (faults: [String], end: HostState) {
        var faults: [String] = []
        try expect(walk.continuation, &faults)
        var state = try HostState(of: host.lab.host)
        faults += differences(of: state, from: after, disturbance, "after the next run")
        if let words = walk.verification {
            try host.lab.host.restartAgent()
            try expect(words, &faults)
            try expect(["remove"], &faults)
            state = try HostState(of: host.lab.host)
            faults += differences(of: state, from: original, disturbance, "after remove")
        }
        return (faults, state)
    }

    private func expect(_ words: [String], _ faults: inout [String]) throws {
        let result = try host.lab.netsetup(words)
        if result.status != 0 {
            let lines = result.output.split(separator: "\n").filter { !$0.hasPrefix("ok ") && !$0.hasPrefix("skip ") }
            let told = lines.joined(separator: "\n") + result.errors
            faults.append("then \(words[0]) ended with status \(result.status): \(told)")
        }
    }

    private func differences(
        of now: HostState, from expected: HostState, _ disturbance: Case, _ moment: String
    ) -> [String] {
        let (rules, wanted) = (now.rules, expected.rules)
        var faults: [String] = []
        if rules.ours != wanted.ours { faults.append("\(moment): rules of ours differ: \(rules.ours)") }
        if Judge.foreign(rules.foreign, addsRule: disturbance.kind == .writer) != wanted.foreign {
            faults.append("\(moment): rules of others differ: \(rules.foreign)")
        }
        // What was there before is not known any more where it was denied.
        if disturbance.isDenial { return faults }
        if now.routeLocalnet != expected.routeLocalnet {
            faults.append("\(moment): route_localnet is \(now.routeLocalnet)")
        }
        let files = expected.etc.differences(to: now.etc) + expected.record.differences(to: now.record)
        return faults + files.map { "\(moment): \($0)" }
    }
}
