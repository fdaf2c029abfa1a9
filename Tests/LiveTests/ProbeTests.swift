import Glibc
import Laboratory
import TestSupport
import Testing

extension Live {
    /// `verify --probe`: what packets show, against what is there.
    @Suite struct ProbeTests {
        private static let options = ["--mode", "bridge", "--persist", "none"]

        private func makeHost(_ backend: Backend, _ options: [String] = options) throws -> Laboratory {
            let lab = try Laboratory()
            if !options.contains("docker+,br-+") {
                // Not covered, which would be told too.
                try lab.host.require(["ip", "link", "del", Laboratory.userBridge])
            }
            try lab.host.require([Tool.path, "apply", "--backend", backend.rawValue, "--quiet"] + options)
            return lab
        }

        private func probe(
            _ lab: Laboratory, _ backend: Backend, _ options: [String] = options,
            timeout milliseconds: Int = Sanitizer.isOn ? 1000 : 300
        ) throws -> ProgramResult {
            let timeout = ["--probe-timeout", "\(milliseconds)"]
            return try lab.netsetup(["verify", "--probe", "--backend", backend.rawValue] + timeout + options)
        }

        /// Less than 300 ms, of several runs on a machine that others may use too.
        private func expectFast(_ first: ProgramResult, _ again: () throws -> ProgramResult) throws {
            var times = [first.wallTime]
            while times[times.count - 1] >= Sanitizer.limit(0.3), times.count < 4 {
                times.append(try again().wallTime)
            }
            #expect(times[times.count - 1] < Sanitizer.limit(0.3), "\(times) s")
        }

        @Test("a healthy host passes in less than 300 ms, and nothing is left", arguments: Backend.allCases)
        func healthy(_ backend: Backend) throws {
            let lab = try makeHost(backend)
            defer { lab.stop() }
            let before = try Remains(lab)
            let result = try probe(lab, backend)
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            #expect(Probed(result).told == ["ok 025", "ok 026", "ok 027", "ok 028"], "\(result.output)")
            try expectFast(result) { try probe(lab, backend) }
            #expect(try Remains(lab) == before)
        }

        @Test("a bridge whose first port is the probe's is not waited for", arguments: Backend.allCases)
        func emptyBridge(_ backend: Backend) throws {
            let lab = try makeHost(backend)
            defer { lab.stop() }
            // As on a host: the addresses are not good at once when the bridge gets a carrier.
            try lab.host.writeSysctl("ipv6/conf/docker0/dad_transmits", "1")
            let commands =
                "addr del fd00:17::1/64 dev docker0\naddr add fd00:17::1/64 dev docker0\nlink set veth0 nomaster\n"
            try lab.host.require(["ip", "-batch", "-"], input: commands)
            sleep(1)
            let result = try probe(lab, backend)
            #expect(Probed(result).told == ["ok 025", "ok 026", "ok 027", "ok 028"], "\(result.output)")
        }

        @Test("every covered bridge is probed, in every mode, and with a reset instead of a drop")
        func everyBridge() throws {
            let options =
                Self.options + [
                    "--mode", "bridge,awsvpc", "--bridge-interface", "docker+,br-+", "--imds-action", "reject",
                    "--imds-placement", "documented",
                ]
            for backend in Backend.allCases {
                let lab = try makeHost(backend, options)
                defer { lab.stop() }
                let result = try probe(lab, backend, options)
                #expect(result.status == 0, "\(result.output)\(result.errors)")
                #expect(Probed(result).told.count == 4 + 4 + 2, "\(result.output)")
                #expect(result.output.contains("our rule refused it"))
                try expectFast(result) { try probe(lab, backend, options) }
            }
        }

