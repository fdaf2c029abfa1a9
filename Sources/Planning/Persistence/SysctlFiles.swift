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
            if let found = last(parameter, in: file.contents) {
                return Setting(path: file.path, line: found.number, value: found.value)
            }
        }
        return nil
    }

    /// A key may be written with slashes for dots and with `-` before it (sysctl.d(5)). Patterns such as
    /// `net.ipv4.conf.*.route_localnet` give way to a key that is named.
    private static func last(_ parameter: String, in contents: FileContents) -> AssignmentFile.Assignment? {
        let slashed = String(parameter.map { $0 == "." ? "/" : $0 })
        return AssignmentFile(contents.bytes).assignments.last { assignment in
            let key = assignment.key.drop { $0 == "-" }.trimmed
            return key == parameter || key == slashed
        }
    }
}

extension FileContents {
    /// Whether `apply` wrote the file.
    package var isMarked: Bool { text.hasPrefix(DesiredFiles.mark) }
}
