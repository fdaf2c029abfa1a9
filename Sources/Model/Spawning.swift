package import Glibc

extension SystemCall {
    /// Starts a program. The corresponding C function is `posix_spawn`.
    ///
    /// - Parameters:
    ///   - words: its name, as it sees it, and its arguments.
    ///   - environment: its whole environment: `NAME=value`.
    ///   - output: where what it writes goes, its errors too, and then it has nothing to read; nil where it shares this
    ///     process's streams.
    /// - Returns: its process, or an error number.
    package static func spawn(
        _ path: String, _ words: [String], environment: [String], output: CInt?
    ) -> (child: pid_t, errno: CInt) {
        // Safe: the strings are strdup's, and freed here alone, when posix_spawn has returned: the child has a copy of
        // them by then. A null pointer ends each list, an earlier one where there was no memory for a string.
        let arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var child: pid_t = 0
        guard let output else {
            let number = unsafe posix_spawn(&child, path, nil, nil, arguments, variables)
            return (child, number)
        }
        // Safe: the actions are a value of this function's, which it initialises before and destroys after all else.
        var actions = unsafe posix_spawn_file_actions_t()
        _ = unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        _ = unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        for file in [STDOUT_FILENO, STDERR_FILENO] {
            _ = unsafe posix_spawn_file_actions_adddup2(&actions, output, file)
        }
        let number = unsafe posix_spawn(&child, path, &actions, nil, arguments, variables)
        return (child, number)
    }

    /// How a child ended; no process where it has not ended (`WNOHANG`) or there is no such child. The corresponding C
    /// function is `waitpid`.
    package static func wait(for child: pid_t, _ options: CInt) -> (child: pid_t, status: CInt) {
        var status: CInt = 0
        // Safe: waitpid(2) writes one int.
        let ended = unsafe waitpid(child, &status, options)
        return (ended, status)
    }

    /// Makes a pipe; nil where it cannot be made. The corresponding C function is `pipe`.
    package static func pipe() -> (reading: CInt, writing: CInt)? {
        var ends: [CInt] = [-1, -1]
        // Safe: pipe(2) writes two descriptors, for which there is room.
        return unsafe Glibc.pipe(&ends) == 0 ? (ends[0], ends[1]) : nil
    }
}
