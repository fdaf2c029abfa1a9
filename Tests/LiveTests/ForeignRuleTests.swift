import Laboratory
import Model
import TestSupport
import Testing

extension Live {
    /// Other people's rules that take packets from ours, and those that do not.
    @Suite struct ForeignRuleTests {
        /// Somebody's rules, and what verify says to them.
        struct Situation: Sendable, CustomTestStringConvertible {
            let title: String
            var backend = Backend.nftables
            var options: [String] = []
            /// What is installed after apply: a tool and what it reads.
            let rules: [(tool: String, input: String)]
            /// The check that fails, and words of its evidence; nil where all is well.
            let check: CheckKind?
            var evidence: [String] = []
            var outcome = "failed"
            /// Checks that are undecided besides.
            var doubtful: [CheckKind] = []
            /// Whether a container gets its credentials, and gets to IMDS.
            var hasCredentials = false
            var reachesIMDS = false
            var testDescription: String { "\(backend): \(title)" }
        }

        private static let asked = "ip daddr 169.254.170.2 tcp dport 80"
        private static let legacy = "iptables-legacy-restore"
        private static let stockNft = "iptables-nft-restore"

        private static func table(_ chain: String, _ rule: String) -> String {
            "table inet somebody {\nchain x {\ntype \(chain);\n\(rule)\n}\n}\n"
        }

        private static func stock(_ table: String, _ lines: String...) -> String {
            "*\(table)\n" + lines.joined(separator: "\n") + "\nCOMMIT\n"
        }

