import Glibc
package import Model

/// What keeps two instances of this program from changing the host at the same time; held until it goes out of scope.
package struct HostLock: ~Copyable {
    private let file: CInt

    /// Takes the lock, trying until the deadline. The corresponding C function is `flock`.
    package static func take(on host: Host, until deadline: Deadline) throws(Failure) -> HostLock {
        let path = host.isImage ? host.root : host.path("/run/ecs-netsetup.lock")
        if !host.isImage { try host.files.makeFolder("/run", mode: 0o755) }
        // On an image the folder itself is locked, so that no file is left in it.
        let file =
            host.isImage
            ? unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            : unsafe open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if file < 0 { throw .system("cannot open the lock", source: path, errno: errno) }
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            if number == EINTR { continue }
            if number != EWOULDBLOCK || deadline.hasPassed {
                close(file)
                throw .system(
                    number == EWOULDBLOCK ? "another ecs-netsetup is at work" : "cannot take the lock",
                    source: "flock \(path)", errno: number, advice: "try again, or wait longer with --wait SECONDS")
            }
            deadline.pause(milliseconds: 5)
        }
        return HostLock(file: file)
    }

    private init(file: CInt) { self.file = file }

    deinit { close(file) }

    /// Runs `body` with the lock held.
    package borrowing func whileHeld<Value>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        try body()
    }
}
