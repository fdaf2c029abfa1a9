import Glibc
import Laboratory

/// One thing that happens at one call of a walk.
struct Case {
    enum Kind: Hashable {
        case kill
        case error(CInt)
        /// Somebody else adds a rule.
        case writer
    }

    /// The call, as an undisturbed run makes it.
    let call: SystemCall
    let kind: Kind

    /// What can happen at the calls of a walk.
    ///
    /// - Parameters:
    ///   - stride: every how many of each kind one is taken; 1 takes all.
    ///   - canFail: whether calls can be made to fail.
    static func all(_ calls: [SystemCall], every stride: Int, canFail: Bool) -> [Case] {
        let kills = calls.map { Case(call: $0, kind: .kill) }
        let errors = calls.flatMap { call in
            canFail ? ErrorTable.errors(of: call).map { Case(call: call, kind: .error($0)) } : []
        }
        let writers = calls.filter { ErrorTable.ruleCalls.contains($0.number) }.map { Case(call: $0, kind: .writer) }
        return [kills, errors, writers].flatMap { cases in
            cases.enumerated().filter { $0.offset % stride == 0 }.map(\.element)
        }
    }

    /// Whether the kernel denies something that is there.
    var isDenial: Bool { kind == .error(ENOENT) && ErrorTable.isLookup(call.number) }

    var description: String {
        let place = "\(ErrorTable.name(call.number)) number \(call.ordinal)"
        switch kind {
        case .kill: return "killed at \(place)"
        case .error(let number): return "\(ErrorTable.name(error: number)) at \(place)"
        case .writer: return "another writer at \(place)"
        }
    }
}

/// How many cases of each kind were tried, and what came of them.
struct Tally {
    private(set) var kills = 0
    private(set) var errors = 0
    private(set) var writers = 0
    /// Runs with an error or another writer that did all the same what they were asked to.
    private(set) var overcome = 0
    private(set) var failed = 0
    /// Those whose run ended before the call was reached: calls are not the same in every run.
    private(set) var missed = 0
    /// Different states of the host that the next run went on from.
    private(set) var states = 0

    var tried: Int { kills + errors + writers }
    var held: Int { tried - failed }

    mutating func count(_ kind: Case.Kind, status: CInt, holds: Bool) {
        switch kind {
        case .kill: kills += 1
        case .error: errors += 1
        case .writer: writers += 1
        }
        if status == 0 { overcome += 1 }
        if !holds { failed += 1 }
    }

    mutating func countMissed() { missed += 1 }
    mutating func countState() { states += 1 }

    mutating func add(_ other: Tally) {
        kills += other.kills
        errors += other.errors
        writers += other.writers
        overcome += other.overcome
        failed += other.failed
        missed += other.missed
        states += other.states
    }
}
