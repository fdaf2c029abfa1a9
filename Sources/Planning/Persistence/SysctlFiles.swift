package import Model

/// Kernel parameters on disk.
enum SysctlFiles {
    /// What `90-ecs-netsetup.conf` holds. systemd-sysctl(8) and sysctl(8) read it alike.
    static let text = """
        \(DesiredFiles.mark)
        # Redirected requests of containers reach the ECS agent on 127.0.0.1; the localhost guard keeps neighbours out.
        \(Endpoint.routeLocalnet) = 1

        """

    /// A line that sets a parameter.
    struct Setting {
        let path: String
        /// Counted from 1.
        let line: Int
        let value: String
    }

    /// The line that counts for a parameter: the last one, in the order in which the files are read.
    static func last(_ parameter: String, in files: [(path: String, contents: FileContents)]) -> Setting? {
        for file in files.reversed() {
            if let found = assignments(of: parameter, in: file.contents.bytes).last {
                return Setting(path: file.path, line: found.number, value: found.value)
            }
        }
        return nil
    }

    /// The value that the kernel has after these files: of the last line with a number, as it refuses any other.
    static func lastNumber(_ parameter: String, in files: [(path: String, contents: FileContents)]) -> String? {
        for file in files.reversed() {
            let lines = assignments(of: parameter, in: file.contents.bytes)
            if let found = lines.last(where: { Int32($0.value) != nil }) { return found.value }
        }
        return nil
    }

    /// A key may be written with slashes for dots and with `-` before it (sysctl.d(5)). Patterns such as
    /// `net.ipv4.conf.*.route_localnet` give way to a key that is named.
    private static func assignments(of parameter: String, in bytes: [UInt8]) -> [AssignmentFile.Assignment] {
        let slashed = String(parameter.map { $0 == "." ? "/" : $0 })
        return AssignmentFile(bytes).assignments.filter { assignment in
            let key = assignment.key.drop { $0 == "-" }.trimmed
            return key == parameter || key == slashed
        }
    }

    /// Whether lines raise `net.ipv4.conf.all.route_localnet`.
    fileprivate static func raise(_ bytes: [UInt8]) -> Bool {
        assignments(of: Endpoint.routeLocalnet, in: bytes).last.map { $0.value != "0" } ?? false
    }

    private static let ourLines = TextLines(Array(text.utf8)).lines.map { TextLines.text($0).trimmed }

    private static func isOurs(_ line: [UInt8]) -> Bool { ourLines.contains(TextLines.text(line).trimmed) }

    /// Whether `apply` wrote a line of it, whatever somebody else made of the rest.
    static func holdsOurs(_ bytes: [UInt8]) -> Bool { TextLines(bytes).lines.contains(where: isOurs) }

    /// What is left without the lines that `apply` writes, and without those that raise the parameter, however they are
    /// spelled: it must not be raised at boot after its guard is gone.
    static func withoutOurs(_ bytes: [UInt8]) -> [UInt8] {
        var rest = TextLines(bytes)
        rest.lines.removeAll { isOurs($0) || raise($0) }
        return rest.bytes
    }
}

extension FileContents {
    /// The file of `sysctl.d` as `apply` makes it.
    package static let sysctl = FileContents(text: SysctlFiles.text, mode: 0o644)

    /// Whether a file of `sysctl.d` raises `net.ipv4.conf.all.route_localnet`.
    package var raisesRouteLocalnet: Bool { SysctlFiles.raise(bytes) }
}
