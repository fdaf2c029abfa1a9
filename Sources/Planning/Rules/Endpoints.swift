package import Model

/// The fixed addresses and ports of ECS and EC2, each with its source.
package enum Endpoint {
    /// Where SDKs in a container ask for the task's credentials. Amazon ECS developer guide, "Task IAM role".
    package static let credentials = IPPrefix(169, 254, 170, 2)
    /// The port that SDKs ask.
    package static let credentialsPort: UInt16 = 80
    /// Where the ECS agent answers them. amazon-ecs-agent, `agent/handlers/task_server_setup.go`.
    package static let agent = IPPrefix(127, 0, 0, 1)
    /// The port of the agent's credentials endpoint. amazon-ecs-agent, `AgentCredentialsPort`.
    package static let agentPort: UInt16 = 51679
    /// The port of the agent's introspection endpoint. amazon-ecs-agent, `AgentIntrospectionPort`.
    package static let introspectionPort: UInt16 = 51678
    /// The instance metadata service, which also hands out the instance's own credentials. EC2 user guide.
    package static let metadata = IPPrefix(169, 254, 169, 254)
    /// The port of the instance metadata service.
    package static let metadataPort: UInt16 = 80
    /// The instance metadata service over IPv6, `fd00:ec2::254`. EC2 user guide.
    package static let metadata6 = Self.ipv6([0xfd, 0, 0x0e, 0xc2], last: [0x02, 0x54])
    /// The bridge by which requests of tasks in awsvpc mode enter the host. amazon-ecs-agent,
    /// `ecs-agent/netlib/platform` and amazon-ecs-cni-plugins.
    package static let taskBridge = "ecs-bridge"
    /// The loopback network, RFC 1122 section 3.2.1.3.
    package static let loopback = IPPrefix(127, 0, 0, 0, length: 8)
    /// The loopback interface.
    package static let loopbackInterface = InterfacePattern(name: "lo", isWildcard: false)

    /// The kernel parameter that lets requests reach 127.0.0.1 from outside. Kernel documentation, `ip-sysctl`.
    package static let routeLocalnet = "net.ipv4.conf.all.route_localnet"

    private static func ipv6(_ first: [UInt8], last: [UInt8]) -> IPPrefix {
        let zeroes = [UInt8](repeating: 0, count: 16 - first.count - last.count)
        // Sixteen bytes and 128 bits always make a prefix.
        return IPPrefix(bytes: first + zeroes + last, length: 128) ?? loopback
    }
}

extension Rule {
    /// A rule of the catalogue: the comment is our mark and a title.
    init(_ title: String, at place: Place, _ family: AddressFamily, _ matches: [Match], _ action: Action) {
        self.init(place: place, family: family, matches: matches, action: action, comment: Rule.mark + title)
    }
}
