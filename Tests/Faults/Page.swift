import FoundationEssentials
import Laboratory

/// The table in `docs/reliability.md`: what stands between two marks is written by `make test-faults`.
enum Page {
    private static let (start, end) = ("<!-- made by make test-faults -->", "<!-- end of make test-faults -->")

    private static let head = """
        | command, backend, persistence | system calls | kills | errors | other writers | states gone on from | held | failed |
        |---|---:|---:|---:|---:|---:|---:|---:|

        """

    static func table(_ results: [Matrix.Result]) -> String {
        var total = Tally()
        for result in results { total.add(result.tally) }
        let calls = results.map(\.calls).reduce(0, +)
        let rows = results.map { row($0.walk.title, $0.calls, $0.tally) } + [row("**together**", calls, total)]
        return head + rows.joined()
    }

    private static func row(_ title: String, _ calls: Int, _ tally: Tally) -> String {
        let numbers = [
            calls, tally.kills, tally.errors, tally.writers, tally.states, tally.held, tally.failed,
        ]
        return "| \(title) | " + numbers.map(String.init).joined(separator: " | ") + " |\n"
    }

    /// Replaces what stands between the marks.
    static func write(_ table: String, to path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let first = text.firstRange(of: start), let last = text.firstRange(of: end) else {
            throw LaboratoryError("\(path) has no marks to write between")
        }
        let new = text[..<first.upperBound] + "\n\n" + table + "\n" + text[last.lowerBound...]
        try String(new).write(toFile: path, atomically: true, encoding: .utf8)
    }
}
