/// An ECS agent, as far as ecs-netsetup can tell: it answers on both ports as the real one does.
package struct StubAgent: Sendable {
    /// What the tests take it for, where they do not say otherwise.
    package static let version = "v1.105.1"

    /// The answer to a request for credentials that names none. amazon-ecs-agent, `CredentialsHandlerImpl`.
    package static let noIdentifier = """
        {"code":"NoIdInRequest","message":"CredentialsV2Request: No Credential ID in the request","HTTPErrorCode":400}
        """

    /// The answer of introspection to a path that it does not know.
    package static let commands = """
        {"AvailableCommands":["/v1/metadata","/v1/tasks","/license"]}
        """

    /// The answer of introspection to `/v1/metadata`.
    package static func metadata(_ version: String) -> String {
        """
        {"Cluster":"default","ContainerInstanceArn":null,"Version":"Amazon ECS Agent - \(version) (*0a1b2c3d)"}
        """
    }

    /// Where a task asks for its credentials: what the agent puts into its
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
    package static let credentialsPath = "/v2/credentials/5b51a1a5-4c3e-4f0e-9c59-1d7a3f1d2b60"

    /// The key by which the task's credentials are told from others.
    package static let taskKey = "ASIATASK000000000001"

    /// The answer to a task that asks for its credentials.
    static let taskCredentials = """
        {"RoleArn":"arn:aws:iam::111122223333:role/task","AccessKeyId":"\(taskKey)","SecretAccessKey":"secret",\
        "Token":"token","Expiration":"2099-12-31T23:59:59Z"}
        """

    private let services: [Service]

    /// - Parameters:
    ///   - introspectionAddresses: where introspection listens.
    ///   - version: what it says it is.
    package init(
        in namespace: Namespace, introspectionOn introspectionAddresses: [String] = ["0.0.0.0"],
        version: String = StubAgent.version
    ) throws {
        services = [
            try Service("agent", in: namespace, on: ["127.0.0.1"], port: Laboratory.agentPort, .credentials()),
            try Service(
                "introspection", in: namespace, on: introspectionAddresses, port: Laboratory.introspectionPort,
                .introspection(version: version)),
        ]
    }

    package func stop() { services.forEach { $0.stop() } }

    /// The name of the service whose answer this is; nil where it is neither of these.
    static func service(of answer: String) -> String? {
        if answer.contains("\"NoIdInRequest\"") { return "agent" }
        return answer.contains("\"AvailableCommands\"") || answer.contains("Amazon ECS Agent") ? "introspection" : nil
    }
}

extension Namespace {
    /// Makes it look as if the agent had been restarted after its configuration was changed: the stub is part of the
    /// tests' own process, so it is the configuration that gets older.
    package func restartAgent() throws {
        try require(["sh", "-c", "if [ -e /etc/ecs/ecs.config ]; then touch -d @1 /etc/ecs/ecs.config; fi"])
    }
}
