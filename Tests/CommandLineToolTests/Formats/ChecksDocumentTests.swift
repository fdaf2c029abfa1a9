import FoundationEssentials
import Model
import Testing

/// `docs/checks.md` against the checks that there are.
@Suite("The document of checks")
struct ChecksDocumentTests {
    /// The document's sections, one for each check: a heading and what stands below it.
    private func sections() throws -> [String] {
        let file = URL(filePath: #filePath).appending(path: "../../../../docs/checks.md").standardized
        let parts = try String(contentsOf: file, encoding: .utf8).split(separator: "\n### ").dropFirst()
        return parts.map { String($0.prefix(upTo: $0.firstRange(of: "\n## ")?.lowerBound ?? $0.endIndex)) }
    }

    @Test("has every check with its question, in order, and no other")
    func complete() throws {
        let headings = try sections().map { String($0.prefix { $0 != "\n" }) }
        #expect(headings == CheckKind.allCases.map { "\($0.identifier): \($0.question)" })
    }

    @Test("tells of each how bad it is, why it matters, and what mends it", arguments: CheckKind.allCases)
    func parts(_ kind: CheckKind) throws {
        let section = try #require(try sections().first { $0.hasPrefix(kind.identifier) })
        let paragraphs = section.split(separator: "\n\n").dropFirst().map { $0.trimmingPrefix("\n") }
        try #require(paragraphs.count == 3)
        #expect(paragraphs[0] == "Severity: \(kind.severity.rawValue).")
        #expect(paragraphs[1].hasPrefix("Why: ") && paragraphs[1].count > 40)
        #expect(paragraphs[2].hasPrefix("To mend: "))
    }
}
