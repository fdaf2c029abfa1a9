import Glibc

/// A stock table's entries as the kernel hands them out, read past libiptc.
package enum KernelTable {
    /// The tables that can hold rules of ours.
    package static let all = ["ip filter", "ip nat", "ip mangle", "ip6 filter", "ip6 mangle"]

    /// The entries' bytes, with what the kernel does not define zeroed: the bytes behind an extension name's NUL, and
    /// the counters.
    ///
    /// - Returns: nothing for a table that does not exist; asking the kernel would make it.
    package static func entries(_ table: String, in namespace: Namespace) throws -> [[UInt8]] {
        let words = table.split(separator: " ").map(String.init)
        let live = try namespace.require(["cat", "/proc/thread-self/net/\(words[0])_tables_names"])
        guard live.split(separator: "\n").contains(Substring(words[1])) else { return [] }
        return try namespace.run { try read(words[1], isIPv6: words[0] == "ip6") }
    }

    /// `IPT_SO_GET_INFO` and `IPT_SO_GET_ENTRIES` (`linux/netfilter_ipv4/ip_tables.h`; the same numbers for IPv6).
    private static let (getInfo, getEntries): (CInt, CInt) = (64, 65)
    private static let nameSize = 32

    private static func read(_ table: String, isIPv6: Bool) throws -> [[UInt8]] {
        let raw = socket(
            isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), CInt(IPPROTO_RAW))
        guard raw >= 0 else { throw LaboratoryError.system("socket") }
        defer { close(raw) }
        let level = CInt(isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP)
        let name = Array(table.utf8) + [UInt8](repeating: 0, count: nameSize - table.utf8.count)
        // struct ipt_getinfo: name, valid_hooks, five hook entries, five underflows, num_entries, size.
        let info = try ask(raw, level, getInfo, name + [UInt8](repeating: 0, count: 52))
        let size = number(info, 80, 4)
        // struct ipt_get_entries: name, size, padding to eight bytes, the entries.
        let request = name + Array(info[80..<84]) + [0, 0, 0, 0] + [UInt8](repeating: 0, count: size)
        let entries = Array(try ask(raw, level, getEntries, request).dropFirst(40))
        return split(entries, isIPv6: isIPv6)
    }

    private static func ask(_ socket: CInt, _ level: CInt, _ option: CInt, _ request: [UInt8]) throws -> [UInt8] {
        var buffer = request
        var length = socklen_t(buffer.count)
        guard unsafe getsockopt(socket, level, option, &buffer, &length) == 0 else {
            throw LaboratoryError.system("getsockopt \(option)")
        }
        return buffer
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }

    private static func split(_ bytes: [UInt8], isIPv6: Bool) -> [[UInt8]] {
        let (header, targetOffset, counters) = isIPv6 ? (168, 140, 152) : (112, 88, 96)
        var entries: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let size = number(bytes, start + targetOffset + 2, 2)
            var entry = Array(bytes[start..<start + size])
            let target = number(entry, targetOffset, 2)
            for index in counters..<counters + 16 { entry[index] = 0 }
            // comefrom, which the kernel uses while it checks for loops.
            for index in targetOffset + 4..<targetOffset + 8 { entry[index] = 0 }
            var offset = header
            while offset <= target, offset < size {
                clearBehindName(&entry, offset)
                offset += offset == target ? size : number(entry, offset, 2)
            }
            entries.append(entry)
            start += size
        }
        return entries
    }

    /// A name stands at 2 and has 29 bytes.
    private static func clearBehindName(_ entry: inout [UInt8], _ offset: Int) {
        var isBehind = false
        for index in offset + 2..<offset + 31 {
            if isBehind { entry[index] = 0 }
            if entry[index] == 0 { isBehind = true }
        }
    }
}
