import Laboratory
import Model
import TestSupport
import Testing

extension Live {
    /// Hosts with the rules of well-known tools, on which nothing is wrong: verify must not cry.
    @Suite struct HealthyHostTests {
        struct Host: Sendable, CustomTestStringConvertible {
            let title: String
            let backend: Backend
            let rules: [(tool: String, input: String)]
            var testDescription: String { "\(backend): \(title)" }
        }

        /// What Docker 20 to 28 writes, with a published port and the isolation between networks.
        private static let docker = """
            *raw
            -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DROP
            COMMIT
            *nat
            :DOCKER - [0:0]
            -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
            -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
            -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
            -A POSTROUTING -s 172.18.0.0/16 ! -o br-0123456789ab -j MASQUERADE
            -A DOCKER -i docker0 -j RETURN
            -A DOCKER -i br-0123456789ab -j RETURN
            -A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:8080
            COMMIT
            *filter
            :FORWARD DROP [0:0]
            :DOCKER - [0:0]
            :DOCKER-ISOLATION-STAGE-1 - [0:0]
            :DOCKER-ISOLATION-STAGE-2 - [0:0]
            :DOCKER-USER - [0:0]
            -A FORWARD -j DOCKER-USER
            -A FORWARD -j DOCKER-ISOLATION-STAGE-1
            -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A FORWARD -o docker0 -j DOCKER
            -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
            -A FORWARD -i docker0 -o docker0 -j ACCEPT
            -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8080 -j ACCEPT
            -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
            -A DOCKER-ISOLATION-STAGE-1 -j RETURN
            -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
            -A DOCKER-ISOLATION-STAGE-2 -j RETURN
            -A DOCKER-USER -j RETURN
            COMMIT

            """

        /// What kube-proxy in iptables mode writes, shortened.
        private static let kubernetes = """
            *mangle
            :KUBE-PROXY-CANARY - [0:0]
            COMMIT
            *nat
            :KUBE-MARK-MASQ - [0:0]
            :KUBE-NODEPORTS - [0:0]
            :KUBE-POSTROUTING - [0:0]
            :KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
            :KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
            :KUBE-SERVICES - [0:0]
            :KUBE-SVC-CCCCCCCCCCCCCCCC - [0:0]
            -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
            -A KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.0.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:53
            -A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination 10.244.0.3:53
            -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "kube-system/kube-dns:dns-tcp" -m tcp --dport 53 -j KUBE-SVC-CCCCCCCCCCCCCCCC
            -A KUBE-SERVICES -m comment --comment "nodeports; must be last" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
            -A KUBE-SVC-CCCCCCCCCCCCCCCC ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j KUBE-MARK-MASQ
            -A KUBE-SVC-CCCCCCCCCCCCCCCC -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
            -A KUBE-SVC-CCCCCCCCCCCCCCCC -j KUBE-SEP-BBBBBBBBBBBBBBBB
            COMMIT
            *filter
            :KUBE-EXTERNAL-SERVICES - [0:0]
            :KUBE-FIREWALL - [0:0]
            :KUBE-FORWARD - [0:0]
            :KUBE-NODEPORTS - [0:0]
            -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
            -A INPUT -m conntrack --ctstate NEW -m comment --comment "externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
            -A INPUT -j KUBE-FIREWALL
            -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
            -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
            -A KUBE-FIREWALL -m comment --comment "dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
            -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
            -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
            -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            COMMIT

            """

        /// What ufw writes with its default policies, shortened; with the line that verify asks for where it is not ours.
        private static func ufw(accepting: Bool) -> String {
            """
            *filter
            :INPUT DROP [0:0]
            :FORWARD DROP [0:0]
            :ufw-before-input - [0:0]
            :ufw-not-local - [0:0]
            :ufw-logging-deny - [0:0]
            :ufw-user-input - [0:0]
            :ufw-after-input - [0:0]
            :ufw-reject-input - [0:0]
            :ufw-skip-to-policy-input - [0:0]
            \(accepting ? "-A INPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 51679 -m conntrack --ctstate DNAT -j ACCEPT" : "")
            -A INPUT -j ufw-before-input
            -A INPUT -j ufw-after-input
            -A INPUT -j ufw-reject-input
            -A ufw-before-input -i lo -j ACCEPT
            -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
            -A ufw-before-input -m conntrack --ctstate INVALID -j DROP
            -A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
            -A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
            -A ufw-before-input -j ufw-not-local
            -A ufw-before-input -j ufw-user-input
            -A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN
            -A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
            -A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
            -A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
            -A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN
            -A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny
            -A ufw-not-local -j DROP
            -A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
            -A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input
            -A ufw-skip-to-policy-input -j DROP
            COMMIT

            """
        }

