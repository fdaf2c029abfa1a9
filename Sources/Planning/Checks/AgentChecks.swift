import Model

/// Whether the ECS agent of a running host does its part.
enum AgentChecks {
    // MARK: It answers

    static func listener(_ context: CheckContext) -> [Check] {
        guard let agent = context.facts.agent else { return [] }
        return [
            Check(
                .agentListener, "agent on \(endpoint)", problem: problem(of: agent.credentials), seen: "answers",
                why: "only the agent has the tasks' credentials", mend: .command(mend(agent)))
        ]
    }

    private static let endpoint = "127.0.0.1:\(Endpoint.agentPort)"

    private static func problem(of answer: ServiceAnswer) -> String? {
        switch answer {
        case .refused: "nobody listens"
        case .silence(let milliseconds): "accepts no connection or gives no answer within \(milliseconds) ms"
        case .failed(let source, let errno): "cannot be asked: \(source): \(Failure.text(ofErrno: errno))"
        case .other(let line): line.isEmpty ? "hangs up without an answer" : "something else answers: \(line)"
        case .http(let status, let line, let body):
            isRefusal(body) && status == 400
                ? nil
                : isIntrospection(body)
                    ? "introspection answers there, not the credentials endpoint" : "something else answers: \(line)"
        }
    }

    /// The agent's own answer to a request without a credentials ID. amazon-ecs-agent, `NoIdInRequest`.
    private static func isRefusal(_ body: [UInt8]) -> Bool { member("code", of: body)?.string == "NoIdInRequest" }

    /// How introspection answers what it does not know. amazon-ecs-agent, `RootResponse`.
    private static func isIntrospection(_ body: [UInt8]) -> Bool { member("AvailableCommands", of: body) != nil }

    /// A member of an answer that is one object.
    private static func member(_ name: String, of body: [UInt8]) -> JSONValue? {
        do throws(JSONParser.Fault) { return try JSONParser.parse(body)[name] } catch { return nil }
    }

    private static func mend(_ agent: AgentFacts) -> String {
        switch agent.credentials {
        case .refused, .silence, .failed:
            // There is no container to run again.
            agent.start == .notListening && agent.starter == .unknown ? start : agent.starter.command
        case .http, .other: lookForListener
        }
    }

    /// How a person starts the agent, where nothing tells how this host does.
    static let start = "start the ECS agent, with ECS_ENABLE_TASK_IAM_ROLE=true in \(HostPath.agentConfiguration)"

    /// How a person finds who listens on the agent's port in its place.
    static let lookForListener = "see what listens there: ss -ltnp 'sport = :\(Endpoint.agentPort)'"

    // MARK: Its version

    static func version(_ context: CheckContext) -> [Check] {
        guard let agent = context.facts.agent, let least = AgentVersion.least(for: context.settings.modes) else {
            return []
        }
        let needed = "mode \(least.mode.rawValue) needs \(least.version) or later"
        func check(_ outcome: Check.Outcome, _ evidence: String, mend: Check.Mend? = nil) -> [Check] {
            [
                Check(
                    .agentVersion, "version of the agent", outcome, evidence: evidence,
                    why: "older agents do not hand out credentials in every mode", mend: mend)
            ]
        }
        switch AgentVersionFinding(agent.introspection, least: least.version) {
        case .recent(let version): return check(.passed, version.description)
        case .tooOld(let version):
            return check(
                .failed, "is \(version), and \(needed)",
                mend: .command("update the ECS agent to \(least.version) or later"))
        case .unanswered:
            return problem(of: agent.credentials) == nil
                ? check(.undecided, "nobody answers on port \(Endpoint.introspectionPort); \(needed)")
                : check(.skipped, "nobody answers on port \(Endpoint.introspectionPort), as the agent does not")
        case .unknown:
            return check(
                .undecided,
                "what answers on port \(Endpoint.introspectionPort) does not say which version it is; \(needed)")
        }
    }

    // MARK: Its configuration

    static func restart(_ context: CheckContext) -> [Check] {
        guard let agent = context.facts.agent else { return [] }
        func check(_ outcome: Check.Outcome, _ evidence: String, mend: Check.Mend? = nil) -> [Check] {
            [
                Check(
                    .agentRestart, "configuration that the agent runs with", outcome, evidence: evidence,
                    why: "the agent reads \(HostPath.agentConfiguration) only when it starts", mend: mend)
            ]
        }
        switch (agent.start, agent.configurationChanged) {
        case (.notListening, _): return check(.skipped, "no agent runs")
        case (_, nil): return check(.passed, "there is no \(HostPath.agentConfiguration)")
        case (.unknown(let reason), _):
            return check(.undecided, "it cannot be told when the agent started: \(reason)")
        case (.at(let start), let changed?):
            return changed <= start
                ? check(.passed, "started \(start), after the last change")
                : check(
                    .failed, "started \(start), and \(HostPath.agentConfiguration) was changed \(changed)",
                    mend: .command(agent.starter.command))
        }
    }
}
