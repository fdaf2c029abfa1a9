import Laboratory
import Synchronization

/// Runs a scenario on a host of its own.
struct Concurrency {
    let scenario: Scenario

    /// What came of it.
    struct Outcome {
        var applies = 0
        /// Rounds that the others made.
        var changes = 0
        var refused = 0
        var problems: [String] = []

        mutating func count(_ ending: Ending) {
            applies += 1
            switch ending {
            case .done: break
            case .refused: refused += 1
            case .failed(let why): problems.append(why)
            }
        }
    }

    private static let bridges = ["--bridge-interface", "docker+,br-+"]

    private var common: [String] { ["--backend", scenario.backend, "--persist", scenario.persistence] }
    private var apply: [String] { ["apply", "--mode", "bridge"] + Self.bridges + common }
    /// The same host by other settings, so that each apply of one is a change to the other.
    private var applyOther: [String] { ["apply", "--mode", "bridge,host,awsvpc"] + Self.bridges + common }

    /// - Parameter count: how often `apply` runs.
    func run(applies count: Int) throws -> Outcome {
        let lab = try Laboratory()
        defer { lab.stop() }
        let host = lab.host
        try host.require(["mkdir", "-p", Writer.folder])
        if scenario.persistence == "systemd" { try host.standInForSystemd() }
        var outcome = Outcome()
        let intruder = scenario.losesGuard ? nil : try Intruder(lab)
        defer { intruder?.stop() }
        // Also where something fails: nobody is to be left behind.
        defer { _ = try? host.execute(["touch", Writer.stop]) }
        let holder = try scenario.holder?.start(on: host)
        let writers = try scenario.writers.map { ($0, try $0.start(on: host)) }
        for (writer, _) in writers { try writer.waitForRounds(1, on: host) }
        let rival = try scenario.hasRival ? Rival([applyOther, ["remove"]], on: host) : nil
        for round in 0..<count {
            outcome.count(try Ending.of(round % 2 == 0 ? apply : applyOther, wait: scenario.wait, on: host))
        }
        if let rival { rival.stop(&outcome) }
        try host.require(["touch", Writer.stop])
        for (writer, program) in writers {
            let fault = try writer.fault(status: program.wait(), on: host)
            outcome.changes += try writer.rounds(on: host)
            if let fault { outcome.problems.append(fault) }
        }
        _ = holder?.wait()
        judge(&outcome, intruder, count)
        outcome.problems += try recover(lab)
        return outcome
    }

    /// What has to be so besides the single runs.
    private func judge(_ outcome: inout Outcome, _ intruder: Intruder?, _ count: Int) {
        if let intruder, intruder.answers > 0 {
            outcome.problems.append("a neighbour was answered on 127.0.0.1 \(intruder.answers) times")
        }
        switch scenario.holder {
        case let holder? where holder.isGreedy:
            if outcome.refused != count { outcome.problems.append("\(outcome.refused) of \(count) were refused") }
        case .some: if outcome.refused > 0 { outcome.problems.append("\(outcome.refused) gave up") }
        case nil: if outcome.changes < count / 4 { outcome.problems.append("the others made too few changes") }
        }
    }

    /// Alone again, one apply is enough, and what somebody adds before it stays.
    private func recover(_ lab: Laboratory) throws -> [String] {
        try lab.host.require(["nft", "add", "table", "inet", "somebody-late"])
        let applied = try lab.netsetup(apply)
        try lab.host.restartAgent()
        let verified = try lab.netsetup(["verify"] + apply.dropFirst())
        var problems: [String] = []
        if applied.status != 0 { problems.append("alone again: \(applied.errors)") }
        if verified.status != 0 { problems.append("alone again, verify: \(verified.output)\(verified.errors)") }
        if try !lab.host.require(["nft", "list", "tables"]).contains("somebody-late") {
            problems.append("a table of somebody else's is gone")
        }
        return problems
    }
}

extension Concurrency {
    /// Throws where nobody would notice that a rule is lost, or that a run fails.
    static func requireControl() throws {
        let lab = try Laboratory.Bare()
        try lab.host.require(["mkdir", "-p", Writer.folder])
        let writer = Writer.nft(number: 9)
        let program = try writer.start(on: lab.host)
        try writer.waitForRounds(3, on: lab.host)
        try lab.host.require(["touch", Writer.stop])
        let status = program.wait()
        if let fault = try writer.fault(status: status, on: lab.host) { throw LaboratoryError(fault) }
        // The first rule of the chain: its handle follows the chain's own.
        let chain = "inet somebody-9 c"
        let handle = "nft -a list chain \(chain) | sed -n '/saddr/s/.*# handle //p' | head -n 1"
        try lab.host.require(["sh", "-ec", "nft delete rule \(chain) handle $(\(handle))"])
        guard try writer.fault(status: status, on: lab.host) != nil else {
            throw LaboratoryError("nobody would notice a lost rule")
        }
        guard case .failed = try Ending.of(["apply", "--mode", "nothing"], wait: 1, on: lab.host) else {
            throw LaboratoryError("nobody would notice a run that fails")
        }
    }
}

/// A second ecs-netsetup, whose runs count as well.
private final class Rival: Sendable {
    private let thread: BackgroundThread
    private let endings: Endings

    private final class Endings: Sendable {
        let all = Mutex<[Ending]>([])
    }

    /// - Parameter commands: what it runs, one after the other, again and again.
    init(_ commands: [[String]], on host: Namespace) throws {
        let endings = Endings()
        self.endings = endings
        thread = try BackgroundThread(in: host) { mustStop in
            var round = 0
            while !mustStop() {
                let words = commands[round % commands.count]
                round += 1
                let ending: Ending
                do { ending = try Ending.of(words, wait: 10, on: host) } catch { ending = .failed("\(error)") }
                endings.all.withLock { $0.append(ending) }
            }
        }
    }

    func stop(_ outcome: inout Concurrency.Outcome) {
        thread.stop()
        for ending in endings.all.withLock({ $0 }) { outcome.count(ending) }
    }
}
