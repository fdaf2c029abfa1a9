import FoundationEssentials
import Glibc
import Laboratory
import TestSupport

/// What a host holds, as the stock tools and the files say.
struct HostState: Hashable {
    /// What `nft` prints.
    let nft: String
    /// What `iptables-legacy-save` and `ip6tables-legacy-save` print, without counters; empty without such tables.
    let legacy: [String]
    let routeLocalnet: String
    let etc: TreeSnapshot
    let record: TreeSnapshot

    private static let parameter = "ipv4/conf/all/route_localnet"

    /// Reads it. The calling thread is in the host's namespaces.
    init(of host: Namespace) throws {
        nft = try host.require(["nft", "-s", "list", "ruleset"])
        legacy = try ["ip", "ip6"].map { family in
            let tables = try String(
                contentsOfFile: "/proc/thread-self/net/\(family)_tables_names", encoding: .utf8)
            return tables.isEmpty ? "" : Self.withoutCounters(try host.require(["\(family)tables-legacy-save"]))
        }
        routeLocalnet = try host.readSysctl(Self.parameter)
        etc = try TreeSnapshot(of: "/etc")
        record = try TreeSnapshot(of: "/var/lib")
    }

    private static func withoutCounters(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            (line.hasPrefix(":") ? line.prefix { $0 != "[" } + "[0:0]" : line) + "\n"
        }.joined()
    }

    /// The rules of ecs-netsetup and those of others, each with the table that it is in.
    var rules: (ours: [String], foreign: [String]) {
        var (ours, foreign): ([String], [String]) = ([], [])
        var isOurTable = false
        for line in nft.split(separator: "\n") {
            if line.hasPrefix("table ") { isOurTable = line.hasSuffix(" ecs-netsetup {") }
            if isOurTable { ours.append(String(line)) } else { foreign.append(String(line)) }
        }
        for (family, text) in zip(["ip", "ip6"], legacy) {
            var table = ""
            for line in text.split(separator: "\n") {
                if line.hasPrefix("*") { table = String(line.dropFirst()) }
                let place = "\(family) \(table): \(line)"
                if line.contains("\"ecs-netsetup: ") { ours.append(place) } else { foreign.append(place) }
            }
        }
        return (ours, foreign)
    }

    /// Whether no neighbour reaches what listens on 127.0.0.1.
    var isGuarded: Bool {
        routeLocalnet == "0"
            || rules.ours.contains { line in
                let isDrop = line.contains(" drop ") || line.hasSuffix("-j DROP")
                return isDrop && line.contains("127.0.0.0/8") && line.contains("localhost guard")
            }
    }

    /// Whether containers on docker0 reach IMDS neither by IPv4 nor by IPv6.
    var isClosed: Bool {
        let ours = rules.ours
        return ["169.254.169.254", "fd00:ec2::254"].allSatisfy { address in
            ours.contains { line in
                let words = [" drop ", " reject ", " DROP", " REJECT"]
                return line.contains(address) && line.contains("docker") && words.contains { line.contains($0) }
            }
        }
    }

    /// Makes the host hold this again.
    func restore(on host: Namespace, from now: HostState) throws {
        if now.nft != nft { try host.require(["nft", "-f", "-"], input: "flush ruleset\n" + nft) }
        for (index, family) in ["ip", "ip6"].enumerated() where now.legacy[index] != legacy[index] {
            try host.require(["\(family)tables-legacy-restore"], input: legacy[index])
        }
        if now.routeLocalnet != routeLocalnet { try host.writeSysctl(Self.parameter, routeLocalnet) }
        try Self.restore(etc, from: now.etc, at: "/etc")
        try Self.restore(record, from: now.record, at: "/var/lib")
    }

    /// Makes a folder hold what it held, touching nothing that is as it was.
    private static func restore(_ tree: TreeSnapshot, from now: TreeSnapshot, at root: String) throws {
        if tree == now { return }
        for path in now.entries.keys.sorted(by: >) where tree.entries[path]?.mode != now.entries[path]?.mode {
            guard unsafe remove(root + path) == 0 else { throw LaboratoryError("cannot remove \(root)\(path)") }
        }
        for (path, entry) in tree.entries.sorted(by: { $0.key < $1.key }) where now.entries[path] != entry {
            switch entry.mode & S_IFMT {
            case S_IFDIR: _ = unsafe mkdir(root + path, 0o700)
            case S_IFLNK:
                _ = unsafe remove(root + path)
                _ = unsafe symlink(String(decoding: entry.contents, as: UTF8.self), root + path)
                continue
            default: try Data(entry.contents).write(to: URL(filePath: root + path))
            }
            guard unsafe chmod(root + path, entry.mode & 0o7777) == 0 else {
                throw LaboratoryError("cannot restore \(root)\(path)")
            }
            try entry.restoreAttributes(of: root + path)
        }
    }
}
