import Laboratory
import Testing

extension Live {
    /// Every promise of every mode, by packets, through its whole life.
    @Suite struct PacketTests {
        /// Covers both bridges of the laboratory.
        private static let patterns = ["--bridge-interface", "docker+", "--bridge-interface", "br-+"]
        private static let bridge = ["--mode", "bridge"] + patterns

        private static let container: @Sendable (Laboratory) -> Namespace = { $0.container }
        private static let userContainer: @Sendable (Laboratory) -> Namespace = { $0.userContainer }
        private static let host: @Sendable (Laboratory) -> Namespace = { $0.host }
        private static let task: @Sendable (Laboratory) -> Namespace = { $0.task }
        private static let neighbour: @Sendable (Laboratory) -> Namespace = { $0.neighbour }

        private static let hostReachesIMDS: [Reachability] = [
            .reaches(host, Laboratory.metadata, 80, "imds", "the host reaches IMDS"),
            .reaches(host, Laboratory.metadata6, 80, "imds", "the host reaches IMDS over IPv6"),
        ]
        private static let containerReachesIMDS: [Reachability] = [
            .reaches(container, Laboratory.metadata, 80, "imds", "a container reaches IMDS"),
            .reaches(container, Laboratory.metadata6, 80, "imds", "a container reaches IMDS over IPv6"),
        ]
        private static let containerIsKeptFromIMDS: [Reachability] = [
            .fails(container, Laboratory.metadata, 80, "a container is kept from IMDS"),
            .fails(container, Laboratory.metadata6, 80, "a container is kept from IMDS over IPv6"),
        ]
        private static let loopbackIsOwn: [Reachability] = [
            .fails(neighbour, "127.0.0.1", Laboratory.localPort, "a neighbour is kept from 127.0.0.1"),
            .fails(neighbour, "127.0.0.1", Laboratory.agentPort, "a neighbour is kept from the agent's port"),
            .reaches(host, "127.0.0.1", Laboratory.localPort, "local", "the host reaches its own services"),
        ]

        @Test(
            "bridge: credentials in, IMDS out, over IPv4 and IPv6, whatever others accept first",
            arguments: Backend.allCases)
        func bridge(_ backend: Backend) throws {
            try Lifecycle(
                options: Self.bridge, always: Self.hostReachesIMDS,
                before: Self.containerReachesIMDS + [
                    .fails(Self.container, Laboratory.credentials, 80, "no credentials for a container"),
                    .fails(Self.host, Laboratory.credentials, 80, "no credentials for the host"),
                ],
                after: Self.containerIsKeptFromIMDS + [
                    .reaches(Self.container, Laboratory.credentials, 80, "agent", "a container gets credentials"),
                    .reaches(Self.userContainer, Laboratory.credentials, 80, "agent", "so does one on a user network"),
                    .reaches(Self.host, Laboratory.credentials, 80, "agent", "the host gets credentials"),
                ]
            ).run(backend)
        }

        @Test(
            "bridge: a user-defined bridge is covered when it is named, and open when not", arguments: Backend.allCases)
        func userBridge(_ backend: Backend) throws {
            let open: [Reachability] = [
                .reaches(Self.userContainer, Laboratory.metadata, 80, "imds", "the user bridge is open"),
                .reaches(Self.userContainer, Laboratory.metadata6, 80, "imds", "the user bridge is open over IPv6"),
            ]
            try Lifecycle(
                options: ["--mode", "bridge"], statusOfVerify: 1, before: Self.containerReachesIMDS + open,
                after: Self.containerIsKeptFromIMDS + open
            ).run(backend)
            try Lifecycle(
                options: Self.bridge,
                before: Self.containerReachesIMDS + open,
                after: Self.containerIsKeptFromIMDS + [
                    .fails(Self.userContainer, Laboratory.metadata, 80, "the user bridge is covered"),
                    .fails(Self.userContainer, Laboratory.metadata6, 80, "the user bridge is covered over IPv6"),
                ]
            ).run(backend)
        }

        @Test("neighbours do not get into 127.0.0.1", arguments: Backend.allCases)
        func localhostGuard(_ backend: Backend) throws {
            try Lifecycle(
                options: Self.bridge, always: Self.loopbackIsOwn, before: [], after: []
            ).run(backend)
        }

