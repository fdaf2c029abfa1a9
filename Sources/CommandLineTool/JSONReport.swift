import Engine
import Model
import Planning

/// Answers for machines. `docs/json.md` describes them.
enum JSONReport {
    /// Raised when a member changes its meaning or goes away; new members do not raise it.
    private static let schema: UInt64 = 1

    /// The answer of apply, diff and remove.
    ///
    /// - Parameter notes: what else to know.
    static func changes(_ decision: Decision, request: Request, command: Command, notes: [String]) -> String {
        let result =
            switch command {
            case .apply, .remove: decision.isFulfilled ? "unchanged" : "changed"
            default: !decision.isFulfilled ? "differs" : decision.uncaptured.isEmpty ? "matches" : "undecided"
            }
        let members = head(command, result) + context(decision, request: request, command: command)
        return JSONValue.object(members + [("notes", strings(notes))]).text
    }

    /// The answer of verify.
    static func checks(_ verification: Verification, request: Request) -> String {
        let decision = verification.decision
        let result =
            !verification.checks(.undecided).isEmpty
            ? "undecided" : verification.checks(.failed).isEmpty ? "matches" : "differs"
        return JSONValue.object(
            head(.verify, result) + context(decision, request: request, command: .verify) + [
                ("checks", .array(verification.checks.map { check($0, request: request) }))
            ] + credentialsUse(verification.facts)
                + (request.probes ? [("ways", .array(Way.ways(verification).map(way)))] : [])
                + [("notes", strings(verification.notes))]
        ).text
    }

    /// What the agent's audit log tells.
    private static func credentialsUse(_ facts: VerificationFacts) -> [(String, JSONValue)] {
        guard case .success(let use)? = facts.credentialsUse else { return [] }
        let times = [("since", use.first), ("last_asked", use.last), ("last_granted", use.lastGranted)]
        let counts = [
            ("requests", use.requests), ("failed", use.failed), ("tasks", use.tasks),
            ("not_understood", use.notUnderstood),
        ]
        let members =
            times.compactMap { name, time in time.map { (name, JSONValue.string($0.description)) } }
            + counts.map { ($0.0, JSONValue.integer(UInt64($0.1))) }
        return [("credentials_use", .object(members))]
    }

    /// The settings that count, the choices made, and the changes.
    private static func context(
        _ decision: Decision, request: Request, command: Command
    ) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = []
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
        return members
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
                ("ways", .array(Way.ways(observation.rules).map(way))),
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

    private static func check(_ check: Check, request: Request) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("id", .string(check.kind.identifier)), ("title", .string(check.title)),
            ("severity", .string(check.kind.severity.rawValue)), ("outcome", .string(check.outcome.rawValue)),
            ("passed", .boolean(check.outcome == .passed)), ("why", .string(check.why)),
        ]
        if !check.evidence.isEmpty { members.append(("evidence", .string(check.evidence))) }
        if check.outcome == .failed { members.append(("problem", .string(check.evidence))) }
        if let mend = check.mend { members.append(("mend", .string(request.command(for: mend)))) }
        return .object(members)
    }

    private static func way(_ way: Way) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("from", .string(way.source)), ("bridges", strings(way.bridges)), ("to", .string(way.target)),
            ("wanted", .string(way.isMeantOpen ? "open" : "closed")),
        ]
        if let packets = way.packets { members.append(("packets", .integer(packets))) }
        if let outcome = way.outcome { members.append(("outcome", .string(outcome.rawValue))) }
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
