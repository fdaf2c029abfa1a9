import Glibc
import Laboratory
import Testing

/// Tests in which packets and the stock tools decide, in network namespaces that the tests make themselves.
///
/// As many at a time as there are cores: mostly they wait, and each in namespaces of its own.
@Suite(.enabled(if: getuid() == 0, "making network namespaces needs root"))
enum Live {}

/// The backend that a test asks for.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case nftables
    case iptables

    var testDescription: String { rawValue }
}

/// What the stock tools say is installed.
struct Witness {
    let lab: Laboratory

    /// Everything that is not ours: legacy tables, and the tables of nf_tables that do not have our name. Without
    /// counters, which traffic changes.
    func foreignRules() throws -> String { try legacy(ours: false) + nft { !$0.hasSuffix(" ecs-netsetup") } }

    /// Everything that is ours, with the handles by which a replaced rule would be told from a kept one.
    func ourRules() throws -> String { try legacy(ours: true) + nft { $0.hasSuffix(" ecs-netsetup") } }

    private func nft(_ isWanted: (String) -> Bool) throws -> String {
        let tables = try lab.host.require(["nft", "list", "tables"]).split(separator: "\n").map {
            String($0.dropFirst(6))
        }
        return try tables.filter(isWanted).map { table in
            try lab.host.require(["nft", "-s", "-a", "list", "table"] + table.split(separator: " ").map(String.init))
        }.joined()
    }

    /// Reading a legacy table makes it, so only those that exist are read.
    private func legacy(ours: Bool) throws -> String {
        try ["ip", "ip6"].map { family in
            let names = try lab.host.require(["cat", "/proc/thread-self/net/\(family)_tables_names"])
            return try names.split(separator: "\n").sorted().map { table in
                let saved = try lab.host.require(["\(family)tables-legacy-save", "-t", String(table)])
                let lines = saved.split(separator: "\n").filter { !$0.hasPrefix("#") && !$0.hasPrefix(":") }
                let kept = lines.filter { $0.contains("ecs-netsetup: ") == ours && $0 != "COMMIT" }
                return "\(family) \(table)\n" + kept.map { $0 + "\n" }.joined()
            }.filter { !ours || $0.contains("ecs-netsetup") }.joined()
        }.joined()
    }
}

/// Rules as Docker and an operator have them, ahead of everything that we may add.
enum ForeignRules {
    /// Installs them through the stock tool of the backend, and a table of somebody's own in nf_tables.
    static func install(on lab: Laboratory, _ backend: Backend) throws {
        let flavour = backend == .nftables ? "nft" : "legacy"
        try lab.host.require(["iptables-\(flavour)-restore", "--noflush"], input: ipv4)
        try lab.host.require(["ip6tables-\(flavour)-restore", "--noflush"], input: ipv6)
        try lab.host.require(["nft", "-f", "-"], input: ownTable)
    }

    static let ipv4 = """
        *nat
        :DOCKER - [0:0]
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
        -A DOCKER -i docker0 -j RETURN
        COMMIT
        *mangle
        -A FORWARD -m comment --comment "somebody accepts everything first" -j ACCEPT
        COMMIT
        *filter
        :DOCKER - [0:0]
        :DOCKER-USER - [0:0]
        -A FORWARD -j ACCEPT
        -A FORWARD -j DOCKER-USER
        -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
        -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
        -A DOCKER-USER -j RETURN
        COMMIT

        """

    static let ipv6 = """
        *mangle
        -A FORWARD -j ACCEPT
        COMMIT
        *filter
        -A FORWARD -j ACCEPT
        -A INPUT -p ipv6-icmp -j ACCEPT
        COMMIT

        """

    private static let ownTable = """
        table inet somebody {
            chain forward {
                type filter hook forward priority -200; policy accept;
                counter accept comment "ahead of everybody"
            }
        }

        """
}
