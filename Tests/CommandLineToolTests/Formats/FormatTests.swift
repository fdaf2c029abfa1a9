import Laboratory
import Model
import Testing

@testable import CommandLineTool
@testable import Engine

/// Every format, read back by software that others wrote: what goes in must come out.
@Suite("Formats of verify")
struct FormatTests {
    enum State: String, CaseIterable {
        case healthy
        case broken
        /// Every outcome, and texts that each format would take for its own syntax.
        case nasty
    }

    private func verification(_ state: State) throws -> Verification {
        switch state {
        case .healthy: return try Scene.verification(Scene.matching())
        case .broken: return try Scene.verification(Scene.broken())
        case .nasty:
            var verification = try Scene.verification(Scene.broken())
            verification.checks = Self.nasty
            return verification
        }
    }

    private static let texts = [
        "\"<a href='x'>&amp;]]>\\n\\", "two\nlines", "# SKIP not really", "\\# TODO \\\\#",
        "a\tb\rc\u{1}\u{7f}\u{85}\u{9b}31m\u{202e}\u{2066}",
        "\u{2028}\u{feff}\u{fffe}\u{ffff}\u{10ffff}", "naïve ünïcode 🧪 e\u{301}", "  blanks  ", "{brace=\"x\"} 1",
        "---", "", "/etc/a file with #?%", "not ok 1", "Bail out!", "ECS-NET-001",
    ]

    private static let nasty: [Check] = texts.enumerated().flatMap { index, text in
        let kind = CheckKind.allCases[index]
        return [
            Check(kind, text, .passed, evidence: text, why: text),
            Check(kind, text, .failed, evidence: text, why: text, mend: .command(text)),
            Check(kind, text, .failed, evidence: "", why: text, mend: .apply),
            Check(kind, text, .undecided, evidence: text, why: text),
            Check(kind, text, .skipped, evidence: text, why: text),
        ]
    }

