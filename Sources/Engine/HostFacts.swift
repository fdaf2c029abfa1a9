import Host
package import Model
import Planning

/// What verify looks at on a running host besides its rules and files.
extension Engine {
    func gatherHostFacts(into facts: inout VerificationFacts) throws(Failure) {
        facts.bridges = Result { () throws(Failure) in try host.bridges }
        // Without them, less can be told of rules that ask for a sender.
        let bridges = (try? packetProbe?.bridges()) ?? []
        facts.networks = Dictionary(bridges.map { ($0.name, $0.addresses) }) { first, _ in first }
        let networks = host.ask(
            .socket(DockerNetworks.sockets), path: DockerNetworks.path, milliseconds: Self.patience, most: 4 << 20)
        facts.dockerNetworks = networks.body.flatMap(DockerNetworks.parse)
        facts.agent = try agentFacts()
        facts.credentialsUse = Result { () throws(Failure) in try credentialsUse() }
    }

    /// What the user should know of the host's bridges: a sentence.
    package func bridgeNotes(for settings: Settings) -> [String] {
        if host.isImage { return [] }
        // Where they cannot be listed, verify says why; it is no reason not to apply.
        do throws(Failure) { return BridgeChecks.notes(bridges: try host.bridges, settings: settings) } catch {
            return []
        }
    }

    private func agentFacts() throws(Failure) -> AgentFacts {
        AgentFacts(
            credentials: host.ask(
                .port(Endpoint.agentPort), path: AgentFacts.credentialsPath, milliseconds: Self.patience),
            introspection: askVersion(),
            start: agentStart,
            configurationChanged: try host.files.modified(HostPath.agentConfiguration)?.time,
            starter: try host.agentStarter)
    }

    private func credentialsUse() throws(Failure) -> CredentialsUse {
        var reader = AuditLogReader()
        try host.readAuditLogs { bytes, isCut in
            reader.beginFile(isCut: isCut)
            reader.take(bytes)
        }
        reader.endFile()
        return reader.result
    }
}
