import Reliability

/// The table of `docs/reliability.md` that `make test-faults` writes: a row for each walk.
enum Page {
    private static let head = [
        "command, backend, persistence", "system calls", "kills", "errors", "other writers", "states gone on from",
        "held", "failed",
    ]

    /// Writes the row of a walk of which all cases were tried, in place of its earlier one.
    ///
    /// - Throws: what `ReliabilityPage` throws.
    static func publish(_ walk: Walk, calls: Int, _ tally: Tally) throws {
        var page = try ReliabilityPage()
        var rows = Dictionary(
            try page.rows(of: .faults).map { ($0[0], $0.dropFirst().compactMap { Int($0) }) },
            uniquingKeysWith: { $1 })
        rows[walk.title] = [
            calls, tally.kills, tally.errors, tally.writers, tally.states, tally.held, tally.failed,
        ]
        let known = Walk.all.compactMap { walk in rows[walk.title].map { (title: walk.title, numbers: $0) } }
        let sums = known.dropFirst().reduce(known[0].numbers) { zip($0, $1.numbers).map(+) }
        // Those of the columns that are cases.
        let (held, failed) = (sums[5], sums[6])
        try page.publish(
            .faults, .init(tried: held + failed, failed: failed), head: head,
            rows: (known + [("**together**", sums)]).map { [$0.0] + $0.1.map(String.init) })
    }
}
