import Glibc
package import Model

extension Host {
    /// Asks the agent's introspection endpoint about itself.
    ///
    /// - Parameters:
    ///   - port: where it listens on 127.0.0.1.
    ///   - path: what is asked for.
    ///   - milliseconds: how long the whole may take.
    /// - Returns: the answer's body; nil when nobody answers, or what answers is no HTTP.
    package func askAgent(port: UInt16, path: String, milliseconds: Int) -> [UInt8]? {
        let connection = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        if connection < 0 { return nil }
        defer { close(connection) }
        let limit = Deadline(milliseconds: milliseconds)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(connection, $0, length) }
        }
        guard outcome == 0 || errno == EINPROGRESS else { return nil }
        guard wait(for: Int16(POLLOUT), on: connection, until: limit) else { return nil }
        // HTTP/1.0, so that the answer ends with the connection and comes in one piece.
        let request = Array("GET \(path) HTTP/1.0\r\nHost: localhost:\(port)\r\n\r\n".utf8)
        guard unsafe send(connection, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
            return nil
        }
        return Self.body(of: receive(from: connection, until: limit))
    }

    /// The longest answer that is read, in bytes: an agent's is a line.
    private static let longestAnswer = 65536

    private func receive(from connection: CInt, until limit: Deadline) -> [UInt8] {
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.count < Self.longestAnswer, wait(for: Int16(POLLIN), on: connection, until: limit) {
            let count = unsafe recv(connection, &chunk, chunk.count, 0)
            if count > 0 {
                answer += chunk.prefix(count)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                break
            }
        }
        return answer
    }

    private func wait(for event: Int16, on connection: CInt, until limit: Deadline) -> Bool {
        var polled = pollfd(fd: connection, events: event, revents: 0)
        while true {
            let count = unsafe poll(&polled, 1, CInt(limit.millisecondsLeft))
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }

    /// What follows the head of an answer with status 200; nil otherwise.
    static func body(of answer: [UInt8]) -> [UInt8]? {
        let first = answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        let words = first.split(separator: UInt8(ascii: " "))
        guard words.count >= 2, words[0].starts(with: "HTTP/".utf8), words[1].elementsEqual("200".utf8) else {
            return nil
        }
        let end = Array("\r\n\r\n".utf8)
        guard let head = answer.indices.first(where: { answer[$0...].starts(with: end) }) else { return nil }
        return Array(answer[(head + end.count)...])
    }

    /// How the agent is restarted here.
    package var agentStarter: AgentStarter {
        get throws(Failure) {
            if try unit("ecs.service").isInstalled { return .systemd }
            if try files.exists("/etc/init/ecs.conf") { return .upstart }
            return .unknown
        }
    }

    /// Restarts the agent, without waiting for it where systemd does it: in user data, `ecs.service` waits for the end of
    /// cloud-init.
    package func restartAgent(_ starter: AgentStarter) throws(Failure) {
        switch starter {
        case .systemd:
            guard let systemctl = try program(of: .systemctl) else {
                throw .system("cannot restart ecs.service", source: "systemctl", errno: ENOENT)
            }
            try HelperProgram.run([systemctl, "restart", "--no-block", "ecs.service"])
        case .upstart:
            // Not upstart's own restart, which would not read the job again. Stopping one that does not run fails.
            do throws(Failure) { try HelperProgram.run(["/sbin/initctl", "stop", "ecs"]) } catch {}
            try HelperProgram.run(["/sbin/initctl", "start", "--no-wait", "ecs"])
        case .unknown: break
        }
    }
}
