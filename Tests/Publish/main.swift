import FoundationEssentials
import Glibc
import Reliability

/// `publish PART NOTES`: puts what a run noted into `docs/reliability.md`. Each line of the notes is a row of the table: what
/// was tried, how many cases, and how many of them failed.
let arguments = CommandLine.arguments
guard arguments.count == 3, let part = ReliabilityPage.Part.allCases.first(where: { "\($0)" == arguments[1] }) else {
    print("usage: publish \(ReliabilityPage.Part.allCases.map { "\($0)" }.joined(separator: "|")) NOTES")
    exit(2)
}

struct Row {
    let what: String
    let tried: Int
    let failed: Int
}

do {
    let rows: [Row] = try String(contentsOfFile: arguments[2], encoding: .utf8).split(separator: "\n").map { line in
        let cells = line.split(separator: "\t").map(String.init)
        guard cells.count == 3, let tried = Int(cells[1]), let failed = Int(cells[2]) else {
            throw ReliabilityPage.Fault(description: "not a row: \(line)")
        }
        return Row(what: cells[0], tried: tried, failed: failed)
    }
    let outcome = ReliabilityPage.Outcome(
        tried: rows.map(\.tried).reduce(0, +), failed: rows.map(\.failed).reduce(0, +))
    guard outcome.tried > 0 else { throw ReliabilityPage.Fault(description: "nothing was tried") }
    var page = try ReliabilityPage()
    try page.publish(
        part, outcome, head: ["what", "tried", "failed"],
        rows: rows.sorted { $0.what < $1.what }.map { [$0.what, "\($0.tried)", "\($0.failed)"] })
    print("\(part.rawValue): \(outcome.tried) tried, \(outcome.held) held, \(outcome.failed) failed")
    exit(outcome.failed == 0 ? 0 : 1)
} catch {
    print("publish: \(error)")
    exit(2)
}
