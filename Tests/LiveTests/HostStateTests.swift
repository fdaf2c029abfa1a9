import Laboratory
import Model
import NftablesBackend
import Planning
import Testing

extension Live {
    /// How the tool finds its way on hosts that differ.
    @Suite struct BackendChoiceTests {
        /// What stands on a host before, and which backend auto then takes, for which reason.
        struct Case: Sendable, CustomTestStringConvertible {
            let prepare: [String]
            let backend: String
            let reason: String
            var testDescription: String { reason }
        }

        private static let docker = "-t nat -N DOCKER"
        private static let cases = [
            Case(prepare: [], backend: "nftables", reason: "nothing speaks for legacy iptables alone"),
            Case(
                prepare: ["iptables-legacy \(docker)", "iptables-nft -A INPUT -s 10.0.0.1 -j ACCEPT"],
                backend: "iptables", reason: "Docker's rules are there"),
            Case(
                prepare: ["iptables-nft \(docker)", "iptables-legacy -A INPUT -s 10.0.0.1 -j ACCEPT"],
                backend: "nftables", reason: "Docker's rules are there"),
            Case(
                prepare: [
                    "nft add table ip docker-bridges", "nft add chain ip docker-bridges filter-forward",
                    "iptables-legacy -A INPUT -s 10.0.0.1 -j ACCEPT",
                ],
                backend: "nftables", reason: "Docker's rules are there"),
            Case(
                prepare: ["iptables-legacy -A INPUT -s 10.0.0.1 -j ACCEPT"], backend: "iptables",
                reason: "other live rules are there"),
            Case(
                prepare: [
                    "nft add table ip x", "nft add chain ip x y", "nft add rule ip x y accept", "iptables-legacy -S",
                ],
                backend: "nftables", reason: "other live rules are there"),
            Case(
                prepare: ["iptables-legacy -S"], backend: "iptables",
                reason: "its tables exist and nothing is in nf_tables"),
            Case(
                prepare: ["\(Tool.path) apply --mode bridge --backend nftables --persist none", "iptables-legacy -S"],
                backend: "nftables", reason: "our own rules are there already"),
        ]

        @Test("auto takes the backend where live rules are, and says why", arguments: cases)
        func auto(_ given: Case) throws {
            let lab = try Laboratory.Bare()
            for command in given.prepare { try lab.host.require(command.split(separator: " ").map(String.init)) }
            let result = try lab.netsetup(["apply", "--mode", "bridge", "--verbose"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.contains("backend  \(given.backend): \(given.reason)"), "\(result.output)")
            try lab.host.restartAgent()
            let json = try lab.netsetup(["verify", "--mode", "bridge", "--format", "json"])
            #expect(json.status == 0, "\(json.output)")
            #expect(json.output.contains("\"evidence\": ["))
        }

        @Test(
            "reading creates no table", arguments: ["diff --mode bridge", "verify --mode bridge", "status", "remove"])
        func readingCreatesNothing(_ command: String) throws {
            let lab = try Laboratory.Bare()
            for _ in 0..<2 { _ = try lab.netsetup(command.split(separator: " ").map(String.init)) }
            let names = try lab.host.require(
                ["cat", "/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"])
            #expect(names == "")
            #expect(try lab.host.require(["nft", "list", "ruleset"]) == "")
        }

        @Test("rules of ours in both backends are told, and apply leaves one", arguments: Backend.allCases)
        func conflict(_ wanted: Backend) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            // A copy made by hand, as by restoring an old dump.
            try lab.host.require([
                "sh", "-c",
                """
                iptables-legacy -t mangle -A FORWARD -d 169.254.169.254/32 -i docker+ \
                -m comment --comment "ecs-netsetup: no IMDS for docker+" -j DROP
                """,
            ])
            let verified = try lab.netsetup(["verify", "--mode", "bridge", "--backend", wanted.rawValue, "-v"])
            #expect(verified.status == 1)
            #expect(verified.output.contains("conflict: rules of ours are in both"))
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", wanted.rawValue])
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify", "--mode", "bridge", "--backend", wanted.rawValue]).status == 0)
            let nft = try lab.host.require(["nft", "list", "ruleset"])
            let legacy = try lab.host.require(["iptables-legacy-save"])
            #expect(nft.contains("ecs-netsetup") == (wanted == .nftables))
            #expect(legacy.contains("ecs-netsetup") == (wanted == .iptables))
        }
    }

