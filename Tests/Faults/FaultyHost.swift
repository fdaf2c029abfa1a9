import CExtendedAttributes
import Glibc
import Laboratory
import TestSupport

/// A host of somebody's with foreign rules in every chain and foreign lines in every file that ecs-netsetup writes.
final class FaultyHost: Sendable {
    let lab: Laboratory.Bare
    let backend: String

    init(_ walk: Walk) throws {
        lab = try Laboratory.Bare()
        backend = walk.hasLegacyRules ? "iptables" : walk.backend
        try makeConfiguration(walk)
        try lab.host.require(["nft", "-f", "-"], input: Self.nftRules)
        if walk.hasLegacyRules {
            try lab.host.require(["iptables-legacy-restore"], input: Self.legacyRules(isIPv6: false))
            try lab.host.require(["ip6tables-legacy-restore"], input: Self.legacyRules(isIPv6: true))
        }
    }

    /// A small `/etc` of its own, so that all of it can be looked at after each case.
    private func makeConfiguration(_ walk: Walk) throws {
        let host = lab.host
        if walk.dress != .plain { try host.standInForSystemd() }
        let script = """
            set -e
            mkdir -p /run/etc/alternatives /run/etc/ecs /run/etc/sysctl.d /run/etc/systemd/system /run/etc/sysconfig
            cd /etc
            for file in ld.so.cache protocols services passwd group nsswitch.conf ethertypes; do
                [ ! -e $file ] || cp $file /run/etc/
            done
            ln -s /usr/sbin/iptables-\(walk.backend == "iptables" ? "legacy" : "nft")-restore \
                /run/etc/alternatives/iptables-restore
            mount --bind /run/etc /etc
            """
        try host.require(["sh", "-c", script])
        try put("ID=amzn\nVERSION_ID=2\n", at: "/etc/os-release", mode: "644")
        try put(
            "# of somebody\nECS_CLUSTER=prod\n\nECS_ENABLE_TASK_IAM_ROLE = false\nECS_LOGLEVEL=info",
            at: "/etc/ecs/ecs.config", mode: "640")
        try put("net.ipv4.ip_forward = 1\n", at: "/etc/sysctl.d/50-somebody.conf", mode: "644")
        if walk.dress == .iptablesServices { try enableIptablesServices() }
        if walk.dress == .netfilterPersistent { try enableNetfilterPersistent() }
        try host.run { try Self.label("/etc/ecs/ecs.config") }
    }

    /// Gives a file attributes that nobody may lose: of a kind that every file system has, one with a name that is no UTF-8.
    private static func label(_ path: String) throws {
        for name in [
            "trusted.somebody".utf8CString.dropLast() + [0],
            "trusted.".utf8CString.dropLast() + [CChar(truncatingIfNeeded: 0xff), 0],
        ] {
            let value = Array("of somebody".utf8)
            guard unsafe setxattr(path, Array(name), value, value.count, 0) == 0 else {
                throw LaboratoryError("setxattr \(path): error \(errno)")
            }
        }
    }

    private func enableIptablesServices() throws {
        try enable(["iptables", "ip6tables"])
        try put(Self.rulesFile, at: "/etc/sysconfig/iptables", mode: "640")
        try put(Self.rulesFileIPv6, at: "/etc/sysconfig/ip6tables", mode: "600")
    }

    private func enableNetfilterPersistent() throws {
        try enable(["netfilter-persistent"])
        try lab.host.require(["mkdir", "/etc/iptables"])
        try put(Self.rulesFile, at: "/etc/iptables/rules.v4", mode: "640")
        try put(Self.rulesFileIPv6, at: "/etc/iptables/rules.v6", mode: "600")
    }

    private func enable(_ services: [String]) throws {
        let unit = "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=basic.target\n"
        for name in services {
            try put(unit, at: "/etc/systemd/system/\(name).service", mode: "644")
            try lab.host.require(["/run/systemctl", "--root=/", "enable", "\(name).service"])
        }
    }

    private func put(_ text: String, at path: String, mode: String) throws {
        try lab.host.require(["install", "-m", mode, "/dev/stdin", path], input: text)
    }

