import Glibc
import Model

/// A program of the distribution's, run without a shell, by absolute path and with fixed arguments.
struct HelperProgram {
    /// The first of the given paths that can be executed.
    static func find(among paths: [String]) -> String? { paths.first { path in SystemCall.access(path, X_OK) == 0 } }

    /// How long a program may take, in milliseconds: none of those that are run waits for a service.
    private static let longest = 30_000

    /// How much of what it says is kept, in bytes.
    private static let mostText = 4096

    /// Runs a program to its end.
    ///
    /// The corresponding C functions are `posix_spawn` and `waitpid`.
    ///
    /// - Throws: `Failure` when it cannot be run, takes too long or does not end with status 0, with what it said.
    static func run(_ words: [String]) throws(Failure) {
        let shown = words.joined(separator: " ")
        guard let (reading, writing) = SystemCall.pipe() else {
            throw .system("cannot run", source: shown, errno: errno)
        }
        _ = fcntl(reading, F_SETFD, FD_CLOEXEC)
        _ = fcntl(writing, F_SETFD, FD_CLOEXEC)
        defer { close(reading) }
        let child: pid_t
        do throws(Failure) {
            child = try spawn(words, output: writing)
            close(writing)
        } catch {
            close(writing)
            throw error
        }
        let (text, ended) = listen(reading, to: child)
        guard let status = ended else {
            kill(child, SIGKILL)
            while waitpid(child, nil, 0) < 0, errno == EINTR {}
            throw .system("cannot wait for", source: shown, errno: ETIMEDOUT)
        }
        guard status == 0 else {
            let lines = text.split(separator: "\n")
            // systemctl goes on after what failed, and then tells of other things.
            let said = (lines.last { $0.hasPrefix("Failed to ") } ?? lines.last).map { ": \($0)" } ?? ""
            let outcome = status & 0x7f == 0 ? "status \((status >> 8) & 0xff)" : "signal \(status & 0x7f)"
            throw Failure(.trouble, "\(shown) failed with \(outcome)\(said)", advice: "run it by hand to see why")
        }
    }

    private static func spawn(_ words: [String], output: CInt) throws(Failure) -> pid_t {
        // Nothing of the caller's environment: only where a script of the distribution's finds its commands. Beside a unit,
        // systemctl would have a script change the links of a SysV service of that name, in an image by the image's own programs
        // (`SYSTEMCTL_SKIP_SYSV`, systemd's list of environment variables).
        let environment = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMCTL_SKIP_SYSV=1",
        ]
        let (child, number) = SystemCall.spawn(words[0], words, environment: environment, output: output)
        guard number == 0 else { throw .system("cannot run", source: words[0], errno: number) }
        return child
    }

    /// What a program says until it ends, whoever else holds its output open then, and its status.
    ///
    /// - Returns: no status where it takes too long.
    private static func listen(_ file: CInt, to child: pid_t) -> (text: String, status: CInt?) {
        let deadline = Deadline(milliseconds: longest)
        var bytes: [UInt8] = []
        while true {
            let hasEnded = read(file, into: &bytes)
            let (ended, status) = SystemCall.wait(for: child, WNOHANG)
            if ended == child {
                // The reason of a failure stands at the end.
                var length: Int
                repeat { length = bytes.count } while !read(file, into: &bytes) && bytes.count > length
                return (String(decoding: bytes, as: UTF8.self), status)
            }
            if deadline.hasPassed || (ended < 0 && errno != EINTR) {
                return (String(decoding: bytes, as: UTF8.self), nil)
            }
            if hasEnded { deadline.pause(milliseconds: 2) }
        }
    }

    /// Reads what there is, waiting a moment for it.
    ///
    /// - Returns: whether nothing more will come.
    private static func read(_ file: CInt, into bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1024)
        let polled = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        // The end of the child is looked for in between.
        guard SystemCall.poll([polled], milliseconds: 5) > 0 else { return false }
        let length = SystemCall.read(file, into: &chunk)
        if length > 0, bytes.count < mostText { bytes += chunk.prefix(length) }
        return length <= 0
    }
}