        /// A way in that a guard could overlook.
        enum WayIn: String, CaseIterable, Sendable {
            case forgedSender = "a sender forged in 127.0.0.0/8, on a host without a reverse path filter"
            case untracked = "a packet that connection tracking was told to leave out"
            case publishedPort = "a port of 127.0.0.1 that leads to a container"
        }

        @Test(
            "neither by a forged sender, untracked, nor to a published port",
            arguments: Backend.allCases, WayIn.allCases)
        func waysIn(_ backend: Backend, _ way: WayIn) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try lab.neighbour.require(["ip", "-batch", "-"], input: Self.neighbourCommands(way))
            try lab.host.require(["nft", "-f", "-"], input: Self.hostRules(way))
            for setting in ["all", "eth0"] { try lab.host.writeSysctl("ipv4/conf/\(setting)/rp_filter", "0") }
            for isGuarded in [false, true] {
                let options = Self.bridge + ["--no-localhost-guard=\(!isGuarded)", "--persist", "none"]
                let applied = try lab.netsetup(["apply", "--backend", backend.rawValue] + options)
                #expect(applied.status == 0, "\(applied.errors)")
                try lab.host.require(["nft", "reset", "counters", "table", "ip", "witness"])
                try lab.neighbour.require(["bash", "-c", "echo x > /dev/udp/127.0.0.1/9"])
                _ = try lab.neighbour.reach("127.0.0.1", port: 9, timeout: 250)
                let counted = try lab.host.require(["nft", "list", "counters", "table", "ip", "witness"])
                #expect(counted.contains("packets 0 ") == isGuarded, "\(counted)")
            }
        }

        private static func neighbourCommands(_ way: WayIn) -> String {
            guard way == .forgedSender else { return "" }
            return """
                addr add 127.0.0.2/32 dev eth0
                route replace 127.0.0.0/8 via \(Laboratory.hostAddress) src 127.0.0.2

                """
        }

        /// Counts what comes in for the loopback network, or by a port of it.
        private static func hostRules(_ way: WayIn) -> String {
            let (hook, counted) =
                way == .publishedPort ? ("forward", "oifname \"docker0\"") : ("input", "ip daddr 127.0.0.0/8")
            return """
                table ip witness {
                    counter entered {}
                    chain untracked {
                        type filter hook prerouting priority raw;
                        \(way == .untracked ? "iifname \"eth0\" notrack" : "")
                    }
                    chain publish {
                        type nat hook prerouting priority dstnat;
                        \(way == .publishedPort ? "ip daddr 127.0.0.1 tcp dport 9 dnat to 172.17.0.2:80" : "")
                    }
                    chain count {
                        type filter hook \(hook) priority 300;
                        iifname "eth0" \(counted) counter name entered
                    }
                }

                """
        }

        @Test("without the guard they do: the guard is what keeps them out", arguments: Backend.allCases)
        func noLocalhostGuard(_ backend: Backend) throws {
            try Lifecycle(
                options: Self.bridge + ["--no-localhost-guard"],
                before: [.fails(Self.neighbour, "127.0.0.1", Laboratory.localPort, "the kernel drops it by itself")],
                after: [.reaches(Self.neighbour, "127.0.0.1", Laboratory.localPort, "local", "nothing keeps them out")]
            ).run(backend)
        }

        @Test(
            "introspection is closed to other hosts, open to this one and its containers", arguments: Backend.allCases)
        func introspection(_ backend: Backend) throws {
            let port = Laboratory.introspectionPort
            let own: [Reachability] = [
                .reaches(Self.host, "127.0.0.1", port, "introspection", "the host asks on loopback"),
                .reaches(Self.host, Laboratory.hostAddress, port, "introspection", "the host asks on its address"),
                .reaches(Self.host, "::1", port, "introspection", "the host asks on IPv6 loopback"),
                .reaches(Self.container, Laboratory.gateway, port, "introspection", "a container asks its gateway"),
            ]
            try Lifecycle(
                options: Self.bridge, always: own,
                before: [
                    .reaches(Self.neighbour, Laboratory.hostAddress, port, "introspection", "a neighbour asks"),
                    .reaches(Self.neighbour, Laboratory.hostAddress6, port, "introspection", "and over IPv6"),
                ],
                after: [
                    .fails(Self.neighbour, Laboratory.hostAddress, port, "a neighbour gets no answer"),
                    .fails(Self.neighbour, Laboratory.hostAddress6, port, "nor over IPv6"),
                ]
            ).run(backend)
        }

