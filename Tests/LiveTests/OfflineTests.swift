import Glibc
import Laboratory
import Model
import TestSupport
import Testing

extension Live {
    /// What is captured by the stock tools tells the same as the kernel it was captured from.
    @Suite struct OfflineTests {
        /// What happened to our rules after apply; an empty script leaves them complete.
        struct State: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let backend: Backend
            let script: String
        }

        @Test("the changes are the same, whatever others have", arguments: Corpora.all, Backend.allCases)
        func corpora(_ corpus: Corpus, _ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            try install(corpus, on: lab, backend)
            try expectSame(lab, "nothing of ours yet", isMatch: false)
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--persist", "none", "--backend", backend.rawValue])
            // Docker's rules may ask for the other backend.
            try expectSame(lab, "complete", ["--backend", backend.rawValue], isMatch: true)
            try lab.host.require(["sh", "-c", remove(backend)])
            try expectSame(lab, "one rule missing", ["--backend", backend.rawValue], isMatch: false)
        }

        private func install(_ corpus: Corpus, on lab: Laboratory.Bare, _ backend: Backend) throws {
            let flavour = backend == .nftables ? "nft" : "legacy"
            if !corpus.ipv4.isEmpty {
                try lab.host.require(["iptables-\(flavour)-restore", "--noflush"], input: corpus.ipv4)
            }
            if !corpus.ipv6.isEmpty {
                try lab.host.require(["ip6tables-\(flavour)-restore", "--noflush"], input: corpus.ipv6)
            }
            if !corpus.nft.isEmpty { try lab.host.require(["nft", "-f", "-"], input: corpus.nft) }
        }

        private func remove(_ backend: Backend) -> String {
            switch backend {
            case .nftables: "nft delete rule inet ecs-netsetup output handle " + Self.handle("output")
            case .iptables: "iptables-legacy -t mangle -D FORWARD 1"
            }
        }

        /// A shell's words for the last handle in a chain of ours.
        private static func handle(_ chain: String) -> String {
            "$(nft -a list chain inet ecs-netsetup \(chain) | sed -n 's/.*# handle //p' | tail -1)"
        }

