import Engine
import Model

/// The checks in the Test Anything Protocol, version 14 (testanything.org).
enum TAPReport {
    private static let version = "TAP version 14\n"

    static func checks(_ verification: Verification, request: Request) -> String {
        let checks = verification.checks
        if checks.isEmpty { return version + "1..0 # SKIP there is nothing to check\n" }
        let points = checks.enumerated().map { point($0 + 1, $1, request: request) }
        return version + "1..\(checks.count)\n" + points.joined()
    }

    static func failure(_ failure: Failure) -> String { version + "Bail out! \(line(failure.description))\n" }

    private static func point(_ number: Int, _ check: Check, request: Request) -> String {
        let isOK = check.outcome == .passed || check.outcome == .skipped
        let description = escape(line("\(check.kind.identifier) \(check.title)"))
        let head = "\(isOK ? "ok" : "not ok") \(number) - \(description)"
        if check.outcome == .skipped { return "\(head) # SKIP \(escape(line(check.evidence)))\n" }
        if isOK { return head + "\n" }
        var members = [
            ("outcome", check.outcome.rawValue), ("severity", check.kind.severity.rawValue),
            ("evidence", check.evidence), ("why", check.why),
        ]
        if let mend = check.mend { members.append(("mend", request.command(for: mend))) }
        let lines = ["---"] + members.map { "\($0.0): \(scalar($0.1))" } + ["..."]
        return head + "\n" + lines.map { "  \($0)\n" }.joined()
    }

    /// What stands on one line, without what a terminal would take for a command.
    private static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { isPrintable($0) ? $0 : " " }))
    }

    /// A number sign begins a directive, unless a backslash stands before it.
    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("#", with: "\\#")
    }

    /// A double-quoted scalar (YAML 1.2, section 7.3.1). The escapes are those that Perl's reader knows too, wherever it
    /// has any.
    private static func scalar(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _ where isPrintable(scalar): quoted.unicodeScalars.append(scalar)
            case _ where scalar.value <= 0xff: quoted += "\\x" + String(hexadecimal: scalar.value, digits: 2)
            case _ where scalar.value <= 0xffff: quoted += "\\u" + String(hexadecimal: scalar.value, digits: 4)
            default: quoted += "\\U" + String(hexadecimal: scalar.value, digits: 8)
            }
        }
        return quoted + "\""
    }

    /// Whether it may stand for itself in a YAML document (section 5.1), on one line, and in a terminal.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7e, 0xa0...0x2027, 0x202a...0xfefe, 0xff00...0xfffd, 0x10000...: !scalar.isControl
        default: false
        }
    }
}
