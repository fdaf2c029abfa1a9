import CLibiptc
import Glibc
import Model

/// A snapshot of a stock table with the changes made to it, freed when it goes out of scope. The corresponding C
/// type is `struct xtc_handle`.
///
/// Safe: the handle is libiptc's of the table's family, from `init`, and not null. Nobody else has it, as it is private
/// in a value that cannot be copied; it is freed once, in `deinit`. The texts and entries that libiptc gives out are in
/// the handle's memory, and last until the next change: texts are copied at once, entries lent for a call.
@safe struct TableHandle: ~Copyable {
    let name: TableName
    private let handle: OpaquePointer

    /// Takes a snapshot. Creates the table if the kernel does not have it yet, so ask `LiveTables` before merely
    /// reading. The corresponding C function is `iptc_init`.
    init(_ name: TableName) throws(Failure) {
        let opened = name.family == .ipv4 ? unsafe iptc_init(name.table) : unsafe ip6tc_init(name.table)
        guard let opened = unsafe opened else {
            let number = errno
            let isMissing = number == ENOPROTOOPT || number == ENOENT || number == EPROTONOSUPPORT
            throw .system(
                "cannot open table \(name.description)", source: name.family == .ipv4 ? "iptc_init" : "ip6tc_init",
                errno: number, kind: isMissing ? .unsupported : .trouble,
                advice: isMissing
                    ? "this kernel has no legacy iptables (CONFIG_NETFILTER_XTABLES_LEGACY); use --backend nftables"
                    : nil)
        }
        self.name = name
        unsafe handle = opened
    }

    deinit {
        if name.family == .ipv4 { unsafe iptc_free(handle) } else { unsafe ip6tc_free(handle) }
    }

    /// The names of all chains. The corresponding C functions are `iptc_first_chain` and `iptc_next_chain`.
    func chains() -> [String] {
        var chains: [String] = []
        var next = name.family == .ipv4 ? unsafe iptc_first_chain(handle) : unsafe ip6tc_first_chain(handle)
        while let chain = unsafe next {
            chains.append(unsafe String(cString: chain))
            unsafe next = name.family == .ipv4 ? unsafe iptc_next_chain(handle) : unsafe ip6tc_next_chain(handle)
        }
        return chains
    }

    /// The policy of a built-in chain. The corresponding C function is `iptc_get_policy`.
    func policy(_ chain: String) -> String? {
        var counters = xt_counters()
        let policy =
            name.family == .ipv4
            ? unsafe iptc_get_policy(chain, &counters, handle) : unsafe ip6tc_get_policy(chain, &counters, handle)
        guard let policy = unsafe policy else { return nil }
        return unsafe String(cString: policy)
    }

    /// Gives every rule of a chain to `body`: its bytes in libiptc's memory, good during the call only. The
    /// corresponding C functions are `iptc_first_rule` and `iptc_next_rule`.
    func forEachRule(in chain: String, _ body: (UnsafeRawBufferPointer) -> Void) {
        // Safe: `next_offset` is an entry's length, by which libiptc has taken it out of the kernel's answer. Nothing
        // changes the handle while it is borrowed here.
        if name.family == .ipv4 {
            var next = unsafe iptc_first_rule(chain, handle)
            while let entry = unsafe next {
                unsafe body(UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset)))
                unsafe next = iptc_next_rule(entry, handle)
            }
        } else {
            var next = unsafe ip6tc_first_rule(chain, handle)
            while let entry = unsafe next {
                unsafe body(UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset)))
                unsafe next = ip6tc_next_rule(entry, handle)
            }
        }
    }

    /// Inserts an entry; position 0 is the head of the chain. The corresponding C function is `iptc_insert_entry`.
    func insert(_ entry: [UInt8], into chain: String, at position: Int) throws(Failure) {
        // libiptc copies as much as the entry itself says that it is long.
        guard EntryLayout.layout(of: name.family).isWhole(entry) else {
            throw Failure(.trouble, "cannot insert a damaged rule into \(name.description) \(chain)")
        }
        // Safe: an array's memory is aligned for any of the entry's fields, and the lengths in it have just been looked
        // at.
        let done = unsafe entry.withUnsafeBytes { bytes -> CInt in
            guard let start = bytes.baseAddress else { return 0 }
            return switch name.family {
            case .ipv4:
                unsafe iptc_insert_entry(
                    chain, start.assumingMemoryBound(to: ipt_entry.self), CUnsignedInt(position), handle)
            case .ipv6:
                unsafe ip6tc_insert_entry(
                    chain, start.assumingMemoryBound(to: ip6t_entry.self), CUnsignedInt(position), handle)
            }
        }
        if done == 0 { throw failure("insert a rule into", chain, "iptc_insert_entry") }
    }

    /// Deletes the entry at a position, counted from 0. The corresponding C function is `iptc_delete_num_entry`.
    func delete(at position: Int, from chain: String) throws(Failure) {
        let number = CUnsignedInt(position)
        let done =
            name.family == .ipv4
            ? unsafe iptc_delete_num_entry(chain, number, handle)
            : unsafe ip6tc_delete_num_entry(chain, number, handle)
        if done == 0 { throw failure("delete a rule from", chain, "iptc_delete_num_entry") }
    }

    /// Replaces the kernel's table in one step. The corresponding C function is `iptc_commit`.
    ///
    /// - Throws: `Failure` of kind `.concurrentChange` when another writer was first.
    func commit() throws(Failure) {
        let done = name.family == .ipv4 ? unsafe iptc_commit(handle) : unsafe ip6tc_commit(handle)
        if done == 0 {
            throw .system(
                "cannot replace table \(name.description)", source: "iptc_commit", errno: errno,
                kind: errno == EAGAIN ? .concurrentChange : .trouble)
        }
    }

    private func failure(_ verb: String, _ chain: String, _ function: String) -> Failure {
        .system("cannot \(verb) \(name.description) \(chain)", source: function, errno: errno)
    }
}
