import Glibc

/// An advisory lock on an open file, held until it goes out of scope. The corresponding C function is `flock`.
package struct FileLock: ~Copyable {
    private let file: CInt

    /// Takes the lock, trying until the deadline.
    ///
    /// - Parameters:
    ///   - file: the open file, which is closed with the lock, or where it cannot be taken.
    ///   - name: what to call the lock: "the xtables lock".
    ///   - holder: what somebody else who has it is told as: "another program holds the xtables lock".
    ///   - path: where it is.
    ///   - deadline: when to stop waiting for somebody else who has it.
    package static func take(
        _ file: CInt, name: String, holder: String, path: String, until deadline: Deadline
    ) throws(Failure) -> FileLock {
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            if number == EINTR { continue }
            if number != EWOULDBLOCK || deadline.hasPassed {
                close(file)
                throw .system(
                    number == EWOULDBLOCK ? holder : "cannot take \(name)", source: "flock \(path)", errno: number,
                    advice: "try again, or wait longer with --wait SECONDS")
            }
            deadline.pause(milliseconds: 5)
        }
        return FileLock(file: file)
    }

    private init(file: CInt) { self.file = file }

    deinit { close(file) }

    /// Runs `body` with the lock held.
    package borrowing func whileHeld<Value>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        try body()
    }
}