        @Test("packets find what is broken, and name whose rule it is", arguments: Breakage.all)
        func broken(_ breakage: Breakage) throws {
            let options = Self.options + breakage.options
            let lab = try makeHost(breakage.backend, options)
            defer { lab.stop() }
            try breakage.happen(lab)
            let before = try Remains(lab)
            var result = try probe(lab, breakage.backend, options)
            // On a busy machine a first packet may be lost; the kernel sends it again after a second (`TCP_TIMEOUT_INIT`).
            if Probed(result).told != breakage.told {
                result = try probe(lab, breakage.backend, options, timeout: 2500)
            }
            #expect(Probed(result).told == breakage.told, "\(result.output)\(result.errors)")
            for text in breakage.evidence { #expect(result.output.contains(text), "\(text)\n\(result.output)") }
            #expect(result.status == breakage.status, "\(result.output)\(result.errors)")
            #expect(try Remains(lab) == before)
        }

        @Test("introspection on the agent's port is told from the agent", arguments: Backend.allCases)
        func introspection(_ backend: Backend) throws {
            let lab = try makeHost(backend)
            lab.stop()
            let service = try Service(
                "introspection", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort,
                .answer(body: "{\"AvailableCommands\":[\"/v1/metadata\",\"/v1/tasks\",\"/license\"]}"))
            defer { service.stop() }
            let result = try probe(lab, backend)
            #expect(result.status == 1, "\(result.errors)")
            #expect(Probed(result).told == ["FAIL 025", "ok 026", "ok 027", "ok 028"], "\(result.output)")
            #expect(result.output.contains("the agent's introspection answered, not its credentials endpoint"))
        }

        @Test("several at a time do not get in each other's way")
        func severalAtATime() throws {
            let lab = try makeHost(.nftables)
            defer { lab.stop() }
            let before = try Remains(lab)
            let arguments = [Tool.path, "verify", "--probe", "--backend", "nftables"] + Self.options
            for _ in 0..<3 {
                let programs = try (0..<6).map { _ in try lab.host.start(arguments) }
                #expect(programs.map { $0.wait() } == [0, 0, 0, 0, 0, 0])
            }
            // While another is at it, none looks for an address.
            let other = try lab.host.start(["flock", "/proc/self/ns/net", "sleep", "0.5"])
            usleep(100_000)
            let waiting = try probe(lab, .nftables)
            #expect(waiting.status == 0 && waiting.wallTime > 0.3, "\(waiting.wallTime) s: \(waiting.errors)")
            #expect(other.wait() == 0)
            #expect(try Remains(lab) == before)
            #expect(try lab.host.require(["ip", "neigh", "show", "dev", "docker0"]).contains("172.17.255.") == false)
        }

        @Test("killed at any moment, it leaves nothing behind", arguments: [false, true])
        func killed(whileTracing: Bool) throws {
            let lab = try makeHost(.nftables)
            defer { lab.stop() }
            if whileTracing { try lab.host.require(["iptables-nft", "-P", "INPUT", "DROP"]) }
            let before = try Remains(lab)
            let longest = UInt32(try probe(lab, .nftables).wallTime * 1e6)
            let arguments =
                [Tool.path, "verify", "--probe", "--backend", "nftables", "--probe-timeout", "30"] + Self.options
            for _ in 0..<(whileTracing ? 40 : 100) / Sanitizer.stride {
                let program = try lab.host.start(arguments)
                usleep(UInt32.random(in: 0...longest))
                program.kill()
            }
            // The kernel takes namespaces down some time after the end of the last process in them.
            var tries = 100
            while tries > 0, try Remains(lab) != before {
                usleep(50_000)
                tries -= 1
            }
            #expect(try Remains(lab) == before)
            let result = try probe(lab, .nftables)
            #expect(result.status == (whileTracing ? 1 : 0), "\(result.output)\(result.errors)")
        }

        @Test("without the privilege to make namespaces, nothing is proved and nothing passes")
        func withoutPrivileges() throws {
            let lab = try makeHost(.nftables)
            defer { lab.stop() }
            let arguments = ["verify", "--probe", "--backend", "nftables"] + Self.options
            let result = try lab.host.execute(["setpriv", "--bounding-set", "-sys_admin", Tool.path] + arguments)
            #expect(result.status == 2, "\(result.output)\(result.errors)")
            #expect(Probed(result).told == ["?? 025", "?? 026", "?? 027", "?? 028"], "\(result.output)")
            #expect(result.output.contains("cannot make a network namespace: unshare: operation not permitted"))
        }

        @Test("the picture and its twin in JSON show what packets showed")
        func picture() throws {
            let lab = try makeHost(.nftables)
            defer { lab.stop() }
            try lab.host.require(["ip6tables-legacy", "-I", "FORWARD", "1", "-j", "ACCEPT"])
            let arguments = ["verify", "--probe", "--backend", "nftables"] + Self.options
            let text = try lab.netsetup(arguments, environment: ["LC_ALL=C.UTF-8", "TERM=xterm"])
            #expect(text.output.contains("container ── docker+ ─┬─ nat ─▶ agent :51679"), "\(text.output)")
            let plain = try lab.netsetup(arguments, environment: ["LC_ALL=C"])
            #expect(plain.output.contains("container -- docker+ -+- nat -> agent :51679"), "\(plain.output)")
            #expect(try lab.netsetup(["status"], environment: ["LC_ALL=C"]).output.contains("-x 127.0.0.1"))
            let json = try lab.netsetup(arguments + ["--format", "json"])
            #expect(json.output.contains("\"wanted\": \"closed\""), "\(json.output)")
        }
    }
}

/// What was told of the checks by packets: `FAIL 025`.
struct Probed {
    let told: [String]

