import CLibmnl
import Glibc
import Model

/// One connection: made, and for credentials asked something. Never waits by itself.
struct Attempt {
    let target: ProbeTarget
    /// -1 where nothing could be sent.
    private(set) var socket: CInt = -1
    /// What came back; nil while it may still come.
    private(set) var answer: ProbeAnswer?
    private var isConnected = false
    private var received: [UInt8] = []

    /// The longest answer that is read, in bytes: the agent's is a line.
    private static let longestAnswer = 65536
    /// HTTP/1.0, so that the answer ends with the connection. Names itself, as the agent writes it into its audit log.
    private static let request = Array(
        "GET /v2/credentials/ HTTP/1.0\r\nHost: 169.254.170.2\r\nUser-Agent: ecs-netsetup\r\n\r\n".utf8)

    /// Begins to connect from the calling thread's namespace. The corresponding C function is `connect`.
    init(_ target: ProbeTarget) {
        self.target = target
        socket = Glibc.socket(
            target.address.family.number,
            CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else {
            answer = .unsent("cannot make a socket: \(Failure.text(ofErrno: errno))")
            return
        }
        // Closing resets the connection at once, so that nothing of it keeps the namespace alive.
        _ = SystemCall.set(SO_LINGER, of: socket, to: linger(l_onoff: 1, l_linger: 0))
        if SystemCall.connect(socket, to: target.address, port: target.port) != 0, errno != EINPROGRESS {
            answer = .unsent("cannot connect: \(Failure.text(ofErrno: errno))")
        }
    }

    /// A target to which nothing is sent, for a reason that is known.
    init(_ target: ProbeTarget, _ answer: ProbeAnswer) {
        self.target = target
        self.answer = answer
    }

    /// What to wait for; nil where nothing more comes.
    var waitsFor: pollfd? {
        answer == nil ? pollfd(fd: socket, events: Int16(isConnected ? POLLIN : POLLOUT), revents: 0) : nil
    }

    /// Goes on as far as is possible without waiting.
    mutating func advance() {
        guard answer == nil else { return }
        if !isConnected {
            let polled = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            let isReady = SystemCall.poll([polled], milliseconds: 0) == 1
            // Also an ICMP error that came while the packet was still being sent, of which TCP makes nothing by itself.
            let number = SystemCall.pendingError(of: socket) ?? 0
            if number != 0 { return fail(number) }
            guard isReady else { return }
            isConnected = true
            // IMDS is never asked anything.
            guard target.way == .credentials else { return answer = .connected }
            _ = SystemCall.send(Self.request, to: socket, CInt(MSG_NOSIGNAL))
        }
        receive()
    }

    private mutating func receive() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while received.count < Self.longestAnswer {
            let count = SystemCall.receive(from: socket, into: &chunk)
            if count > 0 {
                received += chunk.prefix(count)
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                return
            } else {
                break
            }
        }
        answer = received.isEmpty ? .connected : .answered(received)
    }

    /// Ends it, whatever came.
    mutating func finish() {
        if answer == nil { answer = isConnected ? (received.isEmpty ? .connected : .answered(received)) : .silence }
        if socket >= 0 { close(socket) }
        socket = -1
    }

    private mutating func fail(_ number: CInt) {
        answer = number == ECONNREFUSED || number == ECONNRESET ? .refused : .unreachable(number)
    }
}
