import Glibc
import Laboratory

/// What the host's `iptables` writes to, and so Docker.
enum Flavour: String, CaseIterable, Sendable {
    case nft
    case legacy
}

/// A network that a container may be in.
enum Network: String, CaseIterable, Sendable {
    /// Docker's own, docker0.
    case bridge
    /// A user-defined one that was there before anything was applied.
    case user
    /// A user-defined one that was created after it.
    case created
    case host

    var title: String {
        switch self {
        case .bridge: "docker0"
        case .user: "a user-defined network"
        case .created: "the new network"
        case .host: "host mode"
        }
    }

    /// The host's port that their container publishes: a given one, as Docker starts containers in any order.
    var port: Int? {
        switch self {
        case .bridge: 8081
        case .user: 8082
        case .created: 8083
        case .host: nil
        }
    }

    /// Their containers' IPv6 addresses.
    var prefix6: String? {
        switch self {
        case .bridge: "fd00:17::/64"
        case .user: "fd00:18::/64"
        case .created: "fd00:19::/64"
        case .host: nil
        }
    }
}

/// A throw-away ECS host with a Docker engine, in namespaces that no route leads out of.
///
///     containers ── docker0, br-… ── host 10.0.0.10 ── eth0 ── vpc (IMDS 169.254.169.254, fd00:ec2::254; elsewhere 10.0.0.1)
///
/// The engine is Debian's, in a process namespace of its own, with its data root in the host's private `/var/lib`.
final class DockerHost {
    let host: Namespace
    private let vpc: Namespace
    private let shell: EngineShell
    private let agent: StubAgent
    private let services: [Service]
    private var starts = 0
    private var networks: [Network] = []

    /// A host that is not IMDS, and so has to be reached whatever is done.
    static let elsewhere = "10.0.0.1"
    static let elsewhere6 = "fd00:10::1"

    /// - Parameter identifier: tells hosts of one process apart.
    init(_ flavour: Flavour, identifier: Int) throws {
        guard access("\(Self.programs)/sbin/dockerd", X_OK) == 0 else {
            throw LaboratoryError("no Docker engine is in \(Self.programs); run: make test-docker")
        }
        host = try Namespace("host", hasMounts: true)
        vpc = try Namespace("vpc")
        for namespace in [host, vpc] {
            try namespace.writeSysctl("ipv6/conf/default/dad_transmits", "0")
            try namespace.writeSysctl("ipv6/conf/default/accept_ra", "0")
        }
        try vpc.require(["ip", "-batch", "-"], input: Self.vpcNetwork(host))
        try host.require(["ip", "-batch", "-"], input: Self.hostNetwork)
        try host.require(["sh", "-ec", Self.hostFolders(flavour)])
        agent = try StubAgent(in: host)
        services = [
            try Service("imds", in: vpc, on: [Laboratory.metadata, Laboratory.metadata6], port: 80),
            try Service("elsewhere", in: vpc, on: [Self.elsewhere, Self.elsewhere6], port: 80),
        ]
        shell = try EngineShell(in: host, identifier: identifier)
    }

    func stop() {
        agent.stop()
        services.forEach { $0.stop() }
    }

    private static func vpcNetwork(_ host: Namespace) -> String {
        """
        link set lo up
        link add vpc0 type veth peer name eth0 netns \(host.path)
        addr add \(elsewhere)/24 dev vpc0
        addr add \(Laboratory.metadata)/32 dev vpc0
        addr add \(elsewhere6)/64 dev vpc0 nodad
        addr add \(Laboratory.metadata6)/128 dev vpc0 nodad
        link set vpc0 up
        route add 172.16.0.0/12 via \(Laboratory.hostAddress)
        \(Network.allCases.compactMap(\.prefix6).map { "route add \($0) via \(Laboratory.hostAddress6)\n" }.joined())
        """
    }

    private static let hostNetwork = """
        link set lo up
        addr add \(Laboratory.hostAddress)/24 dev eth0
        addr add \(Laboratory.hostAddress6)/64 dev eth0 nodad
        link set eth0 up
        route add default via \(elsewhere)
        route add default via \(elsewhere6)

        """

    /// The host's own `/sys`, in which Docker and ecs-netsetup find its interfaces, with the machine's cgroups in it; what
    /// the alternatives say of `iptables`; and the image's files.
    private static func hostFolders(_ flavour: Flavour) -> String {
        """
        mkdir /run/cgroup
        mount --rbind /sys/fs/cgroup /run/cgroup
        mount -t sysfs sysfs /sys
        mount --rbind /run/cgroup /sys/fs/cgroup
        for name in iptables ip6tables; do
            for suffix in '' -save -restore; do
                ln -sf /usr/sbin/$name-\(flavour.rawValue)$suffix /etc/alternatives/$name$suffix
            done
        done
        mkdir -p /run/image/bin
        cp "$(command -v busybox)" /run/image/bin/busybox
        """
    }
}

