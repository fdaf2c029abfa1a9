import Model
import Synchronization
import TestSupport

/// A backend that keeps its rules in memory, tells of every call, and fails as it is told to.
final class FakeBackend: RulesetBackend {
    /// What the next call of `commit` does.
    enum Outcome {
        case succeed
        /// Throws, and changes nothing.
        case fail(Failure)
        /// Changes the rules, and throws nevertheless.
        case succeedAndFail(Failure)
        /// Says that it worked, and changes nothing, as where another program undoes it at once.
        case doNothing
    }

    private struct State {
        var ruleset: InstalledRuleset
        var foreignChains: [ForeignChain] = []
        var outcomes: [Outcome] = []
        var readFailures: [Failure] = []
        var readCount = 0
        var holds: [FakeHold] = []
    }

    let kind: BackendKind
    private let events: Events
    private let state: Mutex<State>

    init(_ kind: BackendKind, events: Events, rules: [Rule] = []) {
        self.kind = kind
        self.events = events
        var ruleset = InstalledRuleset(backend: kind)
        ruleset.rules = rules.map { InstalledRule(.rule($0)) }
        ruleset.holdsOurs = !rules.isEmpty
        state = Mutex(State(ruleset: ruleset))
    }

    var rules: [Rule] { state.withLock { $0.ruleset.rules.compactMap(\.rule) } }
    var readCount: Int { state.withLock { $0.readCount } }

    /// How many of the holds that were handed out have not been given up.
    var heldCount: Int { state.withLock { $0.holds.filter { !$0.isReleased }.count } }
    var holdCount: Int { state.withLock { $0.holds.count } }

    /// Changes what `read` finds.
    func edit(_ change: (inout InstalledRuleset) -> Void) { state.withLock { change(&$0.ruleset) } }

    /// Changes what `readForeignChains` finds.
    func setForeignChains(_ chains: [ForeignChain]) { state.withLock { $0.foreignChains = chains } }

    func readForeignChains() throws(Failure) -> [ForeignChain] { state.withLock { $0.foreignChains } }

    /// What the next calls of `commit` do, in order; after them, all succeed.
    func onCommit(_ outcomes: Outcome...) { state.withLock { $0.outcomes = outcomes } }

    /// The failures of the next calls of `read`.
    func onRead(_ failures: Failure...) { state.withLock { $0.readFailures = failures } }

    func read(_ purpose: ReadPurpose) throws(Failure) -> InstalledRuleset {
        let (failure, ruleset) = state.withLock { state -> (Failure?, InstalledRuleset) in
            state.readCount += 1
            let failure = state.readFailures.isEmpty ? nil : state.readFailures.removeFirst()
            var ruleset = state.ruleset
            if purpose == .change, failure == nil {
                let hold = FakeHold()
                state.holds.append(hold)
                ruleset.reservation = hold
            }
            return (failure, ruleset)
        }
        if let failure { throw failure }
        return ruleset
    }

    func commit(_ rules: [Rule], replacing installed: InstalledRuleset, until deadline: Deadline) throws(Failure) {
        let outcome = state.withLock { $0.outcomes.isEmpty ? .succeed : $0.outcomes.removeFirst() }
        defer { installed.reservation?.release() }
        events.add("\(kind.rawValue): \(rules.count) rules")
        switch outcome {
        case .succeed: replace(rules)
        case .fail(let failure): throw failure
        case .succeedAndFail(let failure):
            replace(rules)
            throw failure
        case .doNothing: break
        }
    }

    private func replace(_ rules: [Rule]) {
        state.withLock { state in
            state.ruleset.rules = rules.map { InstalledRule(.rule($0)) }
            state.ruleset.holdsOurs = !rules.isEmpty
            state.ruleset.defects = []
        }
    }
}

/// A hold on what was read.
final class FakeHold: Reservation {
    private let released = Mutex(false)

    var isReleased: Bool { released.withLock { $0 } }

    func release() { released.withLock { $0 = true } }
}

/// What happened, in order, each with the value that `route_localnet` had then.
final class Events: Sendable {
    private let root: FixtureRoot
    private let list = Mutex<[String]>([])

    init(_ root: FixtureRoot) { self.root = root }

    var all: [String] { list.withLock { $0 } }

    func add(_ event: String) {
        let value = root.read(FakeHost.routeLocalnet)?.first.map(String.init) ?? "?"
        list.withLock { $0.append("\(event), route_localnet \(value)") }
    }
}
