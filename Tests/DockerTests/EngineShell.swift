import CNamespaces
import Glibc
import Laboratory

/// The first process of a process namespace in which a Docker engine and its containers live: a shell that is told what
/// to do through a pipe. When the pipe closes, be it with the end of the tests, the kernel ends all of them.
///
/// A shell, and not the engine, because an engine's containers outlive it with live-restore; and it reaps what they leave.
final class EngineShell {
    private let program: RunningProgram
    private let pipe: CInt
    /// The cgroup below which Docker puts those of its containers.
    let cgroup: String
    private let host: Namespace

    private static let prefix = "ecs-netsetup-docker-"

    /// - Parameter identifier: tells those of one process apart.
    init(in host: Namespace, identifier: Int) throws {
        try host.require(["sh", "-ec", Self.removeCgroupsOfTheDead])
        var ends: [CInt] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw LaboratoryError("pipe2: errno \(errno)") }
        defer { close(ends[0]) }
        (self.host, pipe) = (host, ends[1])
        cgroup = "\(Self.prefix)\(getpid())-\(identifier)"
        let command =
            "exec unshare --pid --fork --kill-child --mount --mount-proc bash < /proc/\(getpid())/fd/\(ends[0])"
        do {
            program = try host.start(["sh", "-c", command])
        } catch {
            close(ends[1])
            throw error
        }
        // The read end stays open until the shell has it.
        try waitUntil("a shell in a process namespace") { try firstProcess() != nil }
    }

    deinit {
        close(pipe)
        _ = program.wait()
        removeCgroups()
    }

    /// Has the shell run a command and lets it run.
    func tell(_ command: String) throws {
        let bytes = Array((command + "\n").utf8)
        guard write(pipe, bytes, bytes.count) == bytes.count else { throw LaboratoryError("write: errno \(errno)") }
    }

    /// Where the files of a process of the namespace are for those outside of it.
    func path(ofProcess identifier: Int) throws -> String {
        guard let first = try firstProcess() else { throw LaboratoryError("the engine's process namespace has ended") }
        return "/proc/\(first)/root/proc/\(identifier)"
    }

    private func firstProcess() throws -> String? {
        let parent = program.identifier
        let words = try host.execute(["cat", "/proc/\(parent)/task/\(parent)/children"]).output.split(separator: " ")
        guard let first = words.first else { return nil }
        let name = try host.execute(["cat", "/proc/\(first)/comm"]).output
        return name == "bash\n" ? String(first) : nil
    }

    /// Docker removes those of its containers, and not the parent.
    private func removeCgroups() {
        let arguments = ["-depth", "-type", "d", "-path", "*/\(cgroup)*", "-exec", "rmdir", "{}", ";"]
        _ = try? host.execute(["find", "/sys/fs/cgroup"] + arguments)
    }

    /// Tests that were killed leave theirs, which are the only thing of theirs to stay.
    private static let removeCgroupsOfTheDead = """
        find /sys/fs/cgroup -depth -type d -path '*/\(prefix)*' | while read -r folder; do
            process=${folder#*/\(prefix)}
            if [ ! -e "/proc/${process%%-*}" ]; then rmdir "$folder"; fi
        done
        """
}

/// Asks again and again, for half a minute at most.
func waitUntil(_ wish: String, _ isTrue: () throws -> Bool) throws {
    for _ in 0..<600 {
        if try isTrue() { return }
        usleep(50_000)
    }
    throw LaboratoryError("waited in vain for \(wish)")
}
