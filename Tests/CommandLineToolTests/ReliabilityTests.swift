import Reliability
import Testing

/// What `docs/reliability.md` publishes.
@Suite("The page of what held")
struct ReliabilityTests {
    @Test("tells of every part, and nothing failed")
    func summary() throws {
        let summary = try ReliabilityPage().summary()
        for part in ReliabilityPage.Part.allCases {
            let outcome = try #require(summary[part], "\(part.rawValue): \(part.command) has not been run")
            #expect(outcome.tried > 0 && outcome.failed == 0, "\(part.rawValue)")
            #expect(try !ReliabilityPage().rows(of: part).isEmpty, "\(part.rawValue)")
        }
    }
}
