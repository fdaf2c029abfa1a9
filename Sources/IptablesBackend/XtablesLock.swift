import Glibc
import Model

/// The lock that all legacy iptables tools take, held until it goes out of scope.
struct XtablesLock: ~Copyable {
    private let descriptor: CInt

    /// Where the lock file is unless `XTABLES_LOCKFILE` names another (iptables(8)).
    private static let defaultPath = "/run/xtables.lock"

    /// Takes the lock, trying until the deadline. The corresponding C function is `flock`.
    init(until deadline: Deadline) throws(Failure) {
        let named = unsafe getenv("XTABLES_LOCKFILE").map { unsafe String(cString: $0) } ?? ""
        let path = named.isEmpty ? Self.defaultPath : named
        descriptor = unsafe open(path, O_CREAT | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw .system("cannot open the xtables lock", source: path, errno: errno) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            if number == EINTR { continue }
            if number != EWOULDBLOCK || deadline.hasPassed {
                close(descriptor)
                throw .system(
                    number == EWOULDBLOCK ? "another program holds the xtables lock" : "cannot take the xtables lock",
                    source: "flock \(path)", errno: number,
                    advice: "try again, or wait longer with --wait SECONDS")
            }
            deadline.pause(milliseconds: 5)
        }
    }

    deinit { close(descriptor) }
}
