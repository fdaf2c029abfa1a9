import FoundationEssentials
import Laboratory

/// The table in `docs/reliability.md`: what stands between two marks is written by `make test-faults`, a row for each walk.
enum Page {
    private static let path = "docs/reliability.md"
    private static let (start, end) = ("<!-- made by make test-faults -->", "<!-- end of make test-faults -->")
    private static let together = "**together**"

    private static let head = """
        | command, backend, persistence | system calls | kills | errors | other writers | states gone on from | held | failed |
        |---|---:|---:|---:|---:|---:|---:|---:|

        """

    /// Writes the row of a walk of which all cases were tried, in place of its earlier one.
    static func write(_ walk: Walk, calls: Int, _ tally: Tally) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let first = text.firstRange(of: start), let last = text.firstRange(of: end) else {
            throw LaboratoryError("\(path) has no marks to write between")
        }
        var rows = numbers(of: text[first.upperBound..<last.lowerBound])
        rows[walk.title] = [
            calls, tally.kills, tally.errors, tally.writers, tally.states, tally.held, tally.failed,
        ]
        let new = text[..<first.upperBound] + "\n\n" + table(rows) + "\n" + text[last.lowerBound...]
        try String(new).write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// The numbers of each row that is there.
    private static func numbers(of table: Substring) -> [String: [Int]] {
        var rows: [String: [Int]] = [:]
        for line in table.split(separator: "\n") {
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            let numbers = cells.dropFirst().compactMap { Int($0) }
            if let title = cells.first, numbers.count == 7 { rows[title] = numbers }
        }
        return rows
    }

    private static func table(_ rows: [String: [Int]]) -> String {
        let known = Walk.all.compactMap { walk in rows[walk.title].map { (walk.title, $0) } }
        let sums = (0..<7).map { column in known.map { $0.1[column] }.reduce(0, +) }
        return head + (known + [(together, sums)]).map(row).joined()
    }

    private static func row(_ title: String, _ numbers: [Int]) -> String {
        "| \(title) | " + numbers.map(String.init).joined(separator: " | ") + " |\n"
    }
}
