import Host
package import Model
import Planning

extension Engine {
    /// How long a service of the host may take to answer, in milliseconds. The agent answers from memory.
    static let patience = 500

    /// Asks the agent which version it is.
    func askVersion() -> ServiceAnswer {
        host.ask(.port(Endpoint.introspectionPort), path: AgentVersion.metadataPath, milliseconds: Self.patience)
    }

    /// Refuses modes that the running ECS agent is too old for.
    ///
    /// - Returns: what the user should know, a sentence each.
    /// - Throws: `Failure` that names the least version.
    package func checkAgent(for settings: Settings) throws(Failure) -> [String] {
        guard !host.isImage, let least = AgentVersion.least(for: settings.modes) else { return [] }
        let needed = "mode \(least.mode.rawValue) needs \(least.version) or later"
        switch AgentVersionFinding(askVersion(), least: least.version) {
        case .recent: return []
        case .unanswered: return ["no ECS agent answers on port \(Endpoint.introspectionPort); \(needed)"]
        case .unknown:
            return [
                "what answers on port \(Endpoint.introspectionPort) does not say which version of the ECS agent it is; \(needed)"
            ]
        case .tooOld(let version):
            let finding = "the ECS agent is \(version), and \(needed)"
            if settings.acceptsOldAgent { return [finding] }
            throw Failure(
                .trouble, finding,
                source: "http://localhost:\(Endpoint.introspectionPort)\(AgentVersion.metadataPath)",
                advice: "update the agent, or go on with --force-old-agent")
        }
    }

    /// What the user should know of the agent's configuration, where a decision changes it: a sentence.
    package func restartNote(for decision: Decision) -> [String] {
        let starter = decision.observed.disk.agentStarter
        // Where nobody listens, it is no container started by hand that would have to be started anew.
        if !isRestartDue(after: decision) || (starter == .unknown && agentStart == .notListening) { return [] }
        return [
            "the ECS agent reads \(HostPath.agentConfiguration) only when it starts, so a restart is due: \(starter.command)"
        ]
    }

    /// When the agent of this host started.
    var agentStart: AgentStart { host.agentStart(ports: [Endpoint.agentPort, Endpoint.introspectionPort]) }

    private func isRestartDue(after decision: Decision) -> Bool {
        !host.isImage && decision.persistence.changesAgentConfiguration
    }

    /// Whether the agent runs with an older configuration than there is, as after an `apply` that did not restart it, or
    /// that ended before it came to that.
    private func isAgentBehind() throws(Failure) -> Bool {
        guard !host.isImage, let changed = try host.files.modified(HostPath.agentConfiguration)?.time,
            case .at(let start) = agentStart
        else { return false }
        return changed > start
    }

    /// Restarts the agent where a decision changed its configuration, or an earlier one did.
    ///
    /// - Returns: what the user should know, a sentence each.
    package func restartAgent(after decision: Decision) throws(Failure) -> [String] {
        let starter = decision.observed.disk.agentStarter
        if !isRestartDue(after: decision), try !isAgentBehind() { return [] }
        if starter == .unknown {
            return [
                "the ECS agent was not restarted, as it is neither a unit nor an upstart job here: \(starter.command)"
            ]
        }
        try host.restartAgent(starter)
        return ["the ECS agent is being restarted"]
    }
}
