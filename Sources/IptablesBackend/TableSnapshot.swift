import CLibiptc
import Glibc
import Model

/// A stock table read straight from the kernel: where nothing is to be changed, libiptc's model of it, a list element a
/// rule, would cost as much again as reading.
enum TableSnapshot {
    /// What the table holds. The table must exist: asking the kernel makes it. The corresponding socket options are
    /// `IPT_SO_GET_INFO` and `IPT_SO_GET_ENTRIES`, which have the same numbers for IPv6.
    static func read(_ name: TableName) throws(Failure) -> TableContents {
        // Safe: `contents` copies what it keeps of the entries.
        unsafe try read(name) { info, entries in unsafe contents(name, info, entries) }
    }

    /// What `make` makes of the table's head and its entries, which are there during the call only.
    static func read<Value>(
        _ name: TableName, _ make: (Info, UnsafeRawBufferPointer) -> Value
    ) throws(Failure) -> Value {
        let raw = socket(name.family.number, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), CInt(IPPROTO_RAW))
        guard raw >= 0 else { throw .system("cannot read table \(name.description)", source: "socket", errno: errno) }
        defer { close(raw) }
        for _ in 0..<Self.tries {
            let info = try Info(name, raw)
            // Safe: the buffer is there for this closure, in which the entries are read into it and lent to `make`.
            let value: Value? = unsafe try withBuffer(info.size) { buffer throws(Failure) in
                guard let entries = unsafe try readEntries(name, raw, info, into: buffer) else { return nil }
                return unsafe make(info, entries)
            }
            // The kernel answers EAGAIN when the table has grown or shrunk since it told its size.
            if let value { return value }
        }
        throw Failure(
            .concurrentChange, "table \(name.description) was changed whenever it was read",
            advice: "try again, or wait longer with --wait SECONDS")
    }

    /// How often a table is read anew that changes meanwhile, before all is read anew, if there is time left.
    private static let tries = 10

    /// `struct ipt_getinfo`: the name, the valid hooks, the chains' first and last entries by hook, the number of entries
    /// and their size in bytes.
    struct Info {
        let bytes: [UInt8]

        private static let length = 84

        fileprivate init(_ name: TableName, _ raw: CInt) throws(Failure) {
            var bytes = Array(name.table.utf8)
            bytes += [UInt8](repeating: 0, count: Self.length - bytes.count)
            guard SystemCall.get(IPT_BASE_CTL, at: level(name), of: raw, into: &bytes) == 0 else {
                throw .system(
                    "cannot read table \(name.description)", source: "getsockopt IPT_SO_GET_INFO", errno: errno)
            }
            self.bytes = bytes
        }

        private func number(_ index: Int) -> Int { Int(NativeBytes.decode(bytes, 32 + index * 4) as UInt32) }

        fileprivate var size: Int { number(12) }

        /// The built-in chains: name, first entry and policy entry, as offsets; in the order of `NF_INET_*`.
        var chains: [(name: String, start: Int, policy: Int)] {
            let names = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
            return names.indices.filter { number(0) & (1 << $0) != 0 }.map {
                (names[$0], number(1 + $0), number(6 + $0))
            }
        }
    }

    private static func level(_ name: TableName) -> CInt {
        CInt(name.family == .ipv4 ? IPPROTO_IP : IPPROTO_IPV6)
    }

    /// The size of `struct ipt_get_entries` before its entries: the name, the size, padding.
    private static let headSize = 40

    /// Memory for the entries, behind the head of the request. Large tables get large pages, where the kernel has them.
    private static func withBuffer<Value>(
        _ size: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let length = headSize + size
        // Safe: the kernel chooses where. The memory is this function's: `length` bytes, lent for the call and given
        // back after.
        let memory = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw .system("cannot read a table", source: "mmap of \(length) bytes", errno: errno)
        }
        defer { _ = unsafe munmap(memory, length) }
        _ = unsafe madvise(memory, length, MADV_HUGEPAGE)
        return unsafe try body(UnsafeMutableRawBufferPointer(start: memory, count: length))
    }

    private static func readEntries(
        _ name: TableName, _ raw: CInt, _ info: Info, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> UnsafeRawBufferPointer? {
        // Safe: the head of 40 bytes has room for the name, which is one of the stock tables', and for the size. The
        // kernel copies no more than it is told, and refuses where that is not the table's size.
        unsafe buffer.copyBytes(from: Array(name.table.utf8))
        unsafe buffer.storeBytes(of: UInt32(info.size), toByteOffset: 32, as: UInt32.self)
        var size = socklen_t(buffer.count)
        guard unsafe getsockopt(raw, level(name), IPT_BASE_CTL + 1, buffer.baseAddress, &size) == 0 else {
            if errno == EAGAIN { return nil }
            throw .system(
                "cannot read table \(name.description)", source: "getsockopt IPT_SO_GET_ENTRIES", errno: errno)
        }
        return unsafe UnsafeRawBufferPointer(rebasing: buffer[headSize...])
    }

    /// Walks the entries. A built-in chain begins where the head says and ends with its policy; another begins with an
    /// entry whose target is ERROR and holds its name, and ends with a return before the next such entry.
    ///
    /// Safe: an entry's head is looked at where a whole head is left, and the entry taken where it is whole, and not
    /// shorter than a head. The entries are lent for the call, which `latest` does not outlive.
    private static func contents(_ name: TableName, _ info: Info, _ entries: UnsafeRawBufferPointer) -> TableContents {
        var contents = TableContents(name)
        let layout = EntryLayout.layout(of: name.family)
        let chains = info.chains
        // Numbers alone, as they are compared for every entry.
        let starts = chains.map(\.start)
        var policy: Int?
        /// The latest entry of a chain that is not built in: a rule, unless the chain ends behind it.
        var latest: UnsafeRawBufferPointer?
        var offset = 0
        while offset + layout.size <= entries.count {
            let size = unsafe Int(entries.loadUnaligned(fromByteOffset: offset + layout.nextOffset, as: UInt16.self))
            guard size >= layout.size, offset + size <= entries.count else { break }
            let entry = unsafe UnsafeRawBufferPointer(rebasing: entries[offset..<offset + size])
            if let index = starts.firstIndex(of: offset) {
                let chain = chains[index]
                policy = chain.policy
                unsafe contents.beginChain(chain.name, policy: verdict(entries, chain.policy, name.family))
            }
            if let chain = unsafe chainName(entry, layout) {
                policy = nil
                unsafe latest = nil
                contents.beginChain(chain, policy: nil)
            } else if policy == nil {
                if let rule = unsafe latest { unsafe contents.take(rule) }
                unsafe latest = entry
            } else if offset != policy {
                unsafe contents.take(entry)
            }
            offset += size
        }
        return contents
    }

    /// The verdict of the entry at an offset; nil where no entry with one ends before the entries do.
    ///
    /// Safe: an entry without matches is a head, a target's header and four bytes of verdict, all of which are looked
    /// for first.
    static func verdict(_ entries: UnsafeRawBufferPointer, _ offset: Int, _ family: AddressFamily) -> String? {
        let layout = EntryLayout.layout(of: family)
        guard offset >= 0, offset + layout.size + ExtensionHeader.size + 4 <= entries.count else { return nil }
        let data = unsafe Array(entries[(offset + layout.size + ExtensionHeader.size)...].prefix(4))
        return StandardVerdict.name(of: data, targetName: "")
    }

    /// The chain that an entry begins, if its target is ERROR (`struct xt_error_target`); the last entry of a table is
    /// such a one too.
    ///
    /// Safe: an entry is not shorter than its head, with the offset of its target; the name is looked for where the
    /// target's header is within the entry.
    static func chainName(_ entry: UnsafeRawBufferPointer, _ layout: EntryLayout) -> String? {
        let target = unsafe Int(entry.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
        let name = target + ExtensionHeader.nameOffset
        guard target >= layout.size, target + ExtensionHeader.size < entry.count,
            unsafe TableContents.begins(entry, name, "ERROR\0")
        else { return nil }
        return unsafe String(decoding: entry[(target + ExtensionHeader.size)...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