    /// A text without what XML 1.0 cannot hold.
    private func inXML(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    (scalar.value < 0x20 && !["\t", "\n", "\r"].contains(scalar))
                        || [0xfffe, 0xffff].contains(scalar.value)
                        ? "\u{fffd}" : scalar
                }))
    }

    /// A text on one line, without blanks at its ends, which no reader keeps.
    private func onLine(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            let isLineBreak = [0x2028, 0x2029, 0x202e, 0x2066, 0xfeff, 0xfffe, 0xffff].contains(scalar.value)
            return scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) || isLineBreak ? " " : scalar
        }
        let line = String(String.UnicodeScalarView(scalars))
        return String(
            line.trimmingPrefix(while: \.isWhitespace).reversed().trimmingPrefix(while: \.isWhitespace).reversed())
    }

    @Test("junit: every check is a case", arguments: State.allCases)
    func junit(_ state: State) throws {
        let verification = try verification(state)
        let document = JUnitReport.checks(verification, request: Scene.request(.verify))
        let rows = try #require(try Reading(document, by: .junit).rows)
        #expect(rows.map(\.id) == verification.checks.map(\.kind.identifier))
        #expect(rows.map(\.title) == verification.checks.map { inXML($0.title) })
        #expect(rows.map(\.outcome) == verification.checks.map(\.outcome.rawValue))
        for (row, check) in zip(rows, verification.checks) where check.outcome != .passed {
            #expect(row.evidence == inXML(check.evidence))
            if check.outcome == .failed { #expect(row.type == check.kind.severity.rawValue) }
            if case .command(let mend)? = check.mend {
                #expect(row.text?.hasSuffix("to mend: " + inXML(mend)) == true)
            }
        }
    }

    @Test("tap: every check is a test point", arguments: State.allCases)
    func tap(_ state: State) throws {
        let verification = try verification(state)
        let document = TAPReport.checks(verification, request: Scene.request(.verify))
        let rows = try #require(try Reading(document, by: .tap).rows)
        #expect(rows.map(\.id) == verification.checks.map(\.kind.identifier))
        #expect(rows.map { onLine($0.title) } == verification.checks.map { onLine($0.title) })
        #expect(rows.map(\.outcome) == verification.checks.map(\.outcome.rawValue))
        for (row, check) in zip(rows, verification.checks) {
            switch check.outcome {
            case .passed: #expect(row.evidence == nil)
            case .skipped: #expect(onLine(row.evidence ?? "") == onLine(check.evidence))
            case .failed, .undecided:
                #expect(row.evidence == check.evidence)
                #expect(row.type == check.kind.severity.rawValue)
                if case .command(let mend)? = check.mend { #expect(row.text == mend) }
            }
        }
    }

    @Test("sarif: what failed or is undecided is a result, with a file", arguments: State.allCases)
    func sarif(_ state: State) throws {
        let verification = try verification(state)
        let document = SARIFReport.checks(verification, request: Scene.request(.verify))
        let reading = try Reading(document, by: .sarif)
        let rows = try #require(reading.rows)
        let told = verification.checks.filter { $0.outcome == .failed || $0.outcome == .undecided }
        #expect(reading.successful == true && reading.notifications == [])
        #expect(rows.map(\.id) == told.map(\.kind.identifier))
        #expect(rows.map(\.title) == told.map(\.title))
        #expect(rows.map(\.outcome) == told.map(\.outcome.rawValue))
        for (row, check) in zip(rows, told) {
            #expect(row.evidence?.contains(check.evidence) == true || check.evidence.isEmpty)
            #expect(row.evidence?.contains(check.why) == true || check.why.isEmpty)
            #expect(row.type == (check.outcome == .failed ? check.kind.severity.rawValue : "none"))
            #expect(row.location?.isEmpty == false)
        }
        let again = try Reading(SARIFReport.checks(verification, request: Scene.request(.verify)), by: .sarif)
        #expect(again.rows?.map(\.fingerprint) == rows.map(\.fingerprint))
    }

    @Test(
        "sarif: a file's place is what a repository or a machine calls it",
        arguments: [
            (nil, "etc/ecs-netsetup.conf"), ("/", "etc/ecs-netsetup.conf"),
            ("/srv/x y", "srv/x%20y/etc/ecs-netsetup.conf"),
            ("golden", "golden/etc/ecs-netsetup.conf"), ("./images//golden/", "images/golden/etc/ecs-netsetup.conf"),
            (".", "etc/ecs-netsetup.conf"),
        ])
    func locations(_ root: String?, _ uri: String) throws {
        var request = Scene.request(.verify)
        request.root = root
        let document = SARIFReport.checks(try verification(.broken), request: request)
        #expect(try #require(try Reading(document, by: .sarif).rows).allSatisfy { $0.location == uri })
        #expect(document.contains("\"uriBaseId\"") == (root?.hasPrefix("/") ?? true))
    }

    @Test("prometheus: what passed is 1 and what failed 0, and no two samples are one", arguments: State.allCases)
    func prometheus(_ state: State) throws {
        let verification = try verification(state)
        let document = PrometheusReport.checks(verification, request: Scene.request(.verify), now: 1_700_000_000)
        let samples = try #require(try Reading(document, by: .prometheus).samples)
        let value = { (name: String) in samples.first { $0.name == "ecs_netsetup_" + name }?.value }
        #expect(value("up") == 1)
        #expect(value("last_run_timestamp_seconds") == 1_700_000_000)
        #expect(value("checks_failed") == Double(verification.checks(.failed).count))
        #expect(value("checks_undecided") == Double(verification.checks(.undecided).count))
        #expect(value("checks_skipped") == Double(verification.checks(.skipped).count))
        for check in verification.checks where check.outcome != .skipped {
            let same = verification.checks.filter { $0.kind == check.kind && $0.title == check.title }
            let found = samples.filter {
                $0.labels["id"] == check.kind.identifier && $0.labels["title"] == check.title
            }
            #expect(found.count == (same.contains { $0.outcome != .undecided } ? 2 : 1))
            let passed = found.first { $0.name == "ecs_netsetup_check" }?.value
            #expect(passed == (same.contains { $0.outcome == .failed } ? 0 : 1))
            let undecided = found.first { $0.name == "ecs_netsetup_check_undecided" }?.value
            #expect(undecided == (same.contains { $0.outcome == .undecided } ? 1 : 0))
        }
    }

    @Test("prometheus: every rule's counter is there")
    func counters() throws {
        let document = PrometheusReport.checks(try verification(.healthy), request: Scene.request(.verify), now: 0)
        let samples = try #require(try Reading(document, by: .prometheus).samples)
        let rules = samples.filter { $0.name == "ecs_netsetup_rule_packets_total" }
        #expect(rules.count == (try Scene.planned().count))
        #expect(rules.first { $0.labels["title"] == "task credentials for containers" }?.value == 1)
    }

    @Test("without a check each is still a whole document")
    func nothing() throws {
        var verification = try verification(.healthy)
        verification.checks = []
        let request = Scene.request(.verify)
        #expect(try Reading(JUnitReport.checks(verification, request: request), by: .junit).rows?.isEmpty == true)
        #expect(try Reading(TAPReport.checks(verification, request: request), by: .tap).rows?.isEmpty == true)
        #expect(try Reading(SARIFReport.checks(verification, request: request), by: .sarif).rows?.isEmpty == true)
        let metrics = PrometheusReport.checks(verification, request: request, now: 0)
        #expect(try Reading(metrics, by: .prometheus).samples?.contains { $0.labels["id"] != nil } == false)
    }

    @Test("a failure is told in each", arguments: texts)
    func failure(_ text: String) throws {
        let failure = Failure(.trouble, text, source: "iptc_init", errno: 1, advice: text)
        let document = JUnitReport.failure(failure, command: .diff)
        #expect(document.contains(#"<testsuite name="ecs-netsetup diff""#))
        let row = try #require(try Reading(document, by: .junit).rows?.first)
        #expect(row.outcome == "undecided" && row.type == "trouble")
        #expect(row.evidence == inXML(text))
        let tap = try Reading(TAPReport.failure(failure), by: .tap)
        #expect(tap.notifications.map { $0.map(onLine) } == [onLine(failure.description)])
        let sarif = try Reading(SARIFReport.failure(failure), by: .sarif)
        #expect(sarif.successful == false && sarif.notifications == [failure.description])
        let samples = try Reading(PrometheusReport.failure(now: 1), by: .prometheus).samples
        #expect(samples?.first { $0.name == "ecs_netsetup_up" }?.value == 0)
    }
}
