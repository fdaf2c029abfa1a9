import Laboratory
import Testing

/// A way in which a host that was set up goes wrong, and the checks that have to say so.
struct BrokenHost: Sendable, CustomTestStringConvertible {
    let name: String
    /// Where it can go wrong so.
    var backends = Backend.allCases
    /// What it was set up with.
    var options = ["--mode", "bridge,awsvpc", "--bridge-interface", "docker+,br-+"]
    /// What verify is asked with, beyond the saved settings.
    var asked: [String] = []
    /// Shell commands that break it.
    var commands: [String] = []
    /// What else breaks it. What it returns is kept until the end.
    var breaks: @Sendable (Laboratory) throws -> [Service] = { _ in [] }
    /// The identifiers' numbers of the checks that fail or cannot be decided, without packets and with them.
    let checks: Set<Int>
    let probes: Set<Int>

    var testDescription: String { name }

    init(
        _ name: String, on backends: [Backend] = Backend.allCases, _ commands: String..., checks: Set<Int>,
        probes: Set<Int> = []
    ) {
        self.name = name
        self.backends = backends
        self.commands = commands
        self.checks = checks
        self.probes = probes
    }

    /// The same on a host that was set up otherwise.
    func setUp(with options: String...) -> BrokenHost {
        var host = self
        host.options = options
        return host
    }

    /// The same with verify asked for this.
    func asking(_ options: String...) -> BrokenHost {
        var host = self
        host.asked = options
        return host
    }

    /// The same with something that no command does.
    func breaking(_ breaks: @escaping @Sendable (Laboratory) throws -> [Service]) -> BrokenHost {
        var host = self
        host.breaks = breaks
        return host
    }
}

extension BrokenHost {
    static let all = rulesOfOurs + structure + rulesOfOthers + onDisk + agents

    private static let table = "inet ecs-netsetup"

    /// Deletes, or replaces, the rule of ours that has this comment and family.
    private static func nft(_ chain: String, _ comment: String, replaced: String? = nil) -> String {
        let handle =
            "$(nft -a list chain \(table) \(chain) | sed -n 's/.*comment \"ecs-netsetup: \(comment)\" # handle //p')"
        guard let replaced else { return "nft delete rule \(table) \(chain) handle \(handle)" }
        return
            "nft replace rule \(table) \(chain) handle \(handle) '\(replaced) comment \"ecs-netsetup: \(comment)\"'"
    }

    /// Deletes, or edits by an expression of sed, the legacy rule of ours that has this comment.
    private static func legacy(_ program: String, _ table: String, _ comment: String, edited: String = "d") -> String {
        """
        \(program)-legacy-save -t \(table) | sed '/"ecs-netsetup: \(comment)"/\(edited)' | \(program)-legacy-restore -T \(table)
        """
    }

