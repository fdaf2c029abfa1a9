import Glibc

/// A throw-away ECS host and its neighbourhood, made of network namespaces that no route leads out of.
///
///     container   172.17.0.2 ── docker0 ─┐
///     user        172.18.0.2 ── br-…  ───┤ host 10.0.0.10 ── eth0 ── vpc (IMDS 169.254.169.254, fd00:ec2::254)
///     task        169.254.172.2 ─ ecs-bridge                          └── neighbour 10.0.0.20
package final class Laboratory: Sendable {
    /// The ECS host, with the agent, its introspection and a service for local use.
    package let host: Namespace
    /// A container on docker0.
    package let container: Namespace
    /// A container on a user-defined Docker network.
    package let userContainer: Namespace
    /// A task in awsvpc mode, whose credential requests enter by `ecs-bridge`.
    package let task: Namespace
    /// The instance metadata service.
    package let vpc: Namespace
    /// Another host on the same network.
    package let neighbour: Namespace
    /// What answers on the ECS host as its agent.
    package let agent: StubAgent
    private let services: [Service]

    package static let credentials = "169.254.170.2"
    package static let metadata = "169.254.169.254"
    package static let metadata6 = "fd00:ec2::254"
    package static let hostAddress = "10.0.0.10"
    package static let hostAddress6 = "fd00:10::10"
    /// The host's address on docker0.
    package static let gateway = "172.17.0.1"
    package static let userBridge = "br-0123456789ab"
    package static let introspectionPort: UInt16 = 51678
    package static let agentPort: UInt16 = 51679
    /// A service that the host keeps to itself.
    package static let localPort: UInt16 = 8080

    package init() throws {
        host = try Namespace("host", hasMounts: true)
        container = try Namespace("container")
        userContainer = try Namespace("user container")
        task = try Namespace("task")
        vpc = try Namespace("vpc")
        neighbour = try Namespace("neighbour")
        for namespace in [host, container, userContainer, task, vpc, neighbour] {
            // Link-local addresses are good at once, instead of a second after the link is up.
            try Self.sysctl(namespace, ["ipv6/conf/default/dad_transmits": "0", "ipv6/conf/default/accept_ra": "0"])
        }
        try Self.ip(vpc, Self.vpcNetwork(host: host, neighbour: neighbour))
        try Self.ip(host, Self.hostNetwork(container: container, userContainer: userContainer, task: task))
        try Self.ip(container, Self.containerNetwork("172.17.0", "fd00:17::"))
        try Self.ip(userContainer, Self.containerNetwork("172.18.0", "fd00:18::"))
        try Self.ip(task, Self.taskNetwork)
        try Self.ip(neighbour, Self.neighbourNetwork)
        try Self.sysctl(host, ["ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"])
        // A neighbour with bad intentions, who sends to the host's loopback network.
        try Self.sysctl(neighbour, ["ipv4/conf/all/route_localnet": "1", "ipv4/conf/all/rp_filter": "0"])
        agent = try StubAgent(in: host, introspectionOn: ["0.0.0.0", "::"])
        services = try [
            Service("local", in: host, on: ["127.0.0.1"], port: Self.localPort),
            Service("imds", in: vpc, on: [Self.metadata, Self.metadata6], port: 80, .instanceMetadata),
        ]
        try waitForNetwork()
    }

    /// A bridge's ports and the neighbour tables take a moment; tests measure what comes after.
    private func waitForNetwork() throws {
        for namespace in [container, userContainer, host] {
            for address in [Self.metadata, Self.metadata6] {
                var tries = 20
                while tries > 0, try !namespace.reach(address, port: 80, timeout: 200).isAnswered { tries -= 1 }
                guard tries > 0 else {
                    throw LaboratoryError("\(namespace.name) does not reach \(address) before anything was done")
                }
            }
        }
    }

    package func stop() {
        agent.stop()
        services.forEach { $0.stop() }
    }

    private static func ip(_ namespace: Namespace, _ commands: String) throws {
        try namespace.require(["ip", "-batch", "-"], input: commands)
    }

    private static func sysctl(_ namespace: Namespace, _ values: [String: String]) throws {
        for (name, value) in values { try namespace.writeSysctl(name, value) }
    }

    private static func vpcNetwork(host: Namespace, neighbour: Namespace) -> String {
        """
        link set lo up
        link add vpc0 type bridge mcast_snooping 0
        link add to-host type veth peer name eth0 netns \(host.path)
        link add to-neighbour type veth peer name eth0 netns \(neighbour.path)
        link set to-host master vpc0
        link set to-neighbour master vpc0
        addr add 10.0.0.1/24 dev vpc0
        addr add \(metadata)/32 dev vpc0
        addr add fd00:10::1/64 dev vpc0 nodad
        addr add \(metadata6)/128 dev vpc0 nodad
        link set to-host up
        link set to-neighbour up
        link set vpc0 up
        route add 172.16.0.0/12 via \(hostAddress)
        route add fd00:17::/64 via \(hostAddress6)
        route add fd00:18::/64 via \(hostAddress6)

        """
    }

    private static func hostNetwork(container: Namespace, userContainer: Namespace, task: Namespace) -> String {
        """
        link set lo up
        addr add \(hostAddress)/24 dev eth0
        addr add \(hostAddress6)/64 dev eth0 nodad
        link set eth0 up
        route add default via 10.0.0.1
        route add default via fd00:10::1
        \(bridge("docker0", "\(gateway)/16", "fd00:17::1/64", port: "veth0", to: container))
        \(bridge(userBridge, "172.18.0.1/16", "fd00:18::1/64", port: "veth1", to: userContainer))
        \(bridge("ecs-bridge", "169.254.172.1/22", nil, port: "veth2", to: task))

        """
    }

    private static func bridge(
        _ name: String, _ address: String, _ address6: String?, port: String, to namespace: Namespace
    ) -> String {
        """
        link add \(name) type bridge mcast_snooping 0
        link add \(port) type veth peer name eth0 netns \(namespace.path)
        link set \(port) master \(name)
        addr add \(address) dev \(name)
        \(address6.map { "addr add \($0) dev \(name) nodad" } ?? "")
        link set \(port) up
        link set \(name) up
        """
    }

    private static func containerNetwork(_ prefix: String, _ prefix6: String) -> String {
        """
        link set lo up
        addr add \(prefix).2/16 dev eth0
        addr add \(prefix6)2/64 dev eth0 nodad
        link set eth0 up
        route add default via \(prefix).1
        route add default via \(prefix6)1

        """
    }

    /// As the agent's CNI plugin sets it up: only the credentials' address goes to the host.
    private static let taskNetwork = """
        link set lo up
        addr add 169.254.172.2/22 dev eth0
        link set eth0 up
        route add \(credentials)/32 via 169.254.172.1

        """

    /// Its own loopback interface stays down, so that 127.0.0.0/8 is free to be sent to the host.
    private static let neighbourNetwork = """
        addr add 10.0.0.20/24 dev eth0
        addr add fd00:10::20/64 dev eth0 nodad
        link set eth0 up
        route add 127.0.0.0/8 via \(hostAddress)

        """
}

extension Namespace {
    /// Writes a kernel parameter of the namespace; `name` is the path below `/proc/sys/net`.
    package func writeSysctl(_ name: String, _ value: String) throws {
        try run {
            let file = unsafe open("/proc/sys/net/\(name)", O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { throw LaboratoryError.system("open \(name)") }
            defer { close(file) }
            let bytes = Array(value.utf8)
            guard unsafe write(file, bytes, bytes.count) == bytes.count else {
                throw LaboratoryError.system("write \(name)")
            }
        }
    }

    /// Reads a kernel parameter of the namespace; `name` is the path below `/proc/sys/net`.
    package func readSysctl(_ name: String) throws -> String {
        try run {
            let file = unsafe open("/proc/sys/net/\(name)", O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw LaboratoryError.system("open \(name)") }
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = unsafe read(file, &bytes, bytes.count)
            return String(decoding: bytes.prefix(max(count, 0)).filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        }
    }
}