        private static let mark = "-m comment --comment 'ecs-netsetup: "
        private static let states = [
            State(testDescription: "complete", backend: .nftables, script: "true"),
            State(
                testDescription: "dormant", backend: .nftables,
                script: "nft add table inet ecs-netsetup '{ flags dormant; }'"),
            State(
                testDescription: "altered", backend: .nftables,
                script: """
                    nft replace rule inet ecs-netsetup forward handle \(handle("forward")) ip6 daddr fd00:ec2::253 \
                    iifname 'docker*' counter drop comment '"ecs-netsetup: no IMDS over IPv6 for docker+"'
                    """),
            State(
                testDescription: "accepts", backend: .nftables,
                script: """
                    nft replace rule inet ecs-netsetup forward handle \(handle("forward")) ip6 daddr fd00:ec2::254 \
                    iifname 'docker*' counter accept comment '"ecs-netsetup: no IMDS over IPv6 for docker+"'
                    """),
            State(
                testDescription: "moved behind another", backend: .nftables,
                script: """
                    nft insert rule inet ecs-netsetup input meta nfproto ipv4 iifname != lo tcp dport 51678 counter drop \
                    comment '"ecs-netsetup: no introspection from other hosts"'
                    """),
            State(
                testDescription: "not understood", backend: .nftables,
                script: [
                    "ip saddr 10.0.0.0/8 limit rate 1/second counter drop", "ip saddr 10.0.0.1-10.0.0.9 counter drop",
                    "ip saddr { 10.0.0.1, 10.0.0.3 } counter drop", "tcp dport 80-90 counter drop",
                    "udp dport 80 counter drop", "ip protocol tcp counter drop", "ip saddr 10.0.0.1 drop",
                    "ip saddr 10.0.0.1 counter return", "ip saddr 10.0.0.1 counter", "counter drop",
                    "ip daddr != 10.0.0.1 counter drop", "meta mark 1 counter drop", "ct state new counter drop",
                    "ct state established counter drop", "fib daddr type local counter drop", "meta mark set 1 counter",
                    "iif lo counter drop", "tcp flags syn counter drop", "ip saddr 10.0.0.1 counter log prefix x drop",
                    "ip saddr 127.0.0.1 counter counter drop",
                    "tcp dport { 80, 81 } counter drop", "tcp dport != 80 counter drop",
                    "ip saddr 10.0.0.1 counter reject with icmpx admin-prohibited", "iifname { a, b } counter drop",
                    "ct state vmap { new : drop }", "ip6 saddr fe80::1 counter drop",
                ].enumerated().map { index, rule in
                    "nft 'add rule inet ecs-netsetup input \(rule) comment \"ecs-netsetup: strange \(index)\"'"
                }.joined(separator: "\n")),
            State(
                testDescription: "strangers in our table", backend: .nftables,
                script: """
                    nft add set inet ecs-netsetup s '{ type ipv4_addr; }'
                    nft add chain inet ecs-netsetup other
                    nft insert rule inet ecs-netsetup input ip saddr 10.0.0.1 accept
                    nft add rule inet ecs-netsetup input ip saddr 10.0.0.1 accept comment '"not ecs-netsetup: x"'
                    """),
            State(
                testDescription: "a chain on another hook, one that drops", backend: .nftables,
                script: """
                    nft delete chain inet ecs-netsetup output
                    nft add chain inet ecs-netsetup output '{ type nat hook output priority -100; }'
                    nft add chain inet ecs-netsetup input '{ policy drop; }'
                    """),
            State(
                testDescription: "tables in two families", backend: .nftables, script: "nft add table ip ecs-netsetup"),
            State(testDescription: "complete", backend: .iptables, script: "true"),
            State(
                testDescription: "also in the other backend", backend: .iptables,
                script: """
                    nft add table inet ecs-netsetup
                    nft add chain inet ecs-netsetup input '{ type filter hook input priority -150; }'
                    """),
            State(
                testDescription: "shadowed", backend: .iptables,
                script: """
                    iptables-legacy -t mangle -I FORWARD 1 -j ACCEPT
                    ip6tables-legacy -t mangle -I INPUT 2 -m comment --comment 'not ecs-netsetup: x' -j ACCEPT
                    """),
            State(
                testDescription: "altered", backend: .iptables,
                script: """
                    iptables-legacy -t mangle -R FORWARD 1 -d 169.254.169.253 -i docker+ \(mark)no IMDS for docker+' -j DROP
                    iptables-legacy -t nat -R OUTPUT 1 -d 169.254.170.2 -p tcp --dport 80 \
                    \(mark)task credentials for the host' -j REDIRECT --to-ports 51678
                    """),
            State(
                testDescription: "out of order", backend: .iptables,
                script: """
                    iptables-legacy -t mangle -D INPUT 1
                    iptables-legacy -t mangle -A INPUT -i docker+ -p tcp --dport 51678 \
                    \(mark)introspection from docker+ is left to others' -j ACCEPT
                    """),
            State(
                testDescription: "not understood", backend: .iptables,
                script: ([
                    "-p udp MARK -j DROP", "-m limit --limit 5/min MARK -j DROP",
                    "-s 10.0.0.0/255.0.255.0 MARK -j DROP", "-p tcp --dport 1:2 MARK -j DROP", "MARK -j X",
                    "-p tcp --sport 5 MARK -j DROP", "-m state --state NEW MARK -j DROP", "MARK -g X", "MARK",
                    "MARK -j LOG", "MARK -m mark --mark 1 -j DROP", "! -d 10.0.0.1 MARK -j DROP", "MARK -j RETURN",
                    "-p tcp MARK -j REJECT", "-f MARK -j DROP", "MARK -j MARK --set-mark 1",
                    "-p tcp --dport 5 --tcp-flags SYN,ACK SYN MARK -j DROP",
                    "-m conntrack --ctstatus ASSURED MARK -j DROP",
                    "! -i lo MARK -j DROP",
                ]).enumerated().map { index, rule in
                    "iptables-legacy -A INPUT "
                        + rule.split(separator: "MARK", maxSplits: 1, omittingEmptySubsequences: false).joined(
                            separator: "\(mark)strange \(index)'")
                }.joined(separator: "\n").withPrefix("iptables-legacy -N X\n")),
            State(
                testDescription: "in chains that are not ours", backend: .iptables,
                script: """
                    iptables-legacy -N X
                    iptables-legacy -A X \(mark)somewhere' -j DROP
                    iptables-legacy -t nat -A POSTROUTING \(mark)elsewhere' -j ACCEPT
                    ip6tables-legacy -t raw -A PREROUTING \(mark)not looked at' -j ACCEPT
                    """),
        ]

