import Engine
import Model
import Planning

/// Answers for machines. `docs/json.md` describes them.
enum JSONReport {
    /// Raised when a member changes its meaning or goes away; new members do not raise it.
    private static let schema: UInt64 = 1

    /// The answer of apply, diff, verify and remove.
    ///
    /// - Parameter notes: what else to know.
    static func changes(_ decision: Decision, request: Request, command: Command, notes: [String]) -> String {
        let result =
            switch command {
            case .apply, .remove: decision.isFulfilled ? "unchanged" : "changed"
            default: decision.matches(for: command) ? "matches" : "differs"
            }
        var members = head(command, result)
        if command.needsModes {
            members.append(
                ("modes", .array(Mode.allCases.filter(request.settings.modes.contains).map { .string($0.rawValue) })))
            members.append(
                (
                    "backend",
                    .object([
                        ("name", .string(decision.choice.backend.rawValue)),
                        ("evidence", strings(decision.choice.evidence)),
                    ])
                ))
        }
        if let choice = decision.persistence.choice {
            members.append(
                (
                    "persistence",
                    .object([("mechanism", .string(choice.mechanism.rawValue)), ("reason", .string(choice.reason))])
                ))
        }
        members.append(("changes", .array(ChangeLine.lines(of: decision).map(change))))
        if command == .verify { members.append(("checks", .array(Check.checks(of: decision).map(check)))) }
        members.append(("notes", strings(notes)))
        return JSONValue.object(members).text
    }

    /// The answer of status.
    static func status(_ observation: Observation) -> String {
        let backends = [observation.nftables, observation.iptables].filter(\.holdsOurs).map { installed in
            JSONValue.object([
                ("name", .string(installed.backend.rawValue)),
                ("rules", .array(installed.rules.map(rule))),
                ("defects", strings(installed.defects + installed.obstacles.map(\.what))),
            ])
        }
        var sysctl: [(String, JSONValue)] = [
            ("name", .string(Endpoint.routeLocalnet)), ("value", .string(observation.routeLocalnet)),
        ]
        if let earlier = observation.earlierRouteLocalnet { sysctl.append(("earlier", .string(earlier))) }
        return JSONValue.object(
            head(.status, backends.isEmpty ? "absent" : "installed") + [
                ("backends", .array(backends)), ("sysctl", .object(sysctl)),
                ("files", strings(observation.disk.record.paths)),
            ]
        ).text
    }

    /// The answer of any command that failed.
    static func failure(_ failure: Failure, command: Command?) -> String {
        var error: [(String, JSONValue)] = [("message", .string(failure.subject))]
        if let source = failure.source { error.append(("source", .string(source))) }
        if failure.errno != 0 {
            error.append(("errno", .integer(UInt64(failure.errno))))
            error.append(("reason", .string(Failure.text(ofErrno: failure.errno))))
        }
        if let advice = failure.advice { error.append(("advice", .string(advice))) }
        var members: [(String, JSONValue)] = [("schema", .integer(schema))]
        if let command { members.append(("command", .string(command.rawValue))) }
        return JSONValue.object(members + [("result", .string("error")), ("error", .object(error))]).text
    }

    private static func head(_ command: Command, _ result: String) -> [(String, JSONValue)] {
        [("schema", .integer(schema)), ("command", .string(command.rawValue)), ("result", .string(result))]
    }

    private static func strings(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }

    private static func change(_ line: ChangeLine) -> JSONValue {
        let operation =
            switch line.sign {
            case .add: "add"
            case .remove: "remove"
            case .alter: "alter"
            }
        var members: [(String, JSONValue)] = [("operation", .string(operation)), ("what", .string(line.text))]
        if !line.details.isEmpty { members.append(("details", strings(line.details))) }
        if let why = line.why { members.append(("why", .string(why))) }
        return .object(members)
    }

    private static func check(_ check: Check) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("title", .string(check.title)), ("passed", .boolean(check.hasPassed)), ("why", .string(check.why)),
        ]
        if let problem = check.problem { members.append(("problem", .string(problem))) }
        return .object(members)
    }

    private static func rule(_ installed: InstalledRule) -> JSONValue {
        var members: [(String, JSONValue)] = []
        switch installed.content {
        case .rule(let rule):
            members = [
                ("title", .string(rule.title)), ("family", .string(rule.family.rawValue)),
                ("place", .string(rule.place.rawValue)), ("nft", .string(NftSpelling.specification(rule))),
                ("iptables", .string(IptablesSpelling.append(rule))),
            ]
        case .unknown(let text): members = [("unknown", .string(text))]
        }
        return .object(members + [("packets", .integer(installed.packets)), ("bytes", .integer(installed.bytes))])
    }
}
