import Glibc
import Model
import TestSupport

@testable import Planning

/// Where the cases of the property tests come from: a seed that is the same every time, or `ECS_NETSETUP_SEED`. With
/// `ECS_NETSETUP_CASES=10` there are ten times as many.
enum PropertySeed {
    static let value = environment("ECS_NETSETUP_SEED") ?? 20_260_727
    private static let factor = Int(environment("ECS_NETSETUP_CASES") ?? 1)

    private static func environment(_ name: String) -> UInt64? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: text))
    }

    static func cases(_ count: Int) -> Int { Sanitizer.fewer(count * factor) }

    /// A generator for each test, so that they do not depend on each other's order.
    static func generator(_ salt: UInt64) -> SplitMix64 { SplitMix64(state: value &+ salt &* 0x1_0000_0001) }

    static func tell(_ title: String, cases: Int) { print("\(title): \(cases) cases, ECS_NETSETUP_SEED=\(value)") }
}

extension SplitMix64 {
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &self)] }

    /// Bytes of any kind, without a line feed, and without a carriage return at the end.
    mutating func oddBytes() -> [UInt8] {
        let words: [[UInt8]] = [
            Array("word".utf8), Array(" ".utf8), Array("\t".utf8), Array("\"".utf8), Array("\\".utf8), [0], [0xff],
            [0xc3], [0x80, 0xbf], Array("é".utf8), Array("\u{301}".utf8), Array("\u{fe0f}\u{20e3}".utf8),
            Array("\u{200d}".utf8), Array("=".utf8), Array("#".utf8), Array("\r ".utf8), Array("\u{feff}".utf8),
        ]
        return (0..<Int.random(in: 0...5, using: &self)).flatMap { _ in pick(words) }
    }
}

/// Rules files as people and programs write them.
enum AnyRulesFile {
    private static let builtIn = [
        "nat": ["PREROUTING", "OUTPUT"], "filter": ["INPUT", "FORWARD", "OUTPUT"],
        "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT"], "raw": ["PREROUTING", "OUTPUT"],
        "security": ["INPUT", "FORWARD", "OUTPUT"],
    ]
    private static let declared = ["DOCKER", "mine"]

    /// A file that iptables-restore takes, without anything of ours.
    static func bytes(_ random: inout SplitMix64) -> [UInt8] {
        var lines: [[UInt8]] = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            lines += between(&random)
            let table = random.pick(builtIn.keys.sorted())
            lines.append(Array("*\(table)\(random.chance(5) ? " " : "")".utf8))
            lines += inTable(table, &random)
            lines.append(Array("COMMIT".utf8))
        }
        lines += between(&random)
        var bytes = Array(lines.joined(separator: [0x0a]))
        // Only after a comment may the line break be missing.
        if lines.last?.first != UInt8(ascii: "#") || random.chance(70), !lines.isEmpty { bytes.append(0x0a) }
        return bytes
    }

    private static func between(_ random: inout SplitMix64) -> [[UInt8]] {
        (0..<Int.random(in: 0...2, using: &random)).map { _ in random.chance(30) ? [] : comment(&random) }
    }

    private static func comment(_ random: inout SplitMix64) -> [UInt8] { Array("#".utf8) + random.oddBytes() }

    private static func inTable(_ table: String, _ random: inout SplitMix64) -> [[UInt8]] {
        let builtIn = builtIn[table, default: []]
        var lines = declared.map { Array(":\($0) -\(random.chance(80) ? " [0:0]" : "")".utf8) }
        // The chains of the rules that can be deleted.
        var appended: [String] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let chain = random.pick(builtIn + declared)
            let counters = random.chance(20) ? "[5:300] " : ""
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<6:
                lines.append(Array(":\(random.pick(builtIn)) \(random.pick(["ACCEPT", "DROP", "-"])) [7:420]".utf8))
            case 6..<14:
                lines.append(Array("\(counters)-A \(chain)".utf8) + rule(chain, table, &random))
                appended.append(chain)
            case 14: lines.append(Array("--append \(chain)".utf8) + rule(chain, table, &random))
            case 15: lines.append(Array("\(counters)-I \(chain) 1".utf8) + rule(chain, table, &random))
            case 16: lines.append(Array(random.pick(["-L \(chain)", "-Z", "-P \(builtIn[0]) ACCEPT"]).utf8))
            case 17: appended.popLast().map { lines.append(Array("-D \($0) 1".utf8)) }
            case 18: lines.append([])
            default: lines.append(comment(&random))
            }
        }
        return lines
    }

    private static func rule(_ chain: String, _ table: String, _ random: inout SplitMix64) -> [UInt8] {
        let note = random.oddBytes().filter { $0 != UInt8(ascii: "\"") }
        // Jumps in a circle are refused, and drops in nat.
        let target = random.pick(["ACCEPT", table == "nat" ? "RETURN" : "DROP", chain == "INPUT" ? "DOCKER" : "LOG"])
        return Array(" -m comment --comment \"".utf8) + note + Array("\" -j \(target)".utf8)
    }

    /// A line that may stand anywhere, and can be told from all others.
    static func stranger(_ number: Int, _ random: inout SplitMix64) -> [UInt8] {
        Array("# stranger \(number)".utf8) + random.oddBytes()
    }
}

