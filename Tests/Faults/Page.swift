import Reliability

/// The table of `docs/reliability.md` that `make test-faults` writes: a row for each walk.
struct Page {
    private static let head = [
        "command, backend, persistence", "system calls", "kills", "errors", "other writers", "states gone on from",
        "held", "failed",
    ]

    private var rows: [[String]] = []
    private var sums = [Int](repeating: 0, count: Page.head.count - 1)

    mutating func add(_ walk: Walk, calls: Int, _ tally: Tally) {
        let numbers = [calls, tally.kills, tally.errors, tally.writers, tally.states, tally.held, tally.failed]
        rows.append([walk.title] + numbers.map(String.init))
        sums = zip(sums, numbers).map(+)
    }

    /// - Throws: what `ReliabilityPage` throws.
    func publish(_ total: Tally) throws {
        var page = try ReliabilityPage()
        try page.publish(
            .faults, .init(tried: total.tried, failed: total.failed), head: Self.head,
            rows: rows + [["**together**"] + sums.map(String.init)])
    }
}
