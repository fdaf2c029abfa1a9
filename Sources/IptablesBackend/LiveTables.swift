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
        guard var lines = LineReader(path, longest: 64) else {
            if errno == ENOENT { return nil }
            throw .system("cannot tell which iptables tables are live", source: path, errno: errno)
        }
        var names: [String] = []
        while let line = lines.next() { names.append(String(decoding: line, as: UTF8.self)) }
        // A list that is cut short would hide rules.
        if lines.hasFailed {
            throw .system("cannot tell which iptables tables are live", source: path, errno: errno)
        }
        return names
    }
}
