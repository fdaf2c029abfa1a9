import Model

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
    ///
    /// - Parameter excluded: a file that is passed over.
    static func last(
        _ parameter: String, in files: [(path: String, contents: FileContents)], without excluded: String? = nil
    ) -> Setting? {
        for file in files.reversed() where file.path != excluded {
            if let found = last(parameter, in: file.contents.bytes) {
                return Setting(path: file.path, line: found.number, value: found.value)
            }
        }
        return nil
    }

    /// A key may be written with slashes for dots and with `-` before it (sysctl.d(5)). Patterns such as
    /// `net.ipv4.conf.*.route_localnet` give way to a key that is named.
    private static func last(_ parameter: String, in bytes: [UInt8]) -> AssignmentFile.Assignment? {
        let slashed = String(parameter.map { $0 == "." ? "/" : $0 })
        return AssignmentFile(bytes).assignments.last { assignment in
            let key = assignment.key.drop { $0 == "-" }.trimmed
            return key == parameter || key == slashed
        }
    }

    /// Whether lines raise `net.ipv4.conf.all.route_localnet`.
    fileprivate static func raise(_ bytes: [UInt8]) -> Bool {
        last(Endpoint.routeLocalnet, in: bytes).map { $0.value != "0" } ?? false
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
    /// Whether a file of `sysctl.d` raises `net.ipv4.conf.all.route_localnet`.
    package var raisesRouteLocalnet: Bool { SysctlFiles.raise(bytes) }
}
