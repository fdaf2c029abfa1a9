import Glibc
import Model

/// The lock that all legacy iptables tools take.
enum XtablesLock {
    /// Where the lock file is unless `XTABLES_LOCKFILE` names another (iptables(8)).
    private static let defaultPath = "/run/xtables.lock"

    /// Takes the lock, trying until the deadline.
    static func take(until deadline: Deadline) throws(Failure) -> FileLock {
        let named = unsafe getenv("XTABLES_LOCKFILE").map { unsafe String(cString: $0) } ?? ""
        let path = named.isEmpty ? defaultPath : named
        let file = unsafe open(path, O_CREAT | O_CLOEXEC, 0o600)
        if file < 0 { throw .system("cannot open the xtables lock", source: path, errno: errno) }
        return try FileLock.take(
            file, name: "the xtables lock", holder: "another program holds the xtables lock", path: path,
            until: deadline)
    }
}
