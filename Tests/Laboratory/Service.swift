import Glibc
import Synchronization

/// A small HTTP server that answers every request with its own name, so that a client knows whom it reached.
package final class Service: Sendable {
    private let thread: BackgroundThread
    private let counter: Counter

    /// How a connection is answered.
    package enum Behaviour: Sendable {
        /// With this body, or with the service's name.
        case answer(status: String = "200 OK", body: String? = nil)
        /// As the credentials endpoint of an ECS agent answers a request without a credentials ID, with this body, or
        /// another one; and with the credentials of one task where it is asked for these.
        case credentials(body: String = StubAgent.noIdentifier)
        /// As the introspection endpoint of an ECS agent of this version does.
        case introspection(version: String = StubAgent.version)
        /// As the instance metadata service does, as far as an SDK asks it for the instance's credentials; with the
        /// service's name on every other path.
        case instanceMetadata
        /// With these bytes as they are.
        case bytes([UInt8])
        /// Not at all; the connection stays open until the client gives up.
        case silence
        /// With one byte after the other and no end.
        case trickle
    }

    /// Listens in a namespace on every address given.
    package convenience init(
        _ name: String, in namespace: Namespace, on addresses: [String], port: UInt16,
        _ behaviour: Behaviour = .answer()
    ) throws {
        try self.init(name, in: namespace, behaviour) { try addresses.map { try Self.listen($0, port: port) } }
    }

    /// Listens in a namespace on a Unix socket, as the Docker engine does.
    package convenience init(
        _ name: String, in namespace: Namespace, onSocket path: String, _ behaviour: Behaviour = .answer()
    ) throws {
        try self.init(name, in: namespace, behaviour) { [try Self.listen(path)] }
    }

    private init(
        _ name: String, in namespace: Namespace, _ behaviour: Behaviour, listening: @escaping () throws -> [CInt]
    ) throws {
        let counter = Counter()
        let listeners = try namespace.run(listening)
        let answer = Answer(behaviour, name: name)
        self.counter = counter
        thread = try BackgroundThread(in: namespace) { mustStop in
            while !mustStop() { Self.serveOnce(listeners, answer: answer, counter: counter) }
            for listener in listeners { close(listener) }
        }
    }

    deinit { thread.stop() }

    /// How many connections it has answered.
    package var connections: Int { counter.value.load(ordering: .relaxed) }

    package func stop() { thread.stop() }

    /// What is sent, and how long the connection stays open after it.
    private struct Answer: Sendable {
        var bytes: [UInt8] = []
        var isSlow = false
        var staysOpen = false

        /// What is sent instead where the request begins with this method and path.
        var pages: [String: [UInt8]] = [:]

        init(_ behaviour: Behaviour, name: String) {
            switch behaviour {
            case .answer(let status, let body):
                bytes = Self.response(status, body ?? "{\"service\":\"\(name)\"}")
            case .credentials(let body):
                bytes = Self.response("400 Bad Request", body)
                pages = Self.pages(["GET \(StubAgent.credentialsPath)": StubAgent.taskCredentials])
            case .introspection(let version):
                bytes = Self.response("200 OK", StubAgent.commands)
                pages = Self.pages(["GET /v1/metadata": StubAgent.metadata(version)])
            case .instanceMetadata:
                bytes = Self.response("200 OK", "{\"service\":\"\(name)\"}")
                pages = Self.pages(InstanceMetadata.pages)
            case .bytes(let given): bytes = given
            case .silence: staysOpen = true
            case .trickle:
                bytes = Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + [UInt8](repeating: UInt8(ascii: " "), count: 200)
                isSlow = true
            }
        }

        private static func response(_ status: String, _ body: String) -> [UInt8] {
            Array(
                "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)".utf8)
        }

        private static func pages(_ bodies: [String: String]) -> [String: [UInt8]] {
            bodies.mapValues { response("200 OK", $0) }
        }

        func send(to connection: CInt, request: String) {
            let bytes = pages[request] ?? bytes
            for part in isSlow ? bytes.map({ [$0] }) : [bytes] {
                guard unsafe Glibc.send(connection, part, part.count, CInt(MSG_NOSIGNAL)) == part.count else { return }
                if isSlow { usleep(50_000) }
            }
            var closed = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            if staysOpen { _ = unsafe poll(&closed, 1, 5000) }
        }
    }

    private final class Counter: Sendable { let value = Atomic(0) }

    private static func listen(_ address: String, port: UInt16) throws -> CInt {
        let address = try SocketAddress(address, port: port)
        let listener = socket(
            address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard listener >= 0 else { throw LaboratoryError.system("socket") }
        var one: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        _ = unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, size)
        if address.family == AF_INET6 { _ = unsafe setsockopt(listener, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
        guard unsafe address.with({ unsafe bind(listener, $0, $1) }) == 0, Glibc.listen(listener, 1024) == 0 else {
            throw LaboratoryError.system("bind or listen, port \(port)")
        }
        return listener
    }

    private static func listen(_ path: String) throws -> CInt {
        let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard listener >= 0 else { throw LaboratoryError.system("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let outcome = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(listener, $0, size) }
        }
        guard outcome == 0, Glibc.listen(listener, 16) == 0 else {
            throw LaboratoryError.system("bind or listen, \(path)")
        }
        return listener
    }

    private static func serveOnce(_ listeners: [CInt], answer: Answer, counter: Counter) {
        var polled = listeners.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard unsafe poll(&polled, nfds_t(polled.count), 50) > 0 else { return }
        for entry in polled where entry.revents != 0 {
            let connection = accept(entry.fd, nil, nil)
            if connection < 0 { continue }
            defer { close(connection) }
            counter.value.add(1, ordering: .relaxed)
            let request = read(connection)
            guard !request.isEmpty else { continue }
            // GET, the path, HTTP/1.1
            let words = String(decoding: request, as: UTF8.self).split(separator: " ")
            answer.send(to: connection, request: words.prefix(2).joined(separator: " "))
        }
    }

    /// Reads a request to the empty line at its end: a connection closed before its client has written all is reset, and
    /// the client may lose the answer.
    private static func read(_ connection: CInt) -> [UInt8] {
        var request: [UInt8] = []
        var waiting = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        while request.suffix(4) != Array("\r\n\r\n".utf8)[...], unsafe poll(&waiting, 1, 1000) == 1 {
            var chunk = [UInt8](repeating: 0, count: 2048)
            let count = unsafe Glibc.read(connection, &chunk, chunk.count)
            guard count > 0 else { break }
            request += chunk.prefix(count)
        }
        return request
    }
}
