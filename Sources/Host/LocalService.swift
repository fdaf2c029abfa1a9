import Glibc
package import Model

/// A service of this machine that speaks HTTP.
package enum LocalService: Sendable {
    /// On this port of 127.0.0.1.
    case port(UInt16)
    /// On a Unix socket, the first of these paths that there is.
    case socket([String])
}

extension Host {
    /// Asks a service of this machine with GET.
    ///
    /// - Parameters:
    ///   - path: what is asked for.
    ///   - milliseconds: how long the whole may take.
    ///   - most: the longest answer that is read, in bytes: an agent's is a line.
    package func ask(
        _ service: LocalService, path: String, milliseconds: Int, most: Int = 65536
    ) -> ServiceAnswer {
        let family = if case .port = service { AF_INET } else { AF_UNIX }
        let connection = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        if connection < 0 { return .failed("socket", errno: errno) }
        defer { close(connection) }
        let limit = Deadline(milliseconds: milliseconds)
        let number = connect(connection, to: service)
        if number == ECONNREFUSED || number == ENOENT { return .refused }
        guard number == 0 || number == EINPROGRESS else { return .failed("connect", errno: number) }
        guard wait(for: Int16(POLLOUT), on: connection, until: limit) else {
            return .silence(milliseconds: milliseconds)
        }
        // A rule that rejects ends the wait too.
        let outcome = SystemCall.pendingError(of: connection) ?? errno
        if outcome == ECONNREFUSED { return .refused }
        if outcome != 0 { return .failed("connect", errno: outcome) }
        // HTTP/1.0, so that the answer ends with the connection and comes in one piece.
        let request = Array("GET \(path) HTTP/1.0\r\nHost: localhost\r\n\r\n".utf8)
        guard SystemCall.send(request, to: connection, CInt(MSG_NOSIGNAL)) == request.count else {
            return .failed("send", errno: errno)
        }
        let (answer, isAtEnd) = receive(from: connection, most: most, until: limit)
        // Not even a line, and there is more to come.
        let isLate = !isAtEnd && answer.count < most && !answer.contains(UInt8(ascii: "\n"))
        return isLate ? .silence(milliseconds: milliseconds) : ServiceAnswer(received: answer)
    }

    /// Starts to connect. The corresponding C function is `connect`.
    ///
    /// - Returns: its error number.
    private func connect(_ connection: CInt, to service: LocalService) -> CInt {
        switch service {
        case .port(let port):
            return SystemCall.connect(connection, to: IPPrefix(127, 0, 0, 1), port: port) == 0 ? 0 : errno
        case .socket(let paths):
            var number = ENOENT
            for path in paths.map({ self.path($0) }) where number == ENOENT {
                number = SystemCall.connect(connection, to: path) == 0 ? 0 : errno
            }
            return number
        }
    }

    /// - Returns: what came, and whether the service said that this is all.
    private func receive(from connection: CInt, most: Int, until limit: Deadline) -> ([UInt8], isAtEnd: Bool) {
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.count < most, wait(for: Int16(POLLIN), on: connection, until: limit) {
            let count = SystemCall.receive(from: connection, into: &chunk)
            if count > 0 {
                answer += chunk.prefix(count)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                return (answer, true)
            }
        }
        return (answer, false)
    }

    private func wait(for event: Int16, on connection: CInt, until limit: Deadline) -> Bool {
        let polled = pollfd(fd: connection, events: event, revents: 0)
        while true {
            let count = SystemCall.poll([polled], milliseconds: CInt(limit.millisecondsLeft))
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }
}
