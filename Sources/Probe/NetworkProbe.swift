import Glibc
package import Model

/// Proves by packets what the rules do, from namespaces of its own that are joined to the host's bridges for a moment.
package struct NetworkProbe: PacketProbe {
    package init() {}

    package func bridges() throws(Failure) -> [HostBridge] { try RouteSocket().bridges() }

    package func probe(
        _ joins: [ProbeJoin], milliseconds: Int, counters: () throws(Failure) -> [Rule: UInt64],
        tracers: [any PacketTracer]
    ) throws(Failure) -> [BridgeProbe] {
        let lock = Self.lockNetwork()
        let ports = NamespaceThread.map(joins) { join in
            Result { () throws(Failure) in try ProbePort(join.bridge) }
        }
        _ = consume lock
        defer {
            let joined = ports.compactMap { if case .success(let port)? = $0 { port } else { nil } }
            _ = NamespaceThread.map(joined) { $0.leave() }
        }
        var probes: [BridgeProbe] = []
        for (join, port) in zip(joins, ports) {
            switch port {
            case .success(let port)?:
                let trial = Trial(port: port, milliseconds: milliseconds)
                var attempts = try trial.send(join.targets, counters: counters)
                for index in attempts.indices where !attempts[index].isGood {
                    trial.explain(&attempts[index], tracers: tracers)
                }
                probes.append(BridgeProbe(join, .joined(attempts)))
            case .failure(let failure)?: probes.append(BridgeProbe(join, .failed(failure.description)))
            case nil: probes.append(BridgeProbe(join, .failed("no thread could be started")))
            }
        }
        return probes
    }

    /// One probe at a time looks for addresses and takes them: where two take the same, neither gets an answer. The lock is
    /// on the file of the host's network namespace, in which the bridges are.
    ///
    /// - Returns: nil where it cannot be had for long; nobody who holds it keeps a probe from being made.
    private static func lockNetwork() -> FileLock? {
        do throws(Failure) {
            return try FileLock.take(
                try NamespaceThread.openCurrent(), name: "the network namespace", holder: "another probe is being made",
                path: NamespaceThread.current, until: Deadline(seconds: 2))
        } catch {
            return nil
        }
    }
}

/// The packets sent from one bridge.
private struct Trial {
    let port: ProbePort
    let milliseconds: Int

    /// Sends one packet each way, all at once, and waits until every one is answered or counted.
    func send(
        _ targets: [ProbeTarget], counters: () throws(Failure) -> [Rule: UInt64]
    ) throws(Failure) -> [ProbeAttempt] {
        let before = try counters()
        let clock = ContinuousClock.now
        let limit = Deadline(milliseconds: milliseconds)
        var attempts = begin(targets)
        defer { for index in attempts.indices { attempts[index].finish() } }
        var counted = [UInt64](repeating: 0, count: targets.count)
        var took = [Int](repeating: 0, count: targets.count)
        var countedAt = [Deadline?](repeating: nil, count: targets.count)
        while true {
            wait(attempts, milliseconds: 1)
            for index in attempts.indices { attempts[index].advance() }
            let now = try counters()
            for index in attempts.indices {
                counted[index] = Self.rise(targets[index].rules, from: before, to: now)
                if counted[index] > 0, countedAt[index] == nil {
                    countedAt[index] = Deadline(milliseconds: Self.settling)
                }
                let isSettled = countedAt[index]?.hasPassed ?? false
                if took[index] == 0, isOver(attempts[index], counted[index], isSettled: isSettled) {
                    took[index] = (ContinuousClock.now - clock).microseconds
                }
            }
            if !took.contains(0) || limit.hasPassed { break }
        }
        return attempts.indices.map { index in
            attempts[index].finish()
            return ProbeAttempt(
                targets[index], attempts[index].answer ?? .silence, counted: counted[index],
                microseconds: took[index] > 0 ? took[index] : milliseconds * 1000)
        }
    }

    private func begin(_ targets: [ProbeTarget]) -> [Attempt] {
        let begun = NamespaceThread.run(in: port.namespace) {
            targets.map { target in
                target.address.family == .ipv6 && port.address6 == nil
                    ? Attempt(target, port.noIPv6) : Attempt(target)
            }
        }
        return begun ?? targets.map { Attempt($0, .unsent("no thread could be started")) }
    }

    /// How long an answer is waited for after our rule has counted a packet, in milliseconds: it may have been another's.
    private static let settling = 30

    /// A packet to be stopped is decided on when a rule of ours counted it; one to the agent by the answer alone. Where the
    /// rule counted more than the one that was sent, only an answer, or its absence to the end, tells whose they were.
    private func isOver(_ attempt: Attempt, _ counted: UInt64, isSettled: Bool) -> Bool {
        attempt.answer != nil || (counted == 1 && isSettled && attempt.target.way != .credentials)
    }

    private static func rise(_ rules: [Rule], from before: [Rule: UInt64], to now: [Rule: UInt64]) -> UInt64 {
        rules.reduce(0) { sum, rule in
            let (old, new) = (before[rule] ?? 0, now[rule] ?? 0)
            return sum + (new > old ? new - old : 0)
        }
    }

    private func wait(_ attempts: [Attempt], milliseconds: CInt) {
        _ = SystemCall.poll(attempts.compactMap(\.waitsFor), milliseconds: milliseconds)
    }

    /// How long a second packet is waited for, in milliseconds: what becomes of it was seen once.
    private static let secondWait = 30

    /// Sends a second packet, and notes which rules it met.
    func explain(_ attempt: inout ProbeAttempt, tracers: [any PacketTracer]) {
        let target = attempt.target
        if case .unsent = attempt.answer { return }
        guard let source = target.address.family == .ipv4 ? port.address : port.address6 else { return }
        for tracer in tracers {
            do throws(Failure) {
                attempt.steps += try tracer.trace(TracedPacket(source: source, destination: target.address)) {
                    var second = begin([target])
                    let limit = Deadline(milliseconds: Self.secondWait)
                    while second[0].answer == nil, !limit.hasPassed {
                        wait(second, milliseconds: 5)
                        second[0].advance()
                    }
                    second[0].finish()
                }
            } catch {
                attempt.traceFailure = error.description
            }
        }
    }
}

extension Duration {
    /// Rounded down, and at least one, so that it differs from nothing.
    fileprivate var microseconds: Int {
        max(Int(components.seconds) * 1_000_000 + Int(components.attoseconds / 1_000_000_000_000), 1)
    }
}
