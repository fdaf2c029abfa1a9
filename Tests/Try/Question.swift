import Laboratory

/// Who asks whom.
struct Question: Sendable {
    let who: String
    let what: String
    let from: @Sendable (Laboratory) -> Namespace
    let address: String
    let port: UInt16
    /// Whether it should be answered once ecs-netsetup has done its job.
    let isWanted: Bool
}

extension Question {
    /// What the show asks, before and after.
    static let all: [Question] = [
        Question(
            who: "container", what: "its own credentials", from: { $0.container }, address: Laboratory.credentials,
            port: 80,
            isWanted: true),
        Question(
            who: "host", what: "task credentials", from: { $0.host }, address: Laboratory.credentials, port: 80,
            isWanted: true),
        Question(
            who: "container", what: "the host's credentials (IMDS)", from: { $0.container },
            address: Laboratory.metadata,
            port: 80, isWanted: false),
        Question(
            who: "container", what: "the same over IPv6", from: { $0.container }, address: Laboratory.metadata6,
            port: 80,
            isWanted: false),
        Question(
            who: "container on \(Laboratory.userBridge)", what: "the host's credentials (IMDS)",
            from: { $0.userContainer },
            address: Laboratory.metadata, port: 80, isWanted: false),
        Question(
            who: "host", what: "its credentials (IMDS)", from: { $0.host }, address: Laboratory.metadata, port: 80,
            isWanted: true),
        Question(
            who: "neighbour", what: "a service on the host's 127.0.0.1", from: { $0.neighbour }, address: "127.0.0.1",
            port: Laboratory.localPort, isWanted: false),
        Question(
            who: "neighbour", what: "the agent's introspection", from: { $0.neighbour },
            address: Laboratory.hostAddress,
            port: Laboratory.introspectionPort, isWanted: false),
    ]
}
