import Engine
import Model
import Planning

/// What failed or could not be told, in the Static Analysis Results Interchange Format 2.1.0 (OASIS).
///
/// What passed or was skipped is only counted: GitHub's code scanning takes every result for an alert, whatever its kind.
enum SARIFReport {
    private static let schema = "https://json.schemastore.org/sarif-2.1.0.json"

    static func checks(_ verification: Verification, request: Request) -> String {
        var fingerprints: [String: Int] = [:]
        let results = verification.checks.filter { $0.outcome == .failed || $0.outcome == .undecided }.map { check in
            let fingerprint = fingerprint(check)
            // Two results with the same fingerprint are one to a reader.
            fingerprints[fingerprint, default: 0] += 1
            return result(check, request, "\(fingerprint):\(fingerprints[fingerprint] ?? 1)")
        }
        let outcomes = [Check.Outcome.passed, .failed, .undecided, .skipped].map {
            ($0.rawValue, JSONValue.integer(UInt64(verification.checks($0).count)))
        }
        return document(
            invocation: [("executionSuccessful", .boolean(true))], results,
            properties: [
                ("backend", .string(verification.decision.choice.backend.rawValue)),
                ("modes", .string(TextReport.modes(request))), ("outcomes", .object(outcomes)),
            ])
    }

    /// No result, and a notification that says why.
    static func failure(_ failure: Failure) -> String {
        let notification = JSONValue.object([("level", .string("error")), ("message", text(failure.description))])
        return document(
            invocation: [
                ("executionSuccessful", .boolean(false)), ("toolExecutionNotifications", .array([notification])),
            ], [], properties: [])
    }

    private static func document(
        invocation: [(String, JSONValue)], _ results: [JSONValue], properties: [(String, JSONValue)]
    ) -> String {
        let driver = JSONValue.object([
            ("name", .string("ecs-netsetup")), ("version", .string(Tool.version)),
            ("semanticVersion", .string(Tool.version)), ("rules", .array(CheckKind.allCases.map(rule))),
        ])
        var run: [(String, JSONValue)] = [
            ("tool", .object([("driver", driver)])), ("invocations", .array([.object(invocation)])),
            ("originalUriBaseIds", .object([(rootFolder, .object([("uri", .string("file:///"))]))])),
            ("results", .array(results)),
        ]
        if !properties.isEmpty { run.append(("properties", .object(properties))) }
        return JSONValue.object([
            ("$schema", .string(schema)), ("version", .string("2.1.0")), ("runs", .array([.object(run)])),
        ]).text
    }

    private static func rule(_ kind: CheckKind) -> JSONValue {
        let consequence =
            switch kind.severity {
            case .error: "tasks do not get their credentials, get the host's, or will not after the next boot"
            case .warning: "it works, but not as it is meant to"
            case .note: "this is worth knowing"
            }
        let help = "What it means and what mends it: docs/checks.md of ecs-netsetup, under \(kind.identifier)."
        return .object([
            ("id", .string(kind.identifier)), ("name", .string("\(kind)")), ("shortDescription", text(kind.question)),
            ("fullDescription", text("It should be so that \(kind.question). Where it is not, \(consequence).")),
            ("help", text(help)),
            ("defaultConfiguration", .object([("level", .string(kind.severity.rawValue))])),
        ])
    }

    private static func result(_ check: Check, _ request: Request, _ fingerprint: String) -> JSONValue {
        let isFailed = check.outcome == .failed
        var message = check.title
        if !check.evidence.isEmpty { message += ": " + check.evidence }
        message += "; " + check.why
        if let mend = check.mend { message += "; to mend: " + request.command(for: mend) }
        let index = CheckKind.allCases.firstIndex(of: check.kind) ?? 0
        return .object([
            ("ruleId", .string(check.kind.identifier)), ("ruleIndex", .integer(UInt64(index))),
            ("kind", .string(isFailed ? "fail" : "open")),
            // Section 3.27.10: none for every kind but fail.
            ("level", .string(isFailed ? check.kind.severity.rawValue : "none")),
            ("message", text(message)), ("locations", .array([location(check, request)])),
            // The only one that GitHub looks at.
            ("partialFingerprints", .object([("primaryLocationLineHash", .string(fingerprint))])),
        ])
    }

    /// The file concerned, or else the settings file; GitHub refuses a document with a result that has no file.
    private static func place(_ check: Check) -> (path: String, line: UInt64) {
        // `/etc/sysctl.d/99-x.conf:1 sets …`: somebody else's line.
        let words = check.evidence.prefix { $0 != " " }.split(separator: ":")
        if check.evidence.hasPrefix("/"), words.count == 2, let line = UInt64(words[1]) {
            return (String(words[0]), line)
        }
        if check.title.hasPrefix("/") { return (check.title, 1) }
        return (check.kind == .agentRestart ? HostPath.agentConfiguration : HostPath.settings, 1)
    }

    private static func location(_ check: Check, _ request: Request) -> JSONValue {
        let (path, line) = place(check)
        let region = JSONValue.object([("startLine", .integer(line))])
        let logical = JSONValue.object([("name", .string(check.title)), ("kind", .string("resource"))])
        return .object([
            ("physicalLocation", .object([("artifactLocation", artifact(path, request)), ("region", region)])),
            ("logicalLocations", .array([logical])),
        ])
    }

    /// What paths begin at that are none of a repository's.
    private static let rootFolder = "ROOT"

    /// An image that is named by a relative path is taken to be in the repository, whose top GitHub begins at.
    private static func artifact(_ path: String, _ request: Request) -> JSONValue {
        let root = request.root ?? ""
        if root.isEmpty || root.hasPrefix("/") {
            return .object([("uri", .string(relative(root + path))), ("uriBaseId", .string(rootFolder))])
        }
        return .object([("uri", .string(relative(root + path)))])
    }

    /// A path as a relative reference (RFC 3986), without empty segments and those that name their own folder.
    private static func relative(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.map { segment in
            segment.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "~"), UInt8(ascii: "+"):
                    String(Unicode.Scalar(byte))
                default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                }
            }.joined()
        }.joined(separator: "/")
    }

    /// The same for the same check in every run, wherever and whatever it finds: FNV-1a, 64 bits.
    private static func fingerprint(_ check: Check) -> String {
        let hash = "\(check.kind.identifier) \(check.title)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }

    private static func text(_ text: String) -> JSONValue { .object([("text", .string(text))]) }
}
