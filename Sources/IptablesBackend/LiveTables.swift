import Glibc
import Model

/// The stock tables that exist in this network namespace.
enum LiveTables {
    /// Reads `/proc/net/ip_tables_names` and `ip6_tables_names`, which creates nothing.
    ///
    /// - Returns: nil when the kernel has no legacy interface for that family, or has not loaded it.
    /// - Throws: `Failure` when the file is there but cannot be read.
    static func read(_ family: AddressFamily) throws(Failure) -> [String]? {
        // Of this thread, which may be in another network namespace than the process's first.
        let path = "/proc/thread-self/net/\(family == .ipv4 ? "ip" : "ip6")_tables_names"
        guard let file = unsafe fopen(path, "re") else {
            if errno == ENOENT { return nil }
            throw .system("cannot tell which iptables tables are live", source: path, errno: errno)
        }
        defer { unsafe fclose(file) }
        var names: [String] = []
        var line = [CChar](repeating: 0, count: 64)
        while unsafe fgets(&line, CInt(line.count), file) != nil {
            let bytes = line.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "\n")) }
            names.append(String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        // A list that is cut short would hide rules.
        if unsafe ferror(file) != 0 {
            throw .system("cannot tell which iptables tables are live", source: path, errno: errno)
        }
        return names
    }
}