    /// What the tool leaves, and what it gives back.
    @Suite struct HostStateTests {
        private func routeLocalnet(_ lab: Laboratory.Bare) throws -> String {
            try lab.host.readSysctl("ipv4/conf/all/route_localnet")
        }

        @Test("a kernel parameter that somebody else had set stays", arguments: Backend.allCases)
        func foreignSysctl(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend.rawValue])
            let removed = try lab.netsetup(["remove"])
            #expect(removed.status == 0)
            #expect(removed.errors.contains("stays 1"))
            #expect(try routeLocalnet(lab) == "1")
        }

        @Test(
            "going from bridge to host mode gives the parameter back and takes the guard out",
            arguments: Backend.allCases)
        func narrowing(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend.rawValue])
            #expect(try routeLocalnet(lab) == "1")
            try lab.requireNetsetup(["apply", "--mode", "host", "--backend", backend.rawValue])
            #expect(try routeLocalnet(lab) == "0")
            let status = try lab.netsetup(["status"]).output
            #expect(!status.contains("localhost guard") && status.contains("task credentials for the host"))
        }

        @Test(
            "the guard is there before route_localnet is raised, and after it is lowered", arguments: Backend.allCases)
        func order(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let log = "/run/trace"
            let trace = ["strace", "-qq", "-f", "-y", "-o", log, "-e", "trace=write,sendto,setsockopt"]
            for command in [["apply", "--mode", "bridge", "--backend", backend.rawValue], ["remove"]] {
                try lab.host.require(trace + [Tool.path] + command)
                let lines = try lab.host.require(["cat", log]).split(separator: "\n")
                let commits = lines.indices.filter {
                    lines[$0].contains("BATCH_BEGIN") || lines[$0].contains("IPT_SO_SET_REPLACE")
                        || lines[$0].contains("IP6T_SO_SET_REPLACE")
                }
                let sysctl = try #require(lines.firstIndex { $0.contains("route_localnet") })
                let first = try #require(commits.first)
                let last = try #require(commits.last)
                #expect(command[0] == "apply" ? sysctl > last : sysctl < first, "\(lines.joined(separator: "\n"))")
            }
        }

        @Test("--quiet prints nothing, and nothing to do is one line")
        func quiet() throws {
            let lab = try Laboratory.Bare()
            let first = try lab.netsetup(["apply", "--mode", "bridge", "--quiet"])
            #expect(first.status == 0 && first.output == "" && first.errors == "")
            let second = try lab.netsetup(["apply", "--mode", "bridge"])
            #expect(second.output.split(separator: "\n").count == 1)
        }

        @Test("more acknowledgements than the socket holds: the change is read back and found complete")
        func manyPatterns() throws {
            let lab = try Laboratory.Bare()
            let patterns = (0..<400).flatMap { ["--bridge-interface", "br-\($0)"] }
            let result = try lab.netsetup(["apply", "--mode", "bridge", "--backend", "nftables"] + patterns)
            #expect(result.status == 0, "\(result.errors)")
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify", "--mode", "bridge"] + patterns).status == 0)
        }

        @Test("a table for each family, as on kernels without nat in inet tables")
        func splitTables() throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            var settings = Settings()
            settings.modes = [.bridge]
            settings.bridgeInterfaces += [InterfacePattern(name: "br-", isWildcard: true)]
            let plan = try Plan(settings: settings, backend: .nftables, hasIPv6: true)
            let backend = NftablesBackend(families: .split)
            let deadline = Deadline(seconds: 5)
            try lab.host.run {
                try backend.commit(plan.rules.map(\.rule), replacing: try backend.read(.look), until: deadline)
                let installed = try backend.read(.look)
                #expect(Diff.changes(from: installed, to: plan.rules) == [])
            }
            try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
            #expect(try lab.container.reach(Laboratory.credentials, port: 80) == .answered("agent"))
            #expect(try lab.host.reach(Laboratory.credentials, port: 80) == .answered("agent"))
            #expect(try !lab.container.reach(Laboratory.metadata, port: 80).isAnswered)
            #expect(try !lab.container.reach(Laboratory.metadata6, port: 80).isAnswered)
            let verify = ["verify", "--mode", "bridge", "--bridge-interface", "docker+,br-+", "--persist", "none"]
            #expect(
                try lab.netsetup(verify).status == 0,
                "the tool itself takes them as they are")
            #expect(try lab.netsetup(["remove"]).status == 0)
            #expect(try lab.host.require(["nft", "list", "ruleset"]) == "")
        }
    }
}