/// Files of assignments as people write them.
enum AnyAssignments {
    static let agentKeys = [
        "ECS_ENABLE_TASK_IAM_ROLE", "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST", "ECS_AWSVPC_BLOCK_IMDS",
    ]
    static let settingsKeys = ["MODE", "BACKEND", "PERSIST", "WAIT"]

    /// A file in which these keys occur now and then, once or more often.
    static func bytes(_ keys: [String], _ random: inout SplitMix64) -> [UInt8] {
        let breaks = random.pick([["\n"], ["\n"], ["\r\n"], ["\n", "\r\n"]])
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            bytes += line(keys, &random) + Array(random.pick(breaks).utf8)
        }
        if bytes.last == 0x0a, random.chance(30) { bytes.removeLast() }
        return bytes
    }

    private static func line(_ keys: [String], _ random: inout SplitMix64) -> [UInt8] {
        let value = random.pick([
            "true", "false", "1", "TRUE", "T", "0", "", "\"true\"", "'true'", "\"a b\"", "bridge,host", "no # no",
        ])
        let equals = random.pick(["=", "=", "=", " = ", "= ", "\t="])
        let blank = random.chance(10) ? " " : ""
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7: return Array("\(blank)\(random.pick(keys))\(equals)\(value)\(blank)".utf8)
        case 7..<10: return Array("\(random.pick(["ECS_CLUSTER", "export A", "A.B", "Ä", ""]))\(equals)\(value)".utf8)
        case 10: return Array("#\(random.pick(keys))=\(value)".utf8)
        case 11: return Array("\(random.pick(keys))\u{301}=\(value)".utf8)
        case 12: return Array(random.pick(keys).utf8)
        case 13..<15: return []
        case 15: return Array(" \t".utf8)
        case 16..<18: return Array(random.pick(["#", ";", " # "]).utf8) + random.oddBytes()
        default: return random.oddBytes()
        }
    }

    /// A line that sets nothing of ours, and can be told from all others.
    static func stranger(_ number: Int, _ random: inout SplitMix64) -> [UInt8] {
        Array(random.pick(["# stranger \(number) ", "STRANGER_\(number)=", "stranger \(number) "]).utf8)
            + random.oddBytes()
    }
}

/// Hosts, what is on their disks, and what is asked for on them.
enum AnyHost {
    private static let hosts: [MemoryDisk.Host] = {
        let units = Set(PersistenceFacts.units.dropFirst())
        let none: Set<String> = []
        return [
            .init(
                osRelease: "ID=amzn\nVERSION_ID=2018.03\n", hasSystemd: false, managers: [.chkconfig],
                installed: Set(PersistenceFacts.scripts), flavour: .iptables),
            .init(osRelease: "ID=amzn\nVERSION_ID=2\n", installed: units, flavour: .iptables),
            .init(osRelease: "ID=amzn\nVERSION_ID=2\n", isImage: true, installed: units, flavour: .iptables),
            .init(osRelease: "ID=debian\nVERSION_ID=12\n", isUnitPackaged: true, installed: units, flavour: .iptables),
            .init(osRelease: "ID=amzn\nVERSION_ID=2023\n", installed: none, flavour: .nftables),
            .init(osRelease: "ID=arch\n", isImage: true, installed: none),
        ]
    }()

    static func host(_ random: inout SplitMix64) -> MemoryDisk.Host { random.pick(hosts) }

    static func disk(_ host: MemoryDisk.Host, _ random: inout SplitMix64) -> MemoryDisk {
        var disk = MemoryDisk()
        for name in host.installed.sorted() where random.chance(40) { disk.enabled.insert(name) }
        if random.chance(70) {
            disk.put(
                AnyAssignments.bytes(AnyAssignments.agentKeys, &random), at: HostPath.agentConfiguration, mode: 0o640)
        }
        if random.chance(30) {
            disk.put(AnyAssignments.bytes(AnyAssignments.settingsKeys, &random), at: HostPath.settings)
        }
        for path in HostPath.sysconfigRules + HostPath.persistentRules where random.chance(60) {
            disk.put(AnyRulesFile.bytes(&random), at: path, mode: random.pick([0o600, 0o644, 0o640]))
        }
        for path in [HostPath.sysctl, HostPath.unit, HostPath.upstartJob] where random.chance(15) {
            disk.put(random.oddBytes() + [0x0a], at: path)
        }
        return disk
    }

    /// A mechanism by name now and then, as far as it may fit.
    static func wish(_ random: inout SplitMix64) -> Wish {
        var settings = random.pick(Combinations.settings)
        settings.persistence = random.pick([nil, nil, .systemd, .iptablesServices, .netfilterPersistent])
        var saved: [PersistencePlan.SavedSetting] = []
        for key in AnyAssignments.settingsKeys where random.chance(50) {
            saved.append(.init(key: key, value: random.pick(["bridge", "auto", "5", "true"])))
        }
        return Wish(
            settings: settings, backend: random.chance(75) ? .iptables : .nftables, hasIPv6: random.chance(85),
            saved: saved)
    }
}