    private static let rulesOfOurs = [
        BrokenHost("no guard", on: [.nftables], nft("early-prerouting", "localhost guard"), checks: [2], probes: [28]),
        BrokenHost(
            "no guard", on: [.iptables], legacy("iptables", "mangle", "localhost guard"), checks: [2], probes: [28]),
        BrokenHost(
            "a guard that accepts", on: [.iptables],
            legacy("iptables", "mangle", "localhost guard", edited: "s/-j DROP/-j ACCEPT/"), checks: [2], probes: [28]),
        BrokenHost(
            "no way to the agent for containers", on: [.nftables], nft("prerouting", "task credentials for containers"),
            checks: [3], probes: [25]),
        BrokenHost(
            "no way to the agent for containers", on: [.iptables],
            legacy("iptables", "nat", "task credentials for containers"), checks: [3], probes: [25]),
        BrokenHost(
            "credential requests sent to introspection", on: [.nftables],
            nft(
                "prerouting", "task credentials for containers",
                replaced: "ip daddr 169.254.170.2 tcp dport 80 counter dnat ip to 127.0.0.1:51678"),
            checks: [3], probes: [25]),
        BrokenHost(
            "credential requests sent to introspection", on: [.iptables],
            legacy("iptables", "nat", "task credentials for containers", edited: "s/:51679/:51678/"), checks: [3],
            probes: [25]),
        BrokenHost(
            "no way to the agent for the host", on: [.nftables], nft("output", "task credentials for the host"),
            checks: [4]),
        BrokenHost(
            "no way to the agent for the host", on: [.iptables],
            legacy("iptables", "nat", "task credentials for the host"), checks: [4]),
        BrokenHost(
            "IMDS open", on: [.nftables], nft("forward", "no IMDS for docker+"), checks: [6], probes: [26]),
        BrokenHost(
            "IMDS open", on: [.iptables], legacy("iptables", "mangle", "no IMDS for docker+"), checks: [6],
            probes: [26]),
        BrokenHost(
            "IMDS open over IPv6", on: [.nftables], nft("forward", "no IMDS over IPv6 for docker+"), checks: [7],
            probes: [27]),
        BrokenHost(
            "IMDS open over IPv6", on: [.iptables], legacy("ip6tables", "mangle", "no IMDS over IPv6 for docker+"),
            checks: [7], probes: [27]),
        BrokenHost(
            "an IMDS rule that accepts", on: [.nftables],
            nft(
                "forward", "no IMDS for docker+",
                replaced: "ip daddr 169.254.169.254 iifname \"docker*\" counter accept"),
            checks: [6], probes: [26]),
        BrokenHost(
            "an IMDS rule for another address", on: [.iptables],
            legacy("iptables", "mangle", "no IMDS for docker+", edited: "s/169.254.169.254/169.254.169.253/"),
            checks: [6], probes: [26]),
        BrokenHost(
            "introspection open to other hosts", on: [.nftables], nft("input", "no introspection from other hosts"),
            checks: [8]),
        BrokenHost(
            "introspection open to other hosts", on: [.iptables],
            legacy("iptables", "mangle", "no introspection from other hosts"), checks: [8]),
        BrokenHost(
            "no rule that lets requests in, where INPUT drops", on: [.iptables],
            legacy("iptables", "filter", "let redirected credential requests in"),
            "iptables-legacy -A INPUT -i lo -j ACCEPT; iptables-legacy -P INPUT DROP",
            checks: [5], probes: [25]),
        BrokenHost(
            "a rule of ours too many", on: [.nftables],
            "nft add rule \(table) input iifname != lo ip daddr 127.0.0.1 counter drop comment '\"ecs-netsetup: from before\"'",
            checks: [11],
            probes: [25]),
        BrokenHost(
            "a rule of ours in the other backend", on: [.nftables],
            "iptables-legacy -t nat -A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -m comment --comment 'ecs-netsetup: task credentials for the host' -j REDIRECT --to-ports 51679",
            checks: [11]),
        BrokenHost(
            "route_localnet 0", "sysctl -qw net.ipv4.conf.all.route_localnet=0", checks: [1], probes: [25]),
        BrokenHost(
            "route_localnet 0 for all, 1 for each bridge", "sysctl -qw net.ipv4.conf.all.route_localnet=0",
            "for b in docker0 \(Laboratory.userBridge) ecs-bridge; do sysctl -qw net.ipv4.conf.$b.route_localnet=1; done",
            checks: [1]),
    ]

    private static let structure = [
        BrokenHost(
            "a dormant table", on: [.nftables], "nft add table \(table) '{ flags dormant; }'", checks: [9],
            probes: [25, 26, 27, 28]),
        BrokenHost(
            "a chain at another priority", on: [.nftables],
            """
            nft -s list table \(table) | sed 's/hook forward priority -150/hook forward priority 10/; s/hook forward priority mangle/hook forward priority 10/' > /run/t
            nft delete table \(table); nft -f /run/t
            """, checks: [9]),
        BrokenHost(
            "a set of somebody's in our table", on: [.nftables],
            "nft add set \(table) addresses '{ type ipv4_addr; }'", checks: [10]),
        BrokenHost(
            "everything flushed", on: [.nftables], "nft flush ruleset", checks: [2, 3, 4, 6, 7, 8],
            probes: [25, 26, 27, 28]),
        BrokenHost(
            "everything flushed", on: [.iptables],
            "for t in nat mangle filter; do iptables-legacy -t $t -F; done; ip6tables-legacy -t mangle -F",
            checks: [2, 3, 4, 5, 6, 7, 8], probes: [25, 26, 27, 28]),
    ]

