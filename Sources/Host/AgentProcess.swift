import Glibc
package import Model

extension Host {
    /// How long the search for the agent's process may take, in milliseconds.
    private static let patience = 500

    /// What the agent's process is called. amazon-ecs-agent: its container runs `/agent`.
    private static let agentName = "agent"

    /// When the process that listens on one of the agent's ports started: on the first of them that anybody listens on,
    /// in this network namespace.
    package func agentStart(ports: [UInt16]) -> AgentStart {
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].compactMap(listeners)
        if tables.isEmpty { return .unknown("/proc/self/net/tcp cannot be read") }
        for port in ports {
            let sockets = tables.flatMap { ListeningSockets.inodes(port: port, in: $0) }
            if sockets.isEmpty { continue }
            switch process(holding: sockets) {
            case .found(let process):
                return startOf(process).map(AgentStart.at) ?? .unknown("/proc/\(process)/stat cannot be read")
            case .notFound(let why):
                return .unknown("the process that listens on port \(port) was not found among those under /proc\(why)")
            }
        }
        return .notListening
    }

    /// The listening sockets' lines, which the kernel lists before all others.
    private func listeners(_ path: String) -> [UInt8]? {
        do throws(Failure) { return try files.head(path, most: 1 << 18) } catch { return nil }
    }

    private enum Search {
        case found(Int)
        /// With what kept it from being found, as the end of a sentence; empty where nothing did.
        case notFound(String)
    }

    /// The process that has one of these sockets open.
    private func process(holding inodes: [String]) -> Search {
        let limit = Deadline(milliseconds: Self.patience)
        let wanted = Set(inodes.map { "socket:[\($0)]" })
        let all = names("/proc").compactMap { Int($0) }
        let named = Set(all.filter { name(of: $0) == Self.agentName })
        var isDenied = false
        for process in named.sorted() + all.filter({ !named.contains($0) }).sorted() {
            if limit.hasPassed { return .notFound(" within \(Self.patience) ms") }
            switch holds(process, wanted) {
            case true?: return .found(process)
            case false?: continue
            case nil: isDenied = true
            }
        }
        return .notFound(isDenied ? ", some of which may be looked at only with the capability CAP_SYS_PTRACE" : "")
    }

    private func names(_ folder: String) -> [String] {
        do throws(Failure) { return try files.list(folder) } catch { return [] }
    }

    private func name(of process: Int) -> String? {
        do throws(Failure) { return try files.read("/proc/\(process)/comm")?.text.trimmedLine } catch { return nil }
    }

    /// Whether a process has a file open that is called so; nil where its files may not be looked at, which the kernel
    /// lets nobody do to a process with more capabilities (ptrace(2), "Ptrace access mode checking"). The corresponding C
    /// function is `readlinkat`.
    private func holds(_ process: Int, _ wanted: Set<String>) -> Bool? {
        let path = "/proc/\(process)/fd"
        let folder = SystemCall.open(self.path(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder < 0 { return Self.isDenied ? nil : false }
        defer { close(folder) }
        for name in names(path) {
            guard let target = SystemCall.linkTarget(of: name, in: folder, most: 64) else {
                if Self.isDenied { return nil }
                continue
            }
            if wanted.contains(String(decoding: target, as: UTF8.self)) { return true }
        }
        return false
    }

    private static var isDenied: Bool { errno == EACCES || errno == EPERM }

    /// When a process started: proc_pid_stat(5), field 22, in clock ticks since the kernel started.
    private func startOf(_ process: Int) -> UnixTime? {
        var text = ""
        do throws(Failure) { text = try files.read("/proc/\(process)/stat")?.text ?? "" } catch { return nil }
        guard let ticks = Self.startTicks(text) else { return nil }
        let perSecond = sysconf(CInt(_SC_CLK_TCK))
        let (wall, boot) = (Self.nanoseconds(of: CLOCK_REALTIME), Self.nanoseconds(of: CLOCK_BOOTTIME))
        let start = wall - boot + ticks * (1_000_000_000 / perSecond)
        return UnixTime(seconds: start / 1_000_000_000, nanoseconds: start % 1_000_000_000)
    }

    /// The name in parentheses may hold anything, parentheses and blanks too.
    static func startTicks(_ text: String) -> Int? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // What follows the name begins with field 3.
        return fields.count > 19 ? Int(fields[19]) : nil
    }

    private static func nanoseconds(of clock: clockid_t) -> Int {
        let time = SystemCall.time(of: clock)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// The lines of `/proc/net/tcp` and `/proc/net/tcp6` (proc_net(5)).
enum ListeningSockets {
    /// `TCP_LISTEN` (`net/tcp_states.h`).
    private static let listening = "0A"

    /// The inodes of the sockets that listen on a port, on whichever address.
    static func inodes(port: UInt16, in table: [UInt8]) -> [String] {
        String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line in
            // Number, local address, remote address, state, queues, timer, retransmissions, user, timeout, inode.
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == listening,
                let digits = fields[1].split(separator: ":").last, UInt16(digits, radix: 16) == port
            else { return nil }
            return String(fields[9])
        }
    }
}
