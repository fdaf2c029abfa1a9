import Glibc
import Model

/// What a stock table holds, ours and others'.
struct TableContents {
    /// An entry of ours.
    struct Entry {
        let chain: String
        /// Its position in the chain, counted from 0.
        let position: Int
        /// With counters zeroed, and a target that libiptc accepts again.
        let bytes: [UInt8]
        let rule: InstalledRule
    }

    private(set) var ours: [Entry] = []
    private(set) var foreign = ForeignRules()

    /// Reads every chain of a table.
    init(of table: borrowing TableHandle) {
        let family = table.name.family
        for chain in table.chains() {
            if DockerChains.isDocker(table: table.name.table, chain: chain), foreign.dockerTables.isEmpty {
                foreign.dockerTables.append("\(table.name.description) (legacy)")
            }
            var position = 0
            var foreignAhead = 0
            unsafe table.forEachRule(in: chain) { bytes, target in
                defer { position += 1 }
                guard unsafe Self.hasMark(bytes, family) else {
                    foreignAhead += 1
                    return
                }
                let entry = unsafe Array(bytes)
                ours.append(
                    Self.entry(
                        entry, target: target(), in: chain, of: table.name, position: position,
                        hasForeignRuleAhead: foreignAhead > 0))
            }
            foreign.ruleCount += foreignAhead
        }
        if table.name == TableName(family: .ipv4, table: "filter"), table.policy("INPUT") == "DROP" {
            foreign.droppingInputChains.append("legacy iptables chain filter INPUT")
        }
    }

    /// Whether an entry carries a comment that begins with our mark, looked up without copying: a host may have
    /// tens of thousands of rules.
    private static func hasMark(_ entry: UnsafeRawBufferPointer, _ family: AddressFamily) -> Bool {
        let layout = EntryLayout.layout(of: family)
        let end = unsafe Int(entry.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
        var offset = layout.size
        while offset + ExtensionHeader.size <= end {
            let size = unsafe Int(entry.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            if unsafe begins(entry, offset + ExtensionHeader.nameOffset, "comment\0") {
                return unsafe begins(entry, offset + ExtensionHeader.size, mark)
            }
            if size < ExtensionHeader.size { return false }
            offset += size
        }
        return false
    }

    private static let mark: StaticString = "ecs-netsetup: "

    private static func begins(_ entry: UnsafeRawBufferPointer, _ offset: Int, _ text: StaticString) -> Bool {
        guard offset + text.utf8CodeUnitCount <= entry.count, let start = entry.baseAddress else { return false }
        return unsafe memcmp(start + offset, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    private static func entry(
        _ bytes: [UInt8], target: String, in chain: String, of table: TableName, position: Int,
        hasForeignRuleAhead: Bool
    ) -> Entry {
        let content: InstalledRule.Content
        if let place = StockTable.place(table: table.table, chain: chain) {
            content = EntryDecoder.decode(bytes, verdict: target, at: place, table.family)
        } else {
            let comment = EntryDecoder.comment(of: bytes, table.family) ?? ""
            content = .unknown("\"\(comment)\" in \(table.description) \(chain) is in no chain of ours")
        }
        let counters = EntryDecoder.counters(of: bytes, table.family)
        return Entry(
            chain: chain, position: position, bytes: bytes,
            rule: InstalledRule(
                content, hasForeignRuleAhead: hasForeignRuleAhead, packets: counters.packets, bytes: counters.bytes))
    }
}

extension ForeignRules {
    /// Adds what another table holds.
    mutating func merge(_ other: ForeignRules) {
        ruleCount += other.ruleCount
        dockerTables += other.dockerTables
        droppingInputChains += other.droppingInputChains
    }
}
