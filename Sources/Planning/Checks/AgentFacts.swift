package import Model

/// What is known of the ECS agent of a running host.
package struct AgentFacts: Sendable {
    /// What answers a request for credentials that names none.
    package let credentials: ServiceAnswer
    /// What answers at introspection, asked for the version.
    package let introspection: ServiceAnswer
    package let start: AgentStart
    /// When its configuration was last changed; nil where there is none.
    package let configurationChanged: UnixTime?
    package let starter: AgentStarter

    package init(
        credentials: ServiceAnswer, introspection: ServiceAnswer, start: AgentStart, configurationChanged: UnixTime?,
        starter: AgentStarter
    ) {
        self.credentials = credentials
        self.introspection = introspection
        self.start = start
        self.configurationChanged = configurationChanged
        self.starter = starter
    }

    /// What is asked for, which harms nothing: the agent refuses a request that names no credentials.
    /// amazon-ecs-agent, `agent/handlers/v2`.
    package static let credentialsPath = "/v2/credentials/"
}

/// Whether an agent is recent enough for some modes.
package enum AgentVersionFinding: Hashable, Sendable {
    case recent(AgentVersion)
    case tooOld(AgentVersion)
    /// Nobody answers.
    case unanswered
    /// What answers does not say which version it is.
    case unknown

    /// - Parameter answer: what introspection answered.
    package init(_ answer: ServiceAnswer, least: AgentVersion) {
        switch answer {
        case .refused, .silence, .failed: self = .unanswered
        case .http, .other:
            guard let body = answer.body, let version = AgentVersion(metadata: body) else {
                self = .unknown
                return
            }
            self = version < least ? .tooOld(version) : .recent(version)
        }
    }
}