        @Test("the changes are the same, whatever happened to ours", arguments: states)
        func sameAfter(_ state: State) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(
                ["apply", "--mode", "bridge,host", "--persist", "none", "--backend", state.backend.rawValue])
            try lab.host.require(["sh", "-e", "-c", state.script])
            try expectSame(
                lab, state.testDescription, ["--backend", state.backend.rawValue], mode: "bridge,host",
                isMatch: state.script == "true")
        }

        /// Captures with the stock tools, and compares with captures what diff says of the host.
        private func expectSame(
            _ lab: Laboratory.Bare, _ what: String, _ options: [String] = [], mode: String = "bridge", isMatch: Bool
        ) throws {
            let captures = try Captures(of: lab)
            let words = ["diff", "--mode", mode, "--format", "json"] + options
            let live = try lab.netsetup(words + ["--persist", "none"])
            let offline = try captures.netsetup(words)
            #expect(offline.status == (isMatch ? 0 : 1), "\(what): \(offline.errors)")
            let (expected, found) = (try changes(live.output), try changes(offline.output))
            #expect(found.changes == expected.changes, "\(what)")
            #expect(found.backend == expected.backend, "\(what)")
            try expectSameChecks(lab, what, captures, ["--mode", mode] + options, isMatch: isMatch)
        }

        /// Verify says the same of rules; what others' rules do with packets may be wrong where ours are complete.
        private func expectSameChecks(
            _ lab: Laboratory.Bare, _ what: String, _ captures: Captures, _ options: [String], isMatch: Bool
        ) throws {
            let words = ["verify", "--format", "json"] + options
            let live = try ForeignRuleTests.checks(try lab.netsetup(words + ["--persist", "none"]).output)
            let offline = try ForeignRuleTests.checks(try captures.netsetup(words).output)
            let ofPackets = [CheckKind.natOrder, .foreignInput, .shadowedDrop].map(\.identifier)
            func outcomes(_ checks: [ForeignRuleTests.Told]) -> [String] {
                checks.filter { ofPackets.contains($0.id) }.map { "\($0.id) \($0.outcome)" }
            }
            #expect(outcomes(offline) == outcomes(live), "\(what): \(offline)")
            let others = offline.filter { !ofPackets.contains($0.id) }
            #expect(others.allSatisfy { $0.outcome == "passed" } == isMatch, "\(what): \(others)")
        }

        /// The changes of an answer, without that of the kernel parameter, and the backend.
        private func changes(_ answer: String) throws -> (changes: [String], backend: String?) {
            let value = try JSONParser.parse(Array(answer.utf8))
            let changes = try #require(value["changes"]?.elements, "\(answer)")
            let told = changes.filter { $0["what"]?.string?.hasPrefix("sysctl ") != true }.map(\.text)
            return (told, value["backend"]?["name"]?.string)
        }

        @Test("50 MB are read in seconds and in less than 100 MB", arguments: ["iptables-save", "nft"])
        func large(_ format: String) throws {
            let folder = try FixtureRoot()
            var text = format == "nft" ? Self.nftHead : "# Generated by iptables-save v1.8.9 on Wed\n*filter\n"
            var index = 0
            while text.utf8.count < Sanitizer.fewer(50 << 20) {
                text += format == "nft" ? Self.nftRule(index) : Self.iptablesRule(index)
                index += 1
            }
            try folder.write(text + (format == "nft" ? "]}\n" : "COMMIT\n"), to: "/capture")
            let result = try Machine.execute([
                "time", "-f", "%M %e", Tool.path, "verify", "--quiet", "--mode", "bridge", "--backend",
                format == "nft" ? "nftables" : "iptables", "--ruleset", "\(folder.path)/capture",
            ])
            let numbers = try #require(result.errors.split(separator: "\n").last).split(separator: " ").map {
                Double($0) ?? .infinity
            }
            #expect(numbers[0] < Sanitizer.limit(100_000), "kilobytes")
            #expect(numbers[1] < Sanitizer.limit(10), "seconds")
        }

        private static let nftHead = """
            {"nftables": [{"table": {"family": "ip", "name": "t", "handle": 1}}, {"chain": {"family": "ip", "table": "t", "name": "f", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}}
            """

        private static func nftRule(_ index: Int) -> String {
            """
            , {"rule": {"family": "ip", "table": "t", "chain": "f", "handle": \(index + 2), "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": \(index % 65536)}}, {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}}
            """
        }

        private static func iptablesRule(_ index: Int) -> String {
            "-A FORWARD -s 10.0.0.0/8 -p tcp -m tcp --dport \(index % 65536) -m comment --comment \"rule \(index)\" -j DROP\n"
        }
    }
}

/// What the stock tools print of a host, in files.
struct Captures {
    private let folder: FixtureRoot
    private var names: [String] = []

    /// Where no legacy table exists, its tool makes none and prints nothing.
    ///
    /// - Parameter isWhole: whether the stock tools' tables in nf_tables are captured by their own tools too.
    init(of lab: Laboratory.Bare, isWhole: Bool = true) throws {
        folder = try FixtureRoot()
        try capture(lab, ["nft", "-j", "list", "ruleset"], as: "nft.json")
        for program in ["iptables", "ip6tables"] {
            try capture(lab, ["\(program)-legacy-save", "-c"], as: program)
            let stock = try lab.host.require(["\(program)-nft-save"])
            // An empty file is of the legacy interface.
            if isWhole, !stock.isEmpty { try write(stock, as: "\(program)-nft") }
        }
    }

    private mutating func capture(_ lab: Laboratory.Bare, _ command: [String], as name: String) throws {
        try write(try lab.host.require(command), as: name)
    }

    private mutating func write(_ text: String, as name: String) throws {
        try folder.write(text, to: "/\(name)")
        names.append(name)
    }

    /// Runs the program on the machine itself as a user who may do nothing.
    func netsetup(_ arguments: [String]) throws -> ProgramResult {
        let program = "\(folder.path)/ecs-netsetup"
        _ = try Machine.execute(["cp", Tool.path, program])
        _ = try Machine.execute(["chmod", "-R", "a+rX", folder.path])
        return try Machine.execute(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program] + arguments
                + names.flatMap { ["--ruleset", "\(folder.path)/\($0)"] })
    }
}

extension String {
    fileprivate func withPrefix(_ prefix: String) -> String { prefix + self }
}