        /// What firewalld writes to nf_tables, shortened, where Docker's bridge is in a zone of its own that accepts.
        private static let firewalld = """
            table inet firewalld {
                chain mangle_PREROUTING {
                    type filter hook prerouting priority -140; policy accept;
                    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
                    jump mangle_PREROUTING_ZONES
                }
                chain mangle_PREROUTING_ZONES { iifname "docker0" return; return; }
                chain nat_PREROUTING {
                    type nat hook prerouting priority -90; policy accept;
                    jump nat_PREROUTING_ZONES
                }
                chain nat_PREROUTING_ZONES { iifname "docker0" return; goto nat_PRE_public; }
                chain nat_PRE_public { tcp dport 2222 redirect to :22; }
                chain filter_PREROUTING {
                    type filter hook prerouting priority 10; policy accept;
                    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
                    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
                }
                chain filter_INPUT {
                    type filter hook input priority 10; policy accept;
                    ct state { established, related } accept
                    ct status dnat accept
                    iifname "lo" accept
                    ct state invalid drop
                    jump filter_INPUT_ZONES
                    reject with icmpx admin-prohibited
                }
                chain filter_INPUT_ZONES { iifname "docker0" goto filter_IN_docker; goto filter_IN_public; }
                chain filter_IN_docker { accept; }
                chain filter_IN_public { tcp dport 22 accept; meta l4proto { icmp, ipv6-icmp } accept; }
                chain filter_FORWARD {
                    type filter hook forward priority 10; policy accept;
                    ct state { established, related } accept
                    ct status dnat accept
                    iifname "lo" accept
                    ct state invalid drop
                    ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject with icmpv6 addr-unreachable
                    iifname "docker0" accept
                    reject with icmpx admin-prohibited
                }
            }

            """

        /// What Docker 29's own backend for nf_tables writes, shortened.
        private static let dockerBridges = """
            table ip docker-bridges {
                map filter-forward-in-jumps {
                    type ifname : verdict
                    elements = { "docker0" : jump filter-forward-in__docker0 }
                }
                map nat-prerouting-and-output-jumps { type ifname : verdict; }
                chain filter-FORWARD {
                    type filter hook forward priority 0; policy accept;
                    oifname vmap @filter-forward-in-jumps
                    iifname "docker0" accept
                }
                chain filter-forward-in__docker0 {
                    ct state established,related counter accept
                    iifname "docker0" counter accept comment "ICC"
                    counter drop comment "UNPUBLISHED PORT DROP"
                }
                chain nat-PREROUTING {
                    type nat hook prerouting priority -100; policy accept;
                    fib daddr type local counter jump nat-prerouting-and-output
                }
                chain nat-prerouting-and-output { iifname != "docker0" tcp dport 80 counter dnat to 172.17.0.2:8080; }
                chain raw-PREROUTING {
                    type filter hook prerouting priority -300; policy accept;
                    ip daddr 172.17.0.2 iifname != "docker0" counter drop comment "DROP DIRECT ACCESS"
                }
            }

            """

        static let hosts: [Host] = [
            Host(title: "Docker", backend: .iptables, rules: [("iptables-legacy-restore", docker)]),
            Host(title: "Docker", backend: .nftables, rules: [("iptables-nft-restore", docker)]),
            Host(title: "Docker's nf_tables backend", backend: .nftables, rules: [("nft", dockerBridges)]),
            Host(title: "Kubernetes", backend: .iptables, rules: [("iptables-legacy-restore", kubernetes)]),
            Host(title: "Kubernetes", backend: .nftables, rules: [("iptables-nft-restore", kubernetes)]),
            Host(title: "ufw", backend: .iptables, rules: [("iptables-legacy-restore", ufw(accepting: false))]),
            Host(title: "ufw", backend: .nftables, rules: [("iptables-nft-restore", ufw(accepting: true))]),
            Host(title: "firewalld", backend: .nftables, rules: [("nft", firewalld)]),
            Host(
                title: "firewalld and Docker", backend: .nftables,
                rules: [("nft", firewalld), ("iptables-nft-restore", docker)]),
        ]

        @Test("verify finds nothing wrong and nothing that it cannot tell", arguments: hosts)
        func healthy(_ host: Host) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            // Docker alone: another network's bridge would have to be covered too.
            try lab.host.require(["ip", "link", "del", Laboratory.userBridge])
            try ForeignRuleTests.load(host.rules, on: lab.host)
            let options = ["--mode", "bridge", "--persist", "none", "--backend", host.backend.rawValue]
            let applied = try lab.netsetup(["apply"] + options)
            try #require(applied.status == 0, "\(applied.errors)")
            let result = try lab.netsetup(["verify", "--format", "json"] + options)
            let loud = try ForeignRuleTests.checks(result.output).filter {
                $0.outcome == "failed" || $0.outcome == "undecided"
            }
            #expect(result.status == 0, "\(loud)")
            let answer = try lab.container.reach(Laboratory.credentials, port: 80)
            #expect(answer == .answered("agent"), "\(answer)")
        }

        @Test("verify takes little time with 5,000 rules of others", arguments: Backend.allCases)
        func manyRules(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let tool = backend == .nftables ? "iptables-nft-restore" : "iptables-legacy-restore"
            let lines = (0..<5_000).map { number in
                "-A INPUT -s 10.\(number / 250).\(number % 250).1/32 -p tcp -m tcp --dport 22 -j DROP\n"
            }
            try lab.host.require([tool], input: "*filter\n" + lines.joined() + "COMMIT\n")
            let options = ["--mode", "bridge", "--persist", "none", "--backend", backend.rawValue]
            try lab.requireNetsetup(["apply"] + options)
            // Time on the processor: the tests share theirs with others.
            let best = try (0..<5).map { _ in try lab.netsetup(["verify"] + options).cpuTime }.min() ?? 1
            #expect(best < Sanitizer.limit(0.09), "\(best) s")
        }
    }
}
