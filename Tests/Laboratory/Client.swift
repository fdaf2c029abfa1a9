import Glibc

/// What came of a request.
package enum Outcome: Hashable, Sendable, CustomStringConvertible {
    /// The service of this name answered.
    case answered(String)
    case refused
    case reset
    case timedOut
    case unreachable(CInt)

    package var description: String {
        switch self {
        case .answered(let name): "answered by \(name)"
        case .refused: "refused"
        case .reset: "reset"
        case .timedOut: "no answer"
        case .unreachable(let number): unsafe String(cString: strerror(number))
        }
    }

    package var isAnswered: Bool { if case .answered = self { true } else { false } }
}

extension Namespace {
    /// Asks a service over HTTP from inside the namespace.
    ///
    /// - Parameter timeout: in milliseconds, for the connection and again for the answer.
    /// - Returns: the outcome and how long it took, in seconds.
    package func ask(
        _ address: String, port: UInt16, path: String = "/", timeout: CInt = 400
    ) throws -> (outcome: Outcome, duration: Double) {
        try run {
            let began = now()
            return (try HTTPClient.ask(address, port: port, path: path, timeout: timeout), now() - began)
        }
    }

    /// The outcome of asking a service.
    package func reach(_ address: String, port: UInt16, timeout: CInt = 400) throws -> Outcome {
        try ask(address, port: port, timeout: timeout).outcome
    }
}

/// An HTTP client just large enough for the services of the laboratory. Runs in the calling thread's namespace.
enum HTTPClient {
    static func ask(_ address: String, port: UInt16, path: String, timeout: CInt) throws -> Outcome {
        let address = try SocketAddress(address, port: port)
        let client = socket(
            address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard client >= 0 else { throw LaboratoryError.system("socket") }
        defer { close(client) }
        if unsafe address.with({ unsafe connect(client, $0, $1) }) != 0, errno != EINPROGRESS { return failed(errno) }
        guard wait(client, Int16(POLLOUT), timeout) else { return .timedOut }
        var number: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        _ = unsafe getsockopt(client, SOL_SOCKET, SO_ERROR, &number, &size)
        if number != 0 { return failed(number) }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
        guard unsafe send(client, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
            return failed(errno)
        }
        return receive(client, timeout)
    }

    private static func receive(_ client: CInt, _ timeout: CInt) -> Outcome {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while wait(client, Int16(POLLIN), timeout) {
            let count = unsafe read(client, &chunk, chunk.count)
            if count < 0 { return failed(errno) }
            if count == 0 { return .answered(serviceName(String(decoding: text, as: UTF8.self))) }
            text += chunk.prefix(count)
        }
        return .timedOut
    }

    private static func serviceName(_ answer: String) -> String {
        if let name = StubAgent.service(of: answer) { return name }
        let parts = answer.split(separator: "\"")
        return parts.count > 3 ? String(parts[3]) : "?"
    }

    private static func wait(_ file: CInt, _ events: Int16, _ timeout: CInt) -> Bool {
        var polled = pollfd(fd: file, events: events, revents: 0)
        return unsafe poll(&polled, 1, timeout) == 1
    }

    private static func failed(_ number: CInt) -> Outcome {
        switch number {
        case ECONNREFUSED: .refused
        case ECONNRESET: .reset
        case ETIMEDOUT: .timedOut
        default: .unreachable(number)
        }
    }
}
