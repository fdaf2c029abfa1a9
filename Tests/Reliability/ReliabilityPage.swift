import FoundationEssentials

/// `docs/reliability.md`: its tables are written by the runs that they tell of.
package struct ReliabilityPage {
    private static let path = "docs/reliability.md"

    /// What was done to the program, and by which command it is done again.
    package enum Part: String, CaseIterable, Sendable {
        case faults = "kills, errors and other writers at every system call"
        case concurrency = "others that write at the same time"
        case leaks = "packets and requests while rules are replaced"
        case hostileInput = "hostile folders, answers and environments"
        case hostileTexts = "hostile texts, by parser"
        case addressSanitizer = "tests under the address sanitizer"
        case threadSanitizer = "tests under the thread sanitizer"

        package var command: String {
            switch self {
            case .faults: "make test-faults"
            case .concurrency, .leaks: "make test-storm"
            case .hostileInput: "make test-hostile"
            case .hostileTexts: "make fuzz"
            case .addressSanitizer: "make test-address"
            case .threadSanitizer: "make test-thread"
            }
        }

        /// The two comments that its table stands between.
        fileprivate var marks: (start: String, end: String) {
            ("<!-- \(self), written by \(command) -->", "<!-- end of \(self) -->")
        }
    }

    /// How many cases were tried, and what came of them.
    package struct Outcome: Equatable, Sendable {
        package let tried: Int
        package let held: Int
        package let failed: Int

        package init(tried: Int, failed: Int) {
            self.tried = tried
            held = tried - failed
            self.failed = failed
        }
    }

    /// A page that is not as the runs write it.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    private var text: String

    /// Reads the page below the working directory.
    ///
    /// - Throws: what Foundation throws where it cannot be read.
    package init() throws { text = try String(contentsOfFile: Self.path, encoding: .utf8) }

    /// What a part's table holds: every row's cells, without the head.
    ///
    /// - Throws: `Fault` where the page has no place for it.
    package func rows(of part: Part) throws -> [[String]] { try Self.rows(text[place(between: part.marks)]) }

    /// What the summary says of each part that has been run.
    ///
    /// - Throws: `Fault` where the page has no summary.
    package func summary() throws -> [Part: Outcome] {
        var summary: [Part: Outcome] = [:]
        for cells in try Self.rows(text[place(between: Self.summaryMarks)]) {
            let numbers = cells.compactMap { Int($0) }
            guard let part = Part(rawValue: cells[0]), numbers.count == 3 else { continue }
            summary[part] = Outcome(tried: numbers[0], failed: numbers[2])
        }
        return summary
    }

    /// Puts a part's table and what came of it in place of the earlier ones, and writes the page.
    ///
    /// - Throws: `Fault` where the page has no place for them, and what Foundation throws where it cannot be written.
    package mutating func publish(_ part: Part, _ outcome: Outcome, head: [String], rows: [[String]]) throws {
        text.replaceSubrange(try place(between: part.marks), with: "\n\n" + Self.table(head, rows) + "\n")
        var summary = try summary()
        summary[part] = outcome
        let known = Part.allCases.compactMap { part in
            summary[part].map { [part.rawValue, "`\(part.command)`", "\($0.tried)", "\($0.held)", "\($0.failed)"] }
        }
        let table = Self.table(["what", "command", "tried", "held", "failed"], known)
        text.replaceSubrange(try place(between: Self.summaryMarks), with: "\n\n" + table + "\n")
        try text.write(toFile: Self.path, atomically: true, encoding: .utf8)
    }

    private static let summaryMarks = ("<!-- summary, written by each of the runs -->", "<!-- end of summary -->")

    private func place(between marks: (start: String, end: String)) throws -> Range<String.Index> {
        guard let first = text.firstRange(of: marks.start), let last = text.firstRange(of: marks.end),
            first.upperBound <= last.lowerBound
        else { throw Fault(description: "\(Self.path) has no place for this: \(marks.start)") }
        return first.upperBound..<last.lowerBound
    }

    private static func rows(_ table: Substring) -> [[String]] {
        let lines = table.split(separator: "\n").filter { $0.hasPrefix("|") }
        return lines.dropFirst(2).map { line in
            line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
        }
    }

    /// Columns of which every row has a number are aligned to the right.
    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let rules = head.indices.map { column in
            rows.allSatisfy { Int($0[column]) != nil } ? "---:" : "---"
        }
        return
            (["| " + head.joined(separator: " | ") + " |", "|" + rules.joined(separator: "|") + "|"]
            + rows.map { "| " + $0.joined(separator: " | ") + " |" }).map { $0 + "\n" }.joined()
    }
}