        @Test("an INPUT policy of DROP does not cut credentials off with iptables")
        func inputPolicyDrop() throws {
            try Lifecycle(
                options: Self.bridge,
                prepare: { lab in
                    for rule in ["-P INPUT DROP", "-A INPUT -i lo -j ACCEPT"] {
                        try lab.host.require(["iptables-legacy"] + rule.split(separator: " ").map(String.init))
                    }
                },
                before: [.fails(Self.container, Laboratory.credentials, 80, "no credentials")],
                after: [
                    .reaches(Self.container, Laboratory.credentials, 80, "agent", "credentials in spite of the policy")
                ]
            ).run(.iptables)
        }

        @Test(
            "host: credentials for the host, nothing for containers, no kernel parameter", arguments: Backend.allCases)
        func hostMode(_ backend: Backend) throws {
            try Lifecycle(
                options: ["--mode", "host"], hasSysctl: false,
                always: Self.hostReachesIMDS + Self.containerReachesIMDS + [
                    .fails(Self.container, Laboratory.credentials, 80, "containers are not served")
                ],
                before: [.fails(Self.host, Laboratory.credentials, 80, "no credentials for the host")],
                after: [.reaches(Self.host, Laboratory.credentials, 80, "agent", "the host gets credentials")]
            ).run(backend)
        }

        @Test("awsvpc: credentials for what enters by ecs-bridge, and the guard", arguments: Backend.allCases)
        func awsvpcMode(_ backend: Backend) throws {
            try Lifecycle(
                options: ["--mode", "awsvpc"], always: Self.loopbackIsOwn,
                before: [.fails(Self.task, Laboratory.credentials, 80, "no credentials for a task")],
                after: [
                    .reaches(Self.task, Laboratory.credentials, 80, "agent", "a task gets credentials"),
                    .fails(Self.host, Laboratory.credentials, 80, "the host is not served"),
                ]
            ).run(backend)
        }

        @Test("all three modes at once", arguments: Backend.allCases)
        func allModes(_ backend: Backend) throws {
            try Lifecycle(
                options: Self.patterns + ["--mode", "bridge,host,awsvpc"],
                always: Self.hostReachesIMDS + Self.loopbackIsOwn,
                before: Self.containerReachesIMDS,
                after: Self.containerIsKeptFromIMDS + [
                    .reaches(Self.container, Laboratory.credentials, 80, "agent", "a container gets credentials"),
                    .reaches(Self.task, Laboratory.credentials, 80, "agent", "a task gets credentials"),
                    .reaches(Self.host, Laboratory.credentials, 80, "agent", "the host gets credentials"),
                ]
            ).run(backend)
        }

        @Test("reject answers at once", arguments: Backend.allCases)
        func reject(_ backend: Backend) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            let options = Self.bridge + ["--imds-action", "reject", "--imds-placement", "documented"]
            let result = try lab.netsetup(["apply", "--backend", backend.rawValue] + options)
            #expect(result.status == 0, "\(result.errors)")
            for address in [Laboratory.metadata, Laboratory.metadata6] {
                // The first packet also pays for address resolution.
                _ = try lab.container.ask(address, port: 80)
                let (outcome, duration) = try lab.container.ask(address, port: 80)
                #expect(outcome == .refused, "\(address)")
                #expect(duration < 0.010, "\(address): \(duration) s")
            }
            try Lifecycle(
                options: options, always: Self.hostReachesIMDS, before: Self.containerReachesIMDS,
                after: Self.containerIsKeptFromIMDS
            ).run(backend)
        }

        @Test("the documented placement keeps containers from IMDS too", arguments: Backend.allCases)
        func documentedPlacement(_ backend: Backend) throws {
            try Lifecycle(
                options: Self.bridge + ["--imds-placement", "documented"], always: Self.hostReachesIMDS,
                before: Self.containerReachesIMDS, after: Self.containerIsKeptFromIMDS
            ).run(backend)
        }
    }
}
