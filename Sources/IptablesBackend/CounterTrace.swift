import CLibiptc
import Glibc
package import Model

/// Follows a packet by the counters of everybody's rules: those that rose are those that it met. The legacy interface
/// tells its trace to a log only.
extension IptablesBackend: PacketTracer {
    package func trace(_ packet: TracedPacket, _ send: () -> Void) throws(Failure) -> [TraceStep] {
        let family = packet.destination.family
        let live = try LiveTables.read(family) ?? []
        let names = CountedRule.order.filter(live.contains).map { TableName(family: family, table: $0) }
        if names.isEmpty { return [] }
        let before = try Self.counters(names)
        send()
        let after = try Self.counters(names)
        // Rules that came or went in between would be mistaken for one another.
        guard before.map(\.name) == after.map(\.name) else { return [] }
        return zip(before, after).filter { $0.packets < $1.packets }.compactMap { $1.step }
    }

    private static func counters(_ names: [TableName]) throws(Failure) -> [CountedRule] {
        var rules: [CountedRule] = []
        for name in names { rules += try TableCounters.read(name) }
        return rules
    }
}

/// A rule or a chain's policy, with what it has counted.
struct CountedRule {
    /// The stock tables in the order in which an incoming packet meets them.
    static let order = ["raw", "mangle", "nat", "filter", "security"]

    let table: TableName
    let chain: String
    /// Counted from 1, as `iptables` does; nil for the policy.
    let number: Int?
    /// The target's name; a standard target's verdict.
    let target: String
    let packets: UInt64

    var name: String { "\(table.description) \(chain) \(number ?? 0) \(target)" }

    /// What it decided; nil where it did not end the packet's way through its table.
    var step: TraceStep? {
        let verdict: TraceStep.Verdict? =
            switch target {
            case "ACCEPT" where number != nil: .accept
            case "DROP", "REJECT": .drop
            case "DNAT", "REDIRECT": .rewrite("")
            default: nil
            }
        return verdict.map {
            TraceStep(
                .iptables, family: table.family == .ipv4 ? "ip" : "ip6", table: table.table, chain: chain,
                rule: number.map { "rule \($0)" }, $0)
        }
    }
}

/// The counters of a whole stock table, straight from the kernel.
enum TableCounters {
    /// What the table's rules have counted. The table must exist: asking the kernel makes it. The corresponding socket
    /// options are `IPT_SO_GET_INFO` and `IPT_SO_GET_ENTRIES`.
    static func read(_ name: TableName) throws(Failure) -> [CountedRule] {
        let raw = socket(name.family.number, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), CInt(IPPROTO_RAW))
        guard raw >= 0 else { throw .system("cannot read table \(name.description)", source: "socket", errno: errno) }
        defer { close(raw) }
        while true {
            // struct ipt_getinfo: name, valid hooks, five hook entries, five underflows, number of entries, size.
            let title = Array(name.table.utf8) + [UInt8](repeating: 0, count: 32 - name.table.utf8.count)
            guard let info = ask(name, raw, IPT_BASE_CTL, title + [UInt8](repeating: 0, count: 52)) else {
                throw .system("cannot read table \(name.description)", source: "getsockopt", errno: errno)
            }
            let size = Int(NativeBytes.decode(info, 80) as UInt32)
            // struct ipt_get_entries: name, size, padding, entries.
            let head = title + Array(info[80..<84]) + [0, 0, 0, 0]
            if let answer = ask(name, raw, IPT_BASE_CTL + 1, head + [UInt8](repeating: 0, count: size)) {
                return rules(name, hooks: hooks(info), Array(answer.dropFirst(head.count)))
            }
            // EAGAIN: the table has grown or shrunk in between.
            if errno != EAGAIN {
                throw .system("cannot read table \(name.description)", source: "getsockopt", errno: errno)
            }
        }
    }

    private static func ask(_ name: TableName, _ raw: CInt, _ option: CInt, _ request: [UInt8]) -> [UInt8]? {
        var buffer = request
        let level = CInt(name.family == .ipv4 ? IPPROTO_IP : IPPROTO_IPV6)
        return SystemCall.get(option, at: level, of: raw, into: &buffer) == 0 ? buffer : nil
    }

    /// The built-in chains by the offset of their first entry, with the offset of their policy.
    private static func hooks(_ info: [UInt8]) -> [Int: (name: String, policy: Int)] {
        func number(_ index: Int) -> Int { Int(NativeBytes.decode(info, 32 + index * 4) as UInt32) }
        var hooks: [Int: (name: String, policy: Int)] = [:]
        for (index, name) in ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].enumerated()
        where number(0) & (1 << index) != 0 {
            hooks[number(1 + index)] = (name, number(6 + index))
        }
        return hooks
    }

    /// Walks the entries. A chain that is not built in begins with an entry whose target is ERROR and holds its name.
    static func rules(
        _ table: TableName, hooks: [Int: (name: String, policy: Int)], _ entries: [UInt8]
    ) -> [CountedRule] {
        let layout = EntryLayout.layout(of: table.family)
        var rules: [CountedRule] = []
        var (chain, policy, number) = ("", -1, 0)
        var offset = 0
        while offset + layout.size <= entries.count {
            let target = offset + Int(NativeBytes.decode(entries, offset + layout.targetOffset) as UInt16)
            let size = Int(NativeBytes.decode(entries, offset + layout.nextOffset) as UInt16)
            guard size >= layout.size, target + ExtensionHeader.size <= entries.count else { break }
            if let hook = hooks[offset] { (chain, policy, number) = (hook.name, hook.policy, 0) }
            let name = NativeBytes.string(entries, target + ExtensionHeader.nameOffset, ExtensionHeader.nameSize)
            if name == "ERROR" {
                chain = NativeBytes.string(entries, target + ExtensionHeader.size, ExtensionHeader.size)
                (policy, number) = (-1, 0)
            } else {
                number += 1
                rules.append(
                    CountedRule(
                        table: table, chain: chain, number: offset == policy ? nil : number,
                        target: name.isEmpty ? verdict(entries, target) : name,
                        packets: NativeBytes.decode(entries, offset + layout.packets)))
            }
            offset += size
        }
        return rules
    }

    private static func verdict(_ entries: [UInt8], _ target: Int) -> String {
        let data = Array(entries[(target + ExtensionHeader.size)...].prefix(4))
        return StandardVerdict.name(of: data, targetName: "") ?? ""
    }
}