        static let natOrder: [Situation] = [
            Situation(
                title: "a nat chain ahead sends requests elsewhere",
                rules: [
                    (
                        "nft",
                        table("nat hook prerouting priority -150", "\(asked) dnat ip to 10.0.0.10:51678")
                    )
                ], check: .natOrder, evidence: ["inet somebody x handle", "10.0.0.10:51678"]),
            Situation(
                title: "a nat chain of the same priority sends requests elsewhere",
                rules: [
                    ("nft", table("nat hook prerouting priority -101", "\(asked) dnat ip to 10.0.0.10:51678"))
                ], check: .natOrder, evidence: ["inet somebody x handle"]),
            Situation(
                title: "a nat chain of nf_tables is ahead of legacy iptables", backend: .iptables,
                rules: [
                    ("nft", table("nat hook prerouting priority -110", "\(asked) redirect to :51678"))
                ], check: .natOrder, evidence: ["inet somebody x handle", "port 51678"]),
            Situation(
                title: "a legacy rule ahead ends the chain", backend: .iptables,
                rules: [(legacy, stock("nat", "-I PREROUTING 1 -d 169.254.170.2 -j ACCEPT"))], check: .natOrder,
                evidence: ["-A PREROUTING -d 169.254.170.2/32 -j ACCEPT"]),
            Situation(
                title: "a legacy chain that is jumped to sends requests elsewhere", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "nat", ":OTHER - [0:0]", "-I PREROUTING 1 -p tcp -d 169.254.170.2 -j OTHER",
                            "-A OTHER -p tcp -m multiport --dports 80,443 -j DNAT --to-destination 10.0.0.10:51678")
                    )
                ], check: .natOrder, evidence: ["OTHER rule 1", "10.0.0.10:51678"]),
            Situation(
                title: "iptables-nft drops in raw",
                rules: [(stockNft, stock("raw", "-A PREROUTING -d 169.254.0.0/16 -i docker0 -j DROP"))],
                check: .natOrder, evidence: ["ip raw PREROUTING handle"]),
            Situation(
                title: "legacy iptables drops in raw", backend: .iptables,
                rules: [(legacy, stock("raw", "-A PREROUTING -d 169.254.0.0/16 -i docker0 -j DROP"))],
                check: .natOrder, evidence: ["ip raw PREROUTING rule 1"]),
            Situation(
                title: "half of the requests are dropped, by chance", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "raw",
                            "-A PREROUTING -d 169.254.170.2 -m statistic --mode random --probability 0.000001 -j DROP")
                    )
                ], check: .natOrder, evidence: ["-m statistic"], outcome: "undecided", hasCredentials: true),
            Situation(
                title: "ecs-init's own rule ahead does the same", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "nat",
                            "-I PREROUTING 1 -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 127.0.0.1:51679"
                        )
                    )
                ], check: nil, hasCredentials: true),
            Situation(
                title: "ecs-init's own rule in iptables-nft does the same",
                rules: [
                    (
                        stockNft,
                        stock(
                            "nat",
                            "-A PREROUTING -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 127.0.0.1:51679",
                            "-A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 51679")
                    )
                ], check: nil, hasCredentials: true),
            Situation(
                title: "whoever is banned by their address is none of the containers",
                rules: [
                    (stockNft, stock("filter", "-A INPUT -s 203.0.113.7/32 -j DROP")),
                    (
                        "nft",
                        """
                        table inet bans {
                            set banned { type ipv4_addr; flags interval; elements = { 198.51.100.0/24, 203.0.113.7 }; }
                            chain x { type filter hook prerouting priority -250; ip saddr @banned drop; }
                        }

                        """
                    ),
                ], check: nil, hasCredentials: true),
            Situation(
                title: "an accepting nat chain ahead is no matter",
                rules: [("nft", table("nat hook prerouting priority -150", "\(asked) accept"))], check: nil,
                hasCredentials: true),
        ]

        static let shadowed: [Situation] = [
            Situation(
                title: "Docker's rule ahead of the documented one", backend: .iptables,
                options: ["--imds-placement", "documented"],
                rules: [(legacy, stock("filter", "-I FORWARD 1 -i docker0 ! -o docker0 -j ACCEPT"))],
                check: .shadowedDrop, evidence: ["-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"],
                hasCredentials: true, reachesIMDS: true),
            Situation(
                title: "the operator's documented rule is shadowed, ours is early", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "filter", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
                            "-A FORWARD -d 169.254.169.254/32 -i docker+ -j DROP")
                    )
                ], check: nil, evidence: ["but our rule drops before that"], hasCredentials: true),
            Situation(
                title: "the operator's documented rule is shadowed in iptables-nft, ours is early",
                rules: [
                    (
                        stockNft,
                        stock(
                            "filter", ":DOCKER-USER - [0:0]", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
                            "-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -d 169.254.169.254/32 -i docker+ -j DROP")
                    )
                ], check: nil, evidence: ["but our rule drops before that"], hasCredentials: true),
            Situation(
                title: "in nf_tables, the documented placement cannot be shadowed",
                options: ["--imds-placement", "documented"],
                rules: [("nft", table("filter hook forward priority -10", "accept"))], check: nil,
                hasCredentials: true),
        ]

        static let input: [Situation] = [
            Situation(
                title: "a native chain drops by policy",
                rules: [
                    (
                        "nft",
                        table(
                            "filter hook input priority 0; policy drop", "ct state established accept\niif lo accept"
                        )
                    )
                ], check: .foreignInput, evidence: ["the policy of nftables chain inet somebody x"]),
            Situation(
                title: "a native chain rejects by its last rule, behind a set and a map",
                rules: [
                    (
                        "nft",
                        """
                        table inet somebody {
                            set open { type inet_service; flags interval; elements = { 22, 8000-9000 }; }
                            chain docker { tcp dport 53 accept; }
                            chain x {
                                type filter hook input priority 10;
                                ct state vmap { established : accept, related : accept, invalid : drop }
                                iifname vmap { "lo" : accept, "docker0" : jump docker }
                                tcp dport @open accept
                                fib daddr type { broadcast, multicast } drop
                                counter reject with icmpx admin-prohibited
                            }
                        }

                        """
                    )
                ], check: .foreignInput, evidence: ["inet somebody x handle", "REJECT"]),
            Situation(
                title: "iptables-nft drops by policy",
                rules: [
                    (
                        stockNft,
                        stock(
                            "filter", ":INPUT DROP [0:0]", "-A INPUT -i lo -j ACCEPT",
                            "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
                    )
                ], check: .foreignInput, evidence: ["the policy of nftables chain ip filter INPUT"]),
            Situation(
                title: "iptables-nft rejects by its last rule",
                rules: [
                    (
                        stockNft,
                        stock(
                            "filter", "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
                            "-A INPUT -i lo -j ACCEPT",
                            "-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT",
                            "-A INPUT -j REJECT --reject-with icmp-host-prohibited")
                    )
                ], check: .foreignInput, evidence: ["ip filter INPUT handle", "REJECT"]),
            Situation(
                title: "legacy iptables drops in a chain that is jumped to, and our rules are in nf_tables",
                rules: [
                    (
                        legacy,
                        stock(
                            "filter", ":FIREWALL - [0:0]",
                            "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                            "-A INPUT ! -i lo -j FIREWALL",
                            "-A FIREWALL -p tcp -m multiport --dports 22,80,443 -j ACCEPT", "-A FIREWALL -j DROP")
                    )
                ], check: .foreignInput, evidence: ["legacy iptables chain ip filter FIREWALL rule 2"]),
            Situation(
                title: "a legacy rule ahead of ours drops", backend: .iptables,
                rules: [(legacy, stock("filter", "-I INPUT 1 -i docker0 -p tcp -m tcp --dport 51000:52000 -j DROP"))],
                check: .foreignInput, evidence: ["-A INPUT -i docker0 -p tcp --dport 51000:52000 -j DROP"]),
            Situation(
                title: "a nat chain drops what is delivered",
                rules: [("nft", table("nat hook input priority 100", "tcp dport 51679 drop"))],
                check: .foreignInput, evidence: ["inet somebody x handle"]),
            Situation(
                title: "a legacy rule in mangle drops", backend: .iptables,
                rules: [(legacy, stock("mangle", "-A INPUT -d 127.0.0.0/8 ! -i lo -j DROP"))],
                check: .foreignInput, evidence: ["ip mangle INPUT"]),
        ]

        private static let metadata = "ip daddr 169.254.169.254 tcp dport 80"

        /// What depends on the bridges' own networks.
        static let bySender: [Situation] = [
            Situation(
                title: "containers are banned by their address",
                rules: [("nft", table("filter hook prerouting priority -250", "ip saddr 172.16.0.0/12 drop"))],
                check: .natOrder, evidence: ["-s 172.16.0.0/12"])
        ]

        /// What counts otherwise than it looks.
        static let deceptive: [Situation] = [
            Situation(
                title: "a set is filled by the packet itself",
                rules: [
                    (
                        "nft",
                        """
                        table ip somebody {
                            set met { type ipv4_addr; flags dynamic; }
                            chain x { type filter hook prerouting priority -290; \(asked) update @met { ip saddr }; }
                            chain y { type nat hook prerouting priority -110; ip saddr @met tcp dport 80 redirect to :9; }
                        }

                        """
                    )
                ], check: .natOrder, evidence: ["ip somebody y handle"], outcome: "undecided", doubtful: [.shadowedDrop]
            ),
            Situation(
                title: "a copy goes past the rules that drop", backend: .iptables,
                rules: [
                    (legacy, stock("raw", "-A PREROUTING -d 169.254.169.254/32 -j TEE --gateway 10.0.0.2"))
                ], check: .shadowedDrop, evidence: ["-j TEE"], outcome: "undecided", hasCredentials: true),
            Situation(
                title: "a socket is looked for behind another condition",
                rules: [
                    (
                        "nft",
                        table(
                            "filter hook input priority 0",
                            "iifname docker0 meta l4proto tcp socket wildcard 0 drop")
                    )
                ], check: .foreignInput, evidence: ["inet somebody x handle"], outcome: "undecided"),
            Situation(
                title: "nobody is not within everybody", backend: .iptables,
                rules: [
                    (legacy, stock("mangle", "-A INPUT ! -s 0.0.0.0/0 -j ACCEPT", "-A INPUT -i docker0 -j DROP"))
                ], check: .foreignInput, evidence: ["mangle INPUT rule", "-i docker0 -j DROP"]),
            Situation(
                title: "the way out looks like a bridge of containers", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock("nat", "-I OUTPUT 1 -o br-ex -p tcp --dport 80 -j REDIRECT --to-ports 3128")
                    )
                ], check: .natOrder, evidence: ["-o br-ex"], outcome: "undecided", hasCredentials: true),
            Situation(
                title: "time to live and DSCP are no matter",
                rules: [("nft", table("filter hook prerouting priority -290", "ip ttl set 60 ip dscp set 3"))],
                check: nil, hasCredentials: true),
        ]

        /// What happens at one hook and is asked for at a later one, and what is not followed at all.
        static let astray: [Situation] = [
            Situation(
                title: "a mark that is set in mangle is asked for in nat",
                rules: [
                    ("nft", table("filter hook prerouting priority -150", "\(asked) meta mark set 1")),
                    (
                        "nft",
                        """
                        table inet later {
                            chain x {
                                type nat hook prerouting priority -110;
                                meta mark 1 tcp dport 80 dnat ip to 10.0.0.10:51678
                            }
                        }

                        """
                    ),
                ], check: .natOrder, evidence: ["inet later x handle", "--mark 0x1"], outcome: "undecided",
                doubtful: [.shadowedDrop]),
            Situation(
                title: "the host's own requests are sent elsewhere",
                rules: [("nft", table("nat hook output priority -150", "\(asked) dnat ip to 10.0.0.10:51678"))],
                check: .natOrder, evidence: ["inet somebody x handle", "10.0.0.10:51678"], hasCredentials: true),
            Situation(
                title: "the host's own requests are sent elsewhere", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "nat", "-I OUTPUT 1 -p tcp -d 169.254.170.2 -j DNAT --to-destination 10.0.0.10:51678")
                    )
                ], check: .natOrder, evidence: ["OUTPUT rule 1", "10.0.0.10:51678"], hasCredentials: true),
            Situation(
                title: "the host's own requests are dropped in raw", backend: .iptables,
                rules: [(legacy, stock("raw", "-A OUTPUT -d 169.254.170.2/32 -j DROP"))],
                check: .natOrder, evidence: ["ip raw OUTPUT rule 1"], hasCredentials: true),
            Situation(
                title: "Docker's rule for the host's own requests is no matter", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "nat", ":DOCKER - [0:0]",
                            "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
                            "-A DOCKER -i docker0 -j RETURN",
                            "-A DOCKER ! -i docker0 -p tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80")
                    )
                ], check: nil, hasCredentials: true),
            Situation(
                title: "a mark that is set in mangle is asked for in filter", backend: .iptables,
                rules: [
                    (legacy, stock("mangle", "-A PREROUTING -d 169.254.170.2/32 -j MARK --set-mark 0x1")),
                    (legacy, stock("filter", "-I INPUT 1 -m mark --mark 0x1 -j DROP")),
                ], check: .foreignInput, evidence: ["--mark 0x1"], outcome: "undecided"),
            Situation(
                title: "a mark that is set in mangle opens the way to IMDS", backend: .iptables,
                options: ["--imds-placement", "documented"],
                rules: [
                    (legacy, stock("mangle", "-A PREROUTING -d 169.254.169.254/32 -j MARK --set-mark 0x1")),
                    (legacy, stock("filter", "-I FORWARD 1 -m mark --mark 0x1 -j ACCEPT")),
                ], check: .shadowedDrop, evidence: ["--mark 0x1"], outcome: "undecided", hasCredentials: true,
                reachesIMDS: true),
            Situation(
                title: "NETMAP sends packets elsewhere", backend: .iptables,
                rules: [
                    (legacy, stock("nat", "-A PREROUTING -d 169.254.169.254/32 -j NETMAP --to 10.0.0.10/32"))
                ], check: .shadowedDrop, evidence: ["--to-destination 10.0.0.10"], hasCredentials: true),
            Situation(
                title: "TPROXY hands packets over to the host", backend: .iptables,
                rules: [
                    (
                        legacy,
                        stock(
                            "mangle",
                            "-A PREROUTING -d 169.254.169.254/32 -p tcp -j TPROXY --on-port 51678 --tproxy-mark 0x1")
                    )
                ], check: .shadowedDrop, evidence: ["-j TPROXY"], outcome: "undecided", hasCredentials: true),
            Situation(
                title: "a rule writes another destination into packets",
                rules: [
                    ("nft", table("filter hook prerouting priority -150", "\(metadata) ip daddr set 10.0.0.10"))
                ], check: .shadowedDrop, evidence: ["inet somebody x handle"], outcome: "undecided",
                hasCredentials: true),
            Situation(
                title: "a chain of an interface, ahead of every hook for packets",
                rules: [
                    (
                        "nft",
                        """
                        table netdev somebody {
                            chain x { type filter hook ingress device docker0 priority 0; \(asked) counter; }
                        }

                        """
                    )
                ], check: .natOrder, evidence: ["netdev somebody x handle"], outcome: "undecided",
                doubtful: [.shadowedDrop], hasCredentials: true),
            Situation(
                title: "the same in a table of both families",
                rules: [("nft", table("filter hook ingress device docker0 priority 0", "\(asked) counter"))],
                check: .natOrder, evidence: ["inet somebody x handle"], outcome: "undecided",
                doubtful: [.shadowedDrop], hasCredentials: true),
            Situation(
                title: "a bridge drops frames by its policy",
                rules: [
                    (
                        "nft",
                        "table bridge somebody {\nchain x { type filter hook input priority 0; policy drop; }\n}\n"
                    )
                ], check: .natOrder, evidence: ["bridge somebody x policy"], outcome: "undecided",
                doubtful: [.shadowedDrop]),
            Situation(
                title: "chains for frames without rules are no matter",
                rules: [
                    (
                        "nft",
                        """
                        table bridge filter { chain INPUT { type filter hook input priority -200; policy accept; }; }
                        table netdev x { chain y { type filter hook ingress device docker0 priority 0; }; }

                        """
                    )
                ], check: nil, hasCredentials: true),
        ]

        @Test(
            "who takes requests first, or drops first, is named",
            arguments: natOrder + shadowed + astray + deceptive + bySender)
        func situation(_ given: Situation) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try Self.install(given, on: lab)
            let checks = try Self.verify(given, on: lab)
            Self.expect(given, checks)
            try Self.expectPackets(lab, credentials: given.hasCredentials, metadata: given.reachesIMDS)
        }

        @Test("who drops redirected requests is named, and the command given lets them in", arguments: input)
        func mending(_ given: Situation) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try Self.install(given, on: lab)
            let checks = try Self.verify(given, on: lab)
            Self.expect(given, checks)
            try Self.expectPackets(lab, credentials: false, metadata: false)
            let mend = try #require(checks.first { $0.id == given.check?.identifier && $0.outcome == "failed" }?.mend)
            try lab.host.require(["sh", "-c", mend])
            try Self.expectPackets(lab, credentials: true, metadata: false)
            let mended = try Self.verify(given, on: lab)
            #expect(mended.allSatisfy { ["passed", "skipped"].contains($0.outcome) }, "\(mended)")
        }

        struct Told: Sendable {
            let id: String
            let outcome: String
            let evidence: String
            let mend: String?
        }

        @Test("a bridge that there is beside Docker's first one is followed too")
        func otherBridge() throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try lab.host.require(["ip", "link", "del", Laboratory.userBridge])
            try lab.host.require(["ip", "link", "add", "docker1", "type", "bridge"])
            let words = ["--mode", "bridge", "--persist", "none", "--backend", "iptables"]
            try #require(try lab.netsetup(["apply"] + words).status == 0)
            try Self.load(
                [(Self.legacy, Self.stock("filter", "-I INPUT 1 -i docker1 -p tcp --dport 51679 -j DROP"))],
                on: lab.host)
            let checks = try Self.checks(try lab.netsetup(["verify", "--format", "json"] + words).output)
            let failed = checks.filter { $0.outcome == "failed" }
            #expect(failed.map(\.id).contains(CheckKind.foreignInput.identifier), "\(failed)")
        }

        @Test("maps that make a rule many times as many are not followed without end")
        func multiplied() throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            let elements = (0..<1000).map { "10.1.\($0 / 250).\($0 % 250) : drop" }.joined(separator: ", ")
            let ports = (1000..<1060).map { "\($0)" }.joined(separator: ", ")
            let rule = "tcp dport { \(ports) } ip daddr vmap @m\n"
            try Self.load(
                [
                    (
                        "nft",
                        """
                        table ip somebody {
                            map m { type ipv4_addr : verdict; elements = { \(elements) }; }
                            chain x {
                                type filter hook input priority 0;
                                \(String(repeating: rule, count: 60))
                            }
                        }

                        """
                    )
                ], on: lab.host)
            let words = ["--mode", "bridge", "--persist", "none", "--backend", "nftables"]
            try #require(try lab.netsetup(["apply"] + words).status == 0)
            let result = try lab.host.execute(["time", "-f", "%M", Tool.path, "verify", "--quiet"] + words)
            let kilobytes = result.errors.split(separator: "\n").last.flatMap { Double($0) } ?? .infinity
            #expect(kilobytes < Sanitizer.limit(100_000), "\(result.errors)")
        }

        private static func install(_ given: Situation, on lab: Laboratory) throws {
            let result = try lab.netsetup(["apply"] + arguments(given))
            try #require(result.status == 0, "\(result.errors)")
            // Not covered, which would be told too.
            try lab.host.require(["ip", "link", "del", Laboratory.userBridge])
            try load(given.rules, on: lab.host)
        }

        static func load(_ rules: [(tool: String, input: String)], on host: Namespace) throws {
            for (tool, input) in rules {
                try host.require(tool == "nft" ? [tool, "-f", "-"] : [tool, "--noflush"], input: input)
            }
        }

        static func arguments(_ given: Situation) -> [String] {
            ["--mode", "bridge", "--persist", "none", "--backend", given.backend.rawValue] + given.options
        }

        static func checks(_ text: String) throws -> [Told] {
            let answer = try JSONParser.parse(Array(text.utf8))
            return (answer["checks"]?.elements ?? []).map { check in
                Told(
                    id: check["id"]?.string ?? "", outcome: check["outcome"]?.string ?? "",
                    evidence: check["evidence"]?.string ?? "", mend: check["mend"]?.string)
            }
        }

        private static func verify(_ given: Situation, on lab: Laboratory) throws -> [Told] {
            let result = try lab.netsetup(["verify", "--format", "json"] + arguments(given))
            let checks = try checks(result.output)
            let undecided = checks.contains { $0.outcome == "undecided" }
            let failed = checks.contains { $0.outcome == "failed" }
            #expect(result.status == (undecided ? 2 : failed ? 1 : 0), "\(result.errors)")
            return checks
        }

        /// The check that is meant says what it should, and no other complains; but that a rule is not at its place may
        /// be said twice.
        private static func expect(_ given: Situation, _ checks: [Told]) {
            let loud = checks.filter { $0.outcome == "failed" || $0.outcome == "undecided" }
            guard let check = given.check else {
                #expect(loud.isEmpty, "\(loud)")
                let all = checks.map(\.evidence).joined(separator: "\n")
                for words in given.evidence { #expect(all.contains(words), "\(all)") }
                return
            }
            let found = loud.first { $0.id == check.identifier }
            #expect(found?.outcome == given.outcome, "\(loud)")
            for words in given.evidence { #expect(found?.evidence.contains(words) == true, "\(words): \(loud)") }
            let others = loud.filter { told in
                let isAlsoMisplaced = check == .shadowedDrop && told.id == CheckKind.metadata.identifier
                let isDoubtful = told.outcome == "undecided" && given.doubtful.contains { $0.identifier == told.id }
                return told.id != check.identifier && !isAlsoMisplaced && !isDoubtful
            }
            #expect(others.isEmpty, "\(others)")
        }

        private static func expectPackets(_ lab: Laboratory, credentials: Bool, metadata: Bool) throws {
            let answer = try lab.container.reach(Laboratory.credentials, port: 80, timeout: 150)
            #expect((answer == .answered("agent")) == credentials, "credentials: \(answer)")
            let imds = try lab.container.reach(Laboratory.metadata, port: 80, timeout: 150)
            #expect(imds.isAnswered == metadata, "IMDS: \(imds)")
        }
    }
}