    init(_ result: ProgramResult) {
        told = result.output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 2, words[1].hasPrefix("ECS-NET-") else { return nil }
            let number = words[1].dropFirst(8)
            guard Int(number) ?? 0 >= 25 else { return nil }
            return "\(words[0]) \(number)"
        }
    }
}

/// Something that keeps a host's rules from doing what they are there for.
struct Breakage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let backend: Backend
    var options: [String] = []
    /// Commands, or what else happens.
    var commands: [String] = []
    var act: @Sendable (Laboratory) throws -> Void = { _ in }
    var told = ["FAIL 025", "ok 026", "ok 027", "ok 028"]
    var evidence: [String] = []
    var status: CInt = 1

    init(
        _ description: String, _ backend: Backend, options: [String] = [], _ commands: [String] = [],
        told: [String]? = nil, _ evidence: [String] = [], status: CInt = 1,
        act: @escaping @Sendable (Laboratory) throws -> Void = { _ in }
    ) {
        testDescription = "\(description), \(backend)"
        self.backend = backend
        self.options = options
        self.commands = commands
        if let told { self.told = told }
        self.evidence = evidence
        self.status = status
        self.act = act
    }

    func happen(_ lab: Laboratory) throws {
        for command in commands {
            if command.hasPrefix("table ") {
                try lab.host.require(["nft", "-f", "-"], input: command)
            } else {
                try lab.host.require(command.split(separator: " ").map(String.init))
            }
        }
        try act(lab)
    }

    private static let documented = ["--imds-placement", "documented"]
    private static let nothing = ["FAIL 025", "FAIL 026", "FAIL 027", "FAIL 028"]
    private static let fine = ["ok 025", "ok 026", "ok 027", "ok 028"]

    static let all: [Breakage] = rules + input + diversion + host

    private static let rules: [Breakage] = [
        Breakage("no rules", .nftables, ["nft delete table inet ecs-netsetup"], told: nothing, ["IMDS was reached"]),
        Breakage(
            "no rules", .iptables,
            ["iptables-legacy -t nat -F", "iptables-legacy -t mangle -F", "ip6tables-legacy -t mangle -F"],
            told: nothing, ["IMDS was reached", "the host's 127.0.0.1 was reached"]),
        Breakage(
            "a dormant table", .nftables, ["table inet ecs-netsetup { flags dormant; }"], told: nothing,
            ["and our rule did not see it"]),
        Breakage(
            "the documented drop shadowed by an ACCEPT", .iptables, options: documented,
            ["iptables-legacy -I FORWARD 1 -i docker0 ! -o docker0 -j ACCEPT"],
            told: ["ok 025", "FAIL 026", "ok 027", "ok 028"],
            ["IMDS was reached: rule 1 of legacy iptables chain filter FORWARD lets it through first"]),
        Breakage(
            "IPv6 open", .iptables, ["ip6tables-legacy -t mangle -F FORWARD"],
            told: ["ok 025", "ok 026", "FAIL 027", "ok 028"], ["IMDS was reached"]),
        Breakage(
            "IPv6 shadowed", .iptables, ["ip6tables-legacy -t mangle -I FORWARD 1 -j ACCEPT"],
            told: ["ok 025", "ok 026", "FAIL 027", "ok 028"],
            ["rule 1 of legacy iptables chain ip6 mangle FORWARD lets it through first"]),
        Breakage(
            "the guard deleted", .iptables, ["iptables-legacy -t mangle -D PREROUTING 1"],
            told: ["ok 025", "ok 026", "ok 027", "FAIL 028"], ["the host's 127.0.0.1 was reached"]),
        Breakage(
            "somebody drops IMDS first", .nftables,
            [
                "table ip early { chain first { type filter hook prerouting priority raw; ip daddr 169.254.169.254 drop; }; }"
            ], told: fine, ["of nftables chain ip early first stops it before our rule"], status: 0),
    ]

    private static let input: [Breakage] = [
        Breakage(
            "a policy of their own", .nftables,
            [
                "table inet wall { chain input { type filter hook input priority filter; policy drop; meta l4proto ipv6-icmp accept; }; }"
            ],
            ["the policy of nftables chain inet wall input drops the request", "nft insert rule inet wall input"]),
        Breakage(
            "a policy of their own", .iptables,
            [
                "table inet wall { chain input { type filter hook input priority filter; policy drop; meta l4proto ipv6-icmp accept; }; }"
            ],
            ["the policy of nftables chain inet wall input drops the request"]),
        Breakage(
            "a rule in a chain jumped to", .nftables,
            [
                "table ip wall { chain deny { tcp dport 51679 reject; }; chain input { type filter hook input priority 10; jump deny; }; }"
            ], ["of nftables chain ip wall deny drops the request", "nft -a list chain ip wall deny"]),
        Breakage(
            "iptables-nft's policy", .nftables, ["iptables-nft -P INPUT DROP"],
            ["the policy of nftables chain ip filter INPUT drops the request", "iptables-nft -t filter -I INPUT 1 "]),
        Breakage(
            "iptables-nft's rule", .nftables, ["iptables-nft -A INPUT -p tcp -m tcp --dport 51679 -j REJECT"],
            ["of nftables chain ip filter INPUT drops the request"]),
        Breakage(
            "legacy policy", .nftables, ["iptables-legacy -P INPUT DROP"],
            [
                "the policy of legacy iptables chain filter INPUT drops the request",
                "iptables-legacy -t filter -I INPUT 1",
            ]
        ),
        Breakage(
            "legacy rule", .iptables, ["iptables-legacy -I INPUT 1 -p tcp --dport 51679 -j DROP"],
            ["rule 1 of legacy iptables chain filter INPUT drops the request"]),
        Breakage(
            "legacy chain jumped to", .iptables,
            ["iptables-legacy -N WALL", "iptables-legacy -A WALL -j REJECT", "iptables-legacy -I INPUT 1 -j WALL"],
            ["rule 1 of legacy iptables chain filter WALL drops the request"]),
    ]

    private static let diversion: [Breakage] = [
        Breakage(
            "somebody's DNAT first", .nftables,
            [
                "table ip thief { chain pre { type nat hook prerouting priority -150; ip daddr 169.254.170.2 tcp dport 80 dnat to 172.17.0.1:51678; }; }"
            ],
            [
                "the agent's introspection answered, not its credentials endpoint, sent there by rule",
                "chain ip thief pre",
            ]),
        Breakage(
            "somebody's DNAT first, to nowhere", .iptables,
            [
                "table ip thief { chain pre { type nat hook prerouting priority -150; ip daddr 169.254.170.2 tcp dport 80 dnat to 10.0.0.99:1; }; }"
            ], ["of nftables chain ip thief pre takes the request first"]),
        Breakage(
            "somebody's legacy DNAT first", .iptables,
            [
                "iptables-legacy -t nat -I PREROUTING 1 -d 169.254.170.2 -p tcp -j DNAT --to-destination 172.17.0.1:51678"
            ],
            ["sent there by rule 1 of legacy iptables chain nat PREROUTING"]),
        Breakage("no agent", .nftables, [], ["refused: nothing listens on 127.0.0.1:51679"]) { $0.stop() },
        Breakage("no agent", .iptables, [], ["refused: nothing listens on 127.0.0.1:51679"]) { $0.stop() },
        Breakage(
            "introspection on the agent's port", .nftables,
            [
                "table ip mirror { chain input { type nat hook input priority 0; }; chain out { type nat hook output priority 0; }; chain pre { type nat hook prerouting priority -102; ip daddr 169.254.170.2 tcp dport 80 dnat to 127.0.0.1:51678; }; }"
            ], ["the agent's introspection answered, not its credentials endpoint, sent there by rule"]),
    ]

    private static let host: [Breakage] = [
        Breakage(
            "route_localnet on the bridge alone", .nftables, [], told: fine
        ) {
            try $0.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
            try $0.host.writeSysctl("ipv4/conf/docker0/route_localnet", "1")
        },
        Breakage(
            "no route_localnet", .iptables, [], told: ["FAIL 025", "ok 026", "ok 027", "ok 028"],
            ["the kernel drops it while net.ipv4.conf.all.route_localnet is 0"]
        ) { try $0.host.writeSysctl("ipv4/conf/all/route_localnet", "0") },
        Breakage(
            "only a link-local address", .nftables, ["ip -6 addr del fd00:17::1/64 dev docker0"], told: fine, status: 0),
        Breakage(
            "a smaller IPv6 subnet", .nftables,
            ["ip -6 addr del fd00:17::1/64 dev docker0", "ip -6 addr add fd00:17::1/80 dev docker0 nodad"], told: fine,
            status: 0),
        Breakage(
            "no IPv6 on the bridge", .nftables, ["ip -6 addr flush dev docker0"], told: fine,
            ["docker0 has no IPv6 address"], status: 0),
        Breakage(
            "no IPv6 forwarding", .nftables, [], told: fine, ["net.ipv6.conf.all.forwarding is 0"], status: 0
        ) { try $0.host.writeSysctl("ipv6/conf/all/forwarding", "0") },
        Breakage(
            "no route to IMDS over IPv6", .iptables, ["ip -6 route del default"], told: fine,
            ["the host has no route to fd00:ec2::254"], status: 0),
        Breakage(
            "no route to IMDS over IPv6, and only a link-local address", .nftables,
            ["ip -6 route del default", "ip -6 addr del fd00:17::1/64 dev docker0"], told: fine,
            ["the host has no route to fd00:ec2::254"], status: 0),
        Breakage(
            "no route to IMDS", .nftables, ["ip route del default"], told: fine,
            ["the host has no route to 169.254.169.254"], status: 0),
        Breakage(
            "a bridge that is down", .nftables, ["ip link set docker0 down"],
            told: ["?? 025", "?? 026", "?? 027", "?? 028"], ["docker0 is down"], status: 2),
        Breakage(
            "no covered bridge", .nftables, options: ["--bridge-interface", "nobody+"],
            told: ["?? 025", "?? 026", "?? 027", "?? 028"], ["no bridge matches nobody+"], status: 2),
        Breakage(
            "a subnet for two", .nftables,
            ["ip addr flush dev docker0", "ip addr add 172.17.0.1/30 dev docker0"],
            told: ["?? 025", "?? 026", "?? 027", "?? 028"], ["no address is free in 172.17.0.1/30"], status: 2),
        Breakage(
            "an address that somebody has", .nftables, ["ip link set docker0 mtu 1400"], told: fine, status: 0
        ) { try $0.container.require(["ip", "addr", "add", "172.17.255.254/32", "dev", "eth0"]) },
    ]
}

/// What a probe could leave behind on the host.
struct Remains: Equatable {
    let links: String
    let addresses: String
    let tables: String

    init(_ lab: Laboratory) throws {
        links = try lab.host.require(["ip", "link"])
        addresses = try lab.host.require(["ip", "-br", "addr"])
        tables = try lab.host.require(["nft", "list", "tables"])
    }
}