// MARK: the engine

extension DockerHost {
    /// Where `make test-docker` unpacks Debian's packages.
    private static let programs =
        String(#filePath.dropLast("/Tests/DockerTests/DockerHost.swift".utf8.count)) + "/.build/docker/usr"

    /// Starts the engine and waits until it answers.
    func startEngine(_ options: [String] = []) throws {
        starts += 1
        let arguments = [
            "--cgroup-parent", "/\(shell.cgroup)", "--exec-opt", "native.cgroupdriver=cgroupfs",
            "--ipv6", "--fixed-cidr-v6", Network.bridge.prefix6 ?? "",
        ]
        let path =
            "\(Self.programs)/sbin:\(Self.programs)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        try shell.tell(
            """
            PATH='\(path)' dockerd \((arguments + options).joined(separator: " ")) < /dev/null >> /var/log/dockerd.log 2>&1 &
            engine=$!
            echo > /run/engine-\(starts)
            """)
        try waitForStep()
        do {
            try waitUntil("the Docker engine") { try host.execute(dockerCommand(["version"])).status == 0 }
        } catch {
            throw LaboratoryError("\(error): \(try host.require(["tail", "-n", "20", "/var/log/dockerd.log"]))")
        }
    }

    /// Stops the engine as its service does, and waits for its end.
    func stopEngine() throws {
        starts += 1
        try shell.tell("kill $engine; wait $engine; echo > /run/engine-\(starts)")
        try waitForStep()
    }

    func restartEngine(_ options: [String] = []) throws {
        try stopEngine()
        try startEngine(options)
    }

    private func waitForStep() throws {
        try waitUntil("the engine's shell") { try host.execute(["test", "-e", "/run/engine-\(starts)"]).status == 0 }
    }

    private func dockerCommand(_ words: [String]) -> [String] {
        ["\(Self.programs)/bin/docker", "--host", "unix:///run/docker.sock"] + words
    }

    /// Runs Docker's client, which must succeed.
    @discardableResult
    func docker(_ words: [String]) throws -> String { try host.require(dockerCommand(words)) }
}

// MARK: containers

extension DockerHost {
    private static let image = "client"

    /// Makes the image; nothing is pulled.
    func importImage() throws {
        try host.require(["tar", "-c", "-f", "/run/image.tar", "-C", "/run/image", "."])
        try docker(["import", "/run/image.tar", Self.image])
    }

    /// Creates a network where Docker has none of the kind, and starts a container in it.
    ///
    /// The container comes back with the engine. It publishes a port, so that Docker has rules for it.
    func addContainer(in network: Network) throws {
        if network != .bridge, let prefix = network.prefix6 {
            try docker(["network", "create", "--ipv6", "--subnet", prefix, network.rawValue])
        }
        let ports = network.port.map { ["--publish", "\($0):80"] } ?? []
        let options = ["--detach", "--restart", "always", "--stop-signal", "KILL", "--network", network.rawValue]
        let program = ["/bin/busybox", "sleep", "100000"]
        try docker(["run", "--name", name(network)] + options + ports + [Self.image] + program)
        networks.append(network)
    }

    private func name(_ network: Network) -> String { "in-\(network.rawValue)" }

    /// The containers' first processes, as they are numbered in the engine's namespace; waits until all run.
    func containerProcesses() throws -> [Network: Int] {
        var found: [Int] = []
        try waitUntil("the containers") {
            found = try docker(["inspect", "--format", "{{.State.Pid}}"] + networks.map(name))
                .split(separator: "\n").compactMap { Int($0) }
            return found.count == networks.count && !found.contains(0)
        }
        return Dictionary(uniqueKeysWithValues: zip(networks, found))
    }

    /// The containers' network namespaces; waits until all run.
    func containers() throws -> [(network: Network, namespace: Namespace)] {
        let processes = try containerProcesses()
        return try networks.map { network in
            let path = try shell.path(ofProcess: processes[network] ?? 0)
            return (network, try Namespace(name(network), at: path + "/ns/net"))
        }
    }

    /// The interfaces of the bridges that containers are on, as Docker names them.
    func bridges() throws -> [Network: String] {
        var bridges: [Network: String] = [:]
        for network in networks where network != .host {
            let identifier = try docker(["network", "inspect", "--format", "{{.Id}}", network.rawValue])
            bridges[network] = network == .bridge ? "docker0" : "br-\(identifier.prefix(12))"
        }
        return bridges
    }

    /// What a program in the container itself makes of the agent's answer.
    func askFromInside(_ network: Network) throws -> String {
        let command =
            "printf 'GET /v2/credentials/ HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 \(Laboratory.credentials) 80"
        return try docker(["exec", name(network), "/bin/busybox", "sh", "-c", command])
    }
}
