import Engine
import Model
import Planning

/// The checks as test cases, in the XML that JUnit's Ant task began and CI servers read.
enum JUnitReport {
    static func checks(_ verification: Verification, request: Request) -> String {
        let cases = verification.checks.map { testCase($0, request: request) }
        let counts = [
            ("tests", "\(cases.count)"), ("failures", "\(verification.checks(.failed).count)"),
            ("errors", "\(verification.checks(.undecided).count)"),
            ("skipped", "\(verification.checks(.skipped).count)"),
        ]
        let properties = [
            ("version", Tool.version), ("backend", verification.decision.choice.backend.rawValue),
            ("modes", TextReport.modes(request)),
        ].map { XMLElement("property", [("name", $0.0), ("value", $0.1)]) }
        return document(.verify, counts: counts, [XMLElement("properties", children: properties)] + cases)
    }

    /// One case, with the error.
    ///
    /// - Parameter command: the command that failed; nil where the command line names none.
    static func failure(_ failure: Failure, command: Command?) -> String {
        let error = XMLElement(
            "error", [("message", failure.subject), ("type", failure.kind == .usage ? "usage" : "trouble")],
            text: failure.description)
        let counts = [("tests", "1"), ("failures", "0"), ("errors", "1"), ("skipped", "0")]
        let attributes = [("classname", "ecs-netsetup"), ("name", "could be told")]
        return document(command, counts: counts, [XMLElement("testcase", attributes, children: [error])])
    }

    private static func document(
        _ command: Command?, counts: [(String, String)], _ children: [XMLElement]
    ) -> String {
        let name = ["ecs-netsetup", command?.rawValue].compactMap(\.self).joined(separator: " ")
        let suite = XMLElement("testsuite", [("name", name)] + counts, children: children)
        return XMLElement("testsuites", [("name", "ecs-netsetup")] + counts, children: [suite]).document
    }

    private static func testCase(_ check: Check, request: Request) -> XMLElement {
        let mend = check.mend.map { "to mend: \(request.command(for: $0))" }
        let text = [check.evidence, check.why, mend].compactMap(\.self).filter { !$0.isEmpty }.joined(separator: "\n")
        let outcome: XMLElement? =
            switch check.outcome {
            case .passed: nil
            case .failed:
                XMLElement(
                    "failure", [("message", check.evidence), ("type", check.kind.severity.rawValue)], text: text)
            case .undecided: XMLElement("error", [("message", check.evidence), ("type", "undecided")], text: text)
            case .skipped: XMLElement("skipped", [("message", check.evidence)])
            }
        return XMLElement(
            "testcase", [("classname", check.kind.identifier), ("name", check.title)],
            children: [outcome].compactMap(\.self))
    }
}
