import Glibc
import Laboratory
import TestSupport

/// An image of Amazon Linux 2 with rules, settings and services of somebody else, on which the program is interrupted.
final class InterruptedImage {
    private let folder: FixtureRoot
    private let namespace: Namespace
    let tree: String
    private let log: String
    /// As it was before this program did anything.
    let original: TreeSnapshot

    init() throws {
        // In memory, where there is such a folder: nothing is synced to a disk then, thousands of times.
        let memory = "/dev/shm"
        folder = try FixtureRoot(in: unsafe access(memory, W_OK) == 0 ? memory : nil)
        namespace = try Namespace("image")
        tree = folder.path + "/tree"
        log = folder.path + "/log"
        for (path, text, mode) in Self.files {
            try folder.write(text, to: "/tree" + path)
            guard unsafe chmod(tree + path, mode) == 0 else { throw LaboratoryError("chmod \(path) failed") }
        }
        for service in ["iptables.service", "ip6tables.service"] {
            try folder.write(Self.unit, to: "/tree/usr/lib/systemd/system/" + service)
            try folder.makeLink(
                "/tree/etc/systemd/system/basic.target.wants/" + service,
                to: "/usr/lib/systemd/system/" + service)
        }
        try folder.makeLink("/tree/usr/sbin/iptables-restore", to: "xtables-legacy-multi")
        try folder.makeFolder("/tree/var/lib")
        original = try TreeSnapshot(of: tree)
    }

    var now: TreeSnapshot { get throws { try TreeSnapshot(of: tree) } }

    /// Runs the program on the image.
    func netsetup(_ arguments: [String]) throws -> ProgramResult {
        try namespace.execute([Tool.path] + arguments + ["--root", tree, "--color", "never"])
    }

    /// Runs the program on the image, which must succeed.
    @discardableResult
    func require(_ arguments: [String]) throws -> String {
        let result = try netsetup(arguments)
        guard result.status == 0 else {
            throw LaboratoryError("\(arguments): status \(result.status): \(result.output)\(result.errors)")
        }
        return result.output
    }

    /// Runs the program under strace.
    ///
    /// - Returns: how it ended, and the lines that strace wrote.
    func trace(_ options: [String], _ arguments: [String]) throws -> (result: ProgramResult, lines: [Substring]) {
        let words = ["strace", "-qq", "-y", "-s", "0", "-o", log] + options + [Tool.path]
        let result = try namespace.execute(words + arguments + ["--root", tree, "--color", "never"])
        return (result, (folder.read("/log") ?? "").split(separator: "\n"))
    }

    private static let unit = """
        [Unit]
        Description=Rules of somebody

        [Service]
        Type=oneshot
        ExecStart=/bin/true

        [Install]
        WantedBy=basic.target

        """

    private static let files: [(path: String, text: String, mode: UInt32)] = [
        ("/etc/os-release", "NAME=\"Amazon Linux\"\nID=\"amzn\"\nVERSION_ID=\"2\"\n", 0o644),
        ("/usr/lib/systemd/systemd", "", 0o755),
        ("/usr/sbin/ecs-netsetup", "", 0o755),
        ("/usr/sbin/xtables-legacy-multi", "", 0o755),
        (
            "/etc/sysconfig/iptables",
            """
            # Rules of somebody
            *nat
            :PREROUTING ACCEPT [3:180]
            -A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080
            COMMIT
            *filter
            :INPUT DROP [7:420]
            :FORWARD DROP [0:0]
            :OUTPUT ACCEPT [12:3000]
            :SOMEBODY - [0:0]
            [5:300] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
            -A FORWARD -j SOMEBODY
            COMMIT

            """, 0o640
        ),
        (
            "/etc/sysconfig/ip6tables",
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -p ipv6-icmp -j ACCEPT\nCOMMIT\n", 0o600
        ),
        (
            "/etc/ecs/ecs.config",
            "# of somebody\nECS_CLUSTER=prod\n\nECS_ENABLE_TASK_IAM_ROLE = false\nECS_LOGLEVEL=info", 0o644
        ),
        ("/etc/sysctl.d/50-somebody.conf", "net.ipv4.ip_forward = 1\n", 0o644),
    ]
}