    /// Does what comes before a walk's command.
    func prepare(_ walk: Walk) throws {
        // diff tells of changes by its status.
        if let words = walk.preparation {
            let result = try lab.netsetup(words)
            guard result.status == 0 || words[0] == "diff" && result.status == 1 else {
                throw LaboratoryError("\(words): \(result.errors)")
            }
        }
        if walk.command == .repair { try lab.host.require(["sh", "-ec", Self.alteration(walk.backend)]) }
    }

    /// Alters the rule that keeps containers from IMDS, so that it is none that ecs-netsetup could write again.
    private static func alteration(_ backend: String) -> String {
        backend == "nftables"
            ? """
            nft -a list table inet ecs-netsetup | perl -ne '
                $chain = $1 if /chain (\\S+) /;
                print "replace rule inet ecs-netsetup $chain handle $2 ip daddr 169.254.169.254 ip ttl 9 drop $1\\n"
                    if /169\\.254\\.169\\.254.*drop (comment ".*") # handle (\\d+)/;
                ' | grep . >/run/alteration
            nft -f /run/alteration
            """
            : """
            iptables-legacy -t mangle -S FORWARD | grep 169.254.169.254 |
                sed 's/-A FORWARD/iptables-legacy -t mangle -R FORWARD 1 -m ttl --ttl-eq 9/' >/run/alteration
            grep -q R /run/alteration
            sh -e /run/alteration
            """
    }

    /// Adds a rule of somebody else's, as happens at any time.
    ///
    /// - Parameter turn: which table is written to, in turn.
    func addForeignRule(_ turn: Int) throws {
        if backend == "nftables" {
            try lab.host.require([
                "nft", "add", "rule", "inet", "somebody", "forward", "ip", "saddr", Self.added, "accept",
            ])
            return
        }
        let tables = ["filter", "nat", "mangle"]
        let chains = ["FORWARD", "OUTPUT", "FORWARD"]
        let index = turn % tables.count
        // Another lock file: somebody who does not know of the lock.
        let words = ["XTABLES_LOCKFILE=/run/other.lock", "iptables-legacy", "-t", tables[index], "-A", chains[index]]
        try lab.host.require(["env"] + words + ["-s", Self.added, "-j", "RETURN"])
    }

    /// Does what must never happen.
    func spoil() throws {
        try lab.host.require(["nft", "flush", "ruleset"])
        if backend == "iptables" {
            for family in ["ip", "ip6"] {
                for table in ["mangle", "filter"] {
                    try lab.host.require(["\(family)tables-legacy", "-t", table, "-F"])
                }
            }
        }
        try put("ECS_CLUSTER=\n", at: "/etc/ecs/ecs.config", mode: "600")
    }

    static let added = "192.0.2.77"

    private static let rulesFile = """
        # Rules of somebody
        *nat
        :PREROUTING ACCEPT [3:180]
        -A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080
        COMMIT
        *filter
        :INPUT DROP [7:420]
        :FORWARD DROP [0:0]
        :OUTPUT ACCEPT [12:3000]
        :SOMEBODY - [0:0]
        [5:300] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
        -A FORWARD -j SOMEBODY
        COMMIT

        """

    private static let rulesFileIPv6 =
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -p ipv6-icmp -j ACCEPT\nCOMMIT\n"

    private static let nftRules = """
        table inet somebody {
            chain input {
                type filter hook input priority filter; policy accept;
                ip saddr 192.0.2.1 counter accept comment "of somebody"
            }
            chain forward {
                type filter hook forward priority filter; policy accept;
                ip saddr 192.0.2.1 counter accept comment "of somebody"
            }
        }
        table ip somebody-nat {
            chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                ip daddr 192.0.2.2 tcp dport 80 dnat to 192.0.2.3:8080
            }
        }

        """

    /// Every table and every chain.
    private static func legacyRules(isIPv6: Bool) -> String {
        let chains = [
            ("raw", ["PREROUTING", "OUTPUT"]),
            ("mangle", ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
            ("nat", ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
            ("filter", ["INPUT", "FORWARD", "OUTPUT"]),
        ]
        let address = isIPv6 ? "2001:db8::1/128" : "192.0.2.1/32"
        return chains.map { table, chains in
            let rules = chains.map { "-A \($0) -s \(address) -m comment --comment \"of somebody\" -j SOMEBODY\n" }
            return "*\(table)\n:SOMEBODY - [0:0]\n\(rules.joined())-A SOMEBODY -j RETURN\nCOMMIT\n"
        }.joined()
    }
}