    private static let rulesOfOthers = [
        BrokenHost(
            "legacy INPUT that drops", on: [.nftables],
            "iptables-legacy -A INPUT -i lo -j ACCEPT; iptables-legacy -P INPUT DROP", checks: [13], probes: [25]),
        BrokenHost(
            "INPUT of iptables-nft that drops", "iptables-nft -A INPUT -i lo -j ACCEPT; iptables-nft -P INPUT DROP",
            checks: [13], probes: [25]),
        BrokenHost(
            "an input chain of nft that drops",
            "nft add table inet cis; nft add chain inet cis input '{ type filter hook input priority 0; policy drop; }'; nft add rule inet cis input iifname lo accept; nft add rule inet cis input icmpv6 type nd-neighbor-solicit accept",
            checks: [13], probes: [25]),
        BrokenHost(
            "an input rule of nft that drops",
            "nft add table inet cis; nft add chain inet cis input '{ type filter hook input priority 0; }'; nft add rule inet cis input iifname != lo tcp dport 51679 drop",
            checks: [13], probes: [25]),
        BrokenHost(
            "an INPUT rule that drops ahead of ours", on: [.iptables],
            "iptables-legacy -I INPUT -i docker+ -p tcp -m tcp --dport 51679 -j DROP", checks: [13], probes: [25]),
        BrokenHost(
            "a DNAT of somebody's at a lower priority",
            "nft add table ip other; nft add chain ip other pre '{ type nat hook prerouting priority -150; }'; nft add rule ip other pre ip daddr 169.254.170.2 tcp dport 80 dnat to 127.0.0.1:8080",
            checks: [12], probes: [25]),
        BrokenHost(
            "a DNAT of somebody's ahead of ours", on: [.iptables],
            "iptables-legacy -t nat -I PREROUTING -d 169.254.170.0/24 -p tcp -j DNAT --to-destination 127.0.0.1:8080",
            checks: [12], probes: [25]),
        BrokenHost(
            "a documented drop that Docker's rules precede", on: [.iptables],
            "iptables-legacy -I FORWARD -i docker0 ! -o docker0 -j ACCEPT", checks: [6, 14], probes: [26]
        ).setUp(
            with: "--mode", "bridge,awsvpc", "--bridge-interface", "docker+,br-+", "--imds-placement", "documented"),
        BrokenHost(
            "packets to IMDS sent elsewhere",
            "nft add table inet y; nft add chain inet y i '{ type nat hook prerouting priority -100; }'; nft add rule inet y i ip daddr 169.254.169.254 tcp dport 80 dnat ip to 10.0.0.1",
            checks: [14], probes: [26]),
        BrokenHost(
            "an uncovered bridge", checks: [15]
        ).setUp(with: "--mode", "bridge,awsvpc", "--bridge-interface", "docker+"),
    ]

    private static let onDisk = [
        BrokenHost("no sysctl file", "rm /etc/sysctl.d/90-ecs-netsetup.conf", checks: [17]),
        BrokenHost(
            "a later file that sets the parameter back",
            "echo net.ipv4.conf.all.route_localnet=0 > /etc/sysctl.d/99-cis.conf", checks: [17]),
        BrokenHost(
            "a unit that is not as it was written", "echo '# edited' >> /etc/systemd/system/ecs-netsetup.service",
            checks: [19]),
        BrokenHost(
            "a unit that is not enabled", "/run/systemctl --root=/ disable ecs-netsetup.service 2>/dev/null",
            checks: [18]),
        BrokenHost("no settings file", "rm /etc/ecs-netsetup.conf", checks: [16]).asking(
            "--mode", "bridge,awsvpc", "--bridge-interface", "docker+,br-+"),
        BrokenHost(
            "an agent that is not configured", "sed -i /TASK_IAM_ROLE=/d /etc/ecs/ecs.config",
            "touch -d '1 hour ago' /etc/ecs/ecs.config", checks: [20]),
        BrokenHost(
            "an agent that has not read its configuration", "touch -d '1 hour' /etc/ecs/ecs.config", checks: [21]),
        BrokenHost(
            "tasks that get no credentials",
            """
            mkdir -p /var/log/ecs
            now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
            echo "$now 400 172.17.0.2:4444 \\"/v2/credentials/x\\" \\"aws-sdk-go/1.44 (go1.19; linux)\\" -" >> /var/log/ecs/audit.log
            """, checks: [24]),
    ]

    private static let agents = [
        BrokenHost("no agent", checks: [23], probes: [25]).breaking { lab in
            lab.agent.stop()
            return []
        },
        BrokenHost("introspection on the credentials' port", checks: [23], probes: [25]).breaking { lab in
            lab.agent.stop()
            return try [
                Service(
                    "introspection", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort, .introspection()),
                Service(
                    "introspection", in: lab.host, on: ["0.0.0.0"], port: Laboratory.introspectionPort,
                    .introspection()),
            ]
        },
        BrokenHost("an agent that does not answer", checks: [23], probes: [25]).breaking { lab in
            lab.agent.stop()
            return try [
                Service("agent", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort, .silence),
                Service(
                    "introspection", in: lab.host, on: ["0.0.0.0"], port: Laboratory.introspectionPort,
                    .introspection()),
            ]
        },
        BrokenHost("an agent that is too old", checks: [22]).breaking { lab in
            lab.agent.stop()
            return try [
                Service("agent", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort, .credentials()),
                Service(
                    "introspection", in: lab.host, on: ["0.0.0.0"], port: Laboratory.introspectionPort,
                    .introspection(version: "v1.10.0")),
            ]
        },
    ]
}
