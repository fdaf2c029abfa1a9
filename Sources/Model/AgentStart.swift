/// When the ECS agent that answers on this host started.
package enum AgentStart: Hashable, Sendable {
    case at(UnixTime)
    /// Nobody listens on its ports.
    case notListening
    /// There is one, but its process was not found: why.
    case unknown(String)
}
