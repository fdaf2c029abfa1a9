import Glibc
import Model

/// The lock that all legacy iptables tools take.
enum XtablesLock {
    /// Where the lock file is unless `XTABLES_LOCKFILE` names another (iptables(8)).
    private static let defaultPath = "/run/xtables.lock"
    private static let variable = "XTABLES_LOCKFILE"

    /// Takes the lock, trying until the deadline.
    static func take(until deadline: Deadline) throws(Failure) -> FileLock {
        let shown = EnvironmentVariable.text(variable) ?? ""
        let path = shown.isEmpty ? defaultPath : shown
        // The bytes that the variable has, as the stock tools open them: they need not be UTF-8.
        let open = { (flags: CInt) in
            let named = shown.isEmpty ? nil : EnvironmentVariable.open(variable, flags, mode: 0o600)
            return named ?? SystemCall.open(path, flags, mode: 0o600)
        }
        // Not to hang on a pipe that somebody put there.
        var file = open(O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        // A link may lead to the lock, but not to where one would be made.
        if file < 0, errno == ELOOP { file = open(O_NONBLOCK | O_CLOEXEC) }
        if file < 0 { throw .system("cannot open the xtables lock", source: path, errno: errno) }
        return try FileLock.take(
            file, name: "the xtables lock", holder: "another program holds the xtables lock", path: path,
            until: deadline)
    }
}
