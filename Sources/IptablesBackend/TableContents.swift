import Glibc
import Model

/// What a stock table holds, ours and others'.
struct TableContents {
    /// An entry of ours.
    struct Entry {
        let chain: String
        /// Its position in the chain, counted from 0.
        let position: Int
        /// As libiptc takes it again.
        let bytes: [UInt8]
        let rule: InstalledRule
    }

    private(set) var ours: [Entry] = []
    private(set) var foreign = ForeignRules()
    private let name: TableName
    private var chain = ""
    private var position = 0
    private var foreignAhead = 0

    init(_ name: TableName) { self.name = name }

    /// Reads a table through libiptc.
    init(of table: borrowing TableHandle) {
        self.init(table.name)
        for chain in table.chains() {
            beginChain(chain, policy: table.policy(chain))
            // Safe: `take` copies what it keeps of an entry.
            unsafe table.forEachRule(in: chain) { unsafe take($0) }
        }
    }

    /// Takes note of the next chain; its rules follow.
    ///
    /// - Parameter policy: nil for a chain that is not built in.
    mutating func beginChain(_ chain: String, policy: String?) {
        self.chain = chain
        position = 0
        foreignAhead = 0
        foreign.take(chain: chain, of: name, policy: policy)
    }

    /// Takes note of the next rule of the chain.
    ///
    /// Safe: the entry is lent for the call, and copied where it is kept.
    mutating func take(_ entry: UnsafeRawBufferPointer) {
        defer { position += 1 }
        guard unsafe Self.hasMark(entry, name.family) else {
            foreignAhead += 1
            foreign.ruleCount += 1
            return
        }
        ours.append(unsafe makeEntry(Array(entry)))
    }

    /// Whether an entry carries a comment that begins with our mark, looked up without copying: a host may have
    /// tens of thousands of rules.
    ///
    /// Safe: the offset of the target is in the entry's head, which is looked for first; a match's size is read where a
    /// whole header of it is left before the target and before the entry's end; `begins` looks for the end itself.
    private static func hasMark(_ entry: UnsafeRawBufferPointer, _ family: AddressFamily) -> Bool {
        let layout = EntryLayout.layout(of: family)
        guard entry.count >= layout.size else { return false }
        let target = unsafe Int(entry.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
        let end = min(target, entry.count)
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

    /// Whether these bytes stand at an offset, which is none before the beginning.
    ///
    /// Safe: as many bytes are compared as the text has, all of them before the entry's end; the text is a constant.
    static func begins(_ entry: UnsafeRawBufferPointer, _ offset: Int, _ text: StaticString) -> Bool {
        guard offset + text.utf8CodeUnitCount <= entry.count, let start = entry.baseAddress else { return false }
        return unsafe memcmp(start + offset, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    private func makeEntry(_ bytes: [UInt8]) -> Entry {
        let content: InstalledRule.Content
        if let place = StockTable.place(table: name.table, chain: chain) {
            content = EntryDecoder.decode(bytes, at: place, name.family)
        } else {
            let comment = EntryDecoder.comment(of: bytes, name.family) ?? ""
            content = StockTable.misplaced(comment: comment, chain: chain, of: name)
        }
        let counters = EntryDecoder.counters(of: bytes, name.family)
        return Entry(
            chain: chain, position: position, bytes: StandardVerdict.named(bytes, name.family),
            rule: InstalledRule(
                content, hasForeignRuleAhead: foreignAhead > 0, packets: counters.packets, bytes: counters.bytes))
    }
}
