import Glibc
import Laboratory
import Synchronization

/// A walk with every case, on several hosts at a time.
struct Matrix {
    /// Every how many cases of a kind one is tried; 1 tries all.
    let stride: Int

    private static let workers = 2
    /// How many problems are printed of a walk.
    private static let mostShown = 12

    /// - Returns: how many calls an undisturbed run makes, and what came of the disturbed ones.
    func run(_ walk: Walk) throws -> (calls: Int, tally: Tally) {
        let began = Self.now()
        let found = Mutex<(calls: Int, tally: Tally, problems: [String], error: (any Error)?)>((0, Tally(), [], nil))
        let place = try Namespace("worker")
        let stride = stride
        let threads = try (0..<Self.workers).map { worker in
            try BackgroundThread(in: place) { _ in
                do {
                    let bench = try Bench(walk)
                    if walk.command == .noop { try bench.requireControl() }
                    let cases = Case.all(bench.calls, every: stride, canFail: Tracer.canFail)
                    let share = cases.enumerated().filter { $0.offset % Self.workers == worker }
                    try bench.run(share.map(\.element))
                    found.withLock {
                        $0.calls = bench.calls.count
                        $0.tally.add(bench.tally)
                        $0.problems += bench.problems
                    }
                } catch {
                    found.withLock { $0.error = error }
                }
            }
        }
        for thread in threads { thread.stop() }
        return try found.withLock { found in
            if let error = found.error { throw error }
            for problem in found.problems.prefix(Self.mostShown) { print("  " + problem) }
            let more = found.problems.count - Self.mostShown
            if more > 0 { print("  and \(more) more") }
            print(Self.line(walk, found.calls, found.tally, seconds: Self.now() - began))
            fflush(nil)
            return (found.calls, found.tally)
        }
    }

    private static func line(_ walk: Walk, _ calls: Int, _ tally: Tally, seconds: Int) -> String {
        "\(walk.title): \(calls) calls; \(tally.kills) kills, \(tally.errors) errors, \(tally.writers) other writers;"
            + " \(tally.overcome) overcome, \(tally.states) different states; \(tally.held) held, \(tally.failed) failed,"
            + " \(tally.missed) not reached; \(seconds) s"
    }

    private static func now() -> Int {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }
}
