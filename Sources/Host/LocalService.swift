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
        let outcome = Self.error(of: connection)
        if outcome == ECONNREFUSED { return .refused }
        if outcome != 0 { return .failed("connect", errno: outcome) }
        // HTTP/1.0, so that the answer ends with the connection and comes in one piece.
        let request = Array("GET \(path) HTTP/1.0\r\nHost: localhost\r\n\r\n".utf8)
        guard unsafe send(connection, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
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
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            return connect(connection, &address)
        case .socket(let paths):
            var number = ENOENT
            for path in paths.map({ self.path($0) }) where number == ENOENT {
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                let isShort = unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
                    guard path.utf8.count < bytes.count else { return false }
                    unsafe bytes.copyBytes(from: path.utf8)
                    return true
                }
                number = isShort ? connect(connection, &address) : ENAMETOOLONG
            }
            return number
        }
    }

    private func connect<Address>(_ connection: CInt, _ address: inout Address) -> CInt {
        let length = socklen_t(MemoryLayout<Address>.size)
        let outcome = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(connection, $0, length)
            }
        }
        return outcome == 0 ? 0 : errno
    }

    /// What became of connecting. The corresponding C function is `getsockopt` with `SO_ERROR`.
    private static func error(of connection: CInt) -> CInt {
        var number: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return unsafe getsockopt(connection, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno
    }

    /// - Returns: what came, and whether the service said that this is all.
    private func receive(from connection: CInt, most: Int, until limit: Deadline) -> ([UInt8], isAtEnd: Bool) {
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.count < most, wait(for: Int16(POLLIN), on: connection, until: limit) {
            let count = unsafe recv(connection, &chunk, chunk.count, 0)
            if count > 0 {
                answer += chunk.prefix(count)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                return (answer, true)
            }
        }
        return (answer, false)
    }

    private func wait(for event: Int16, on connection: CInt, until limit: Deadline) -> Bool {
        var polled = pollfd(fd: connection, events: event, revents: 0)
        while true {
            let count = unsafe poll(&polled, 1, CInt(limit.millisecondsLeft))
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }
}
