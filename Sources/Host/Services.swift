import Glibc
package import Model

extension Host {
    /// Where systemd finds units, the first that has one counting (systemd.unit(5)).
    private static let unitFolders = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ]

    /// Where `systemctl enable` puts its links.
    private static let enabledFolder = "/etc/systemd/system"

    /// Where the scripts of SysV services are, and the folder of links of runlevel 3, in which Amazon Linux boots.
    private static let scriptFolders = ["/etc/rc.d/init.d", "/etc/init.d"]
    private static let runlevelFolders = ["/etc/rc.d/rc3.d", "/etc/rc3.d"]

    /// The state of a unit, such as `iptables.service`. What `systemctl is-enabled` says, without asking a manager.
    package func unit(_ name: String) throws(Failure) -> ServiceState {
        var isInstalled = false
        for folder in Self.unitFolders where try files.exists("\(folder)/\(name)") {
            isInstalled = try files.linkTarget("\(folder)/\(name)") != "/dev/null"
            break
        }
        var isLinked = false
        for folder in try files.list(Self.enabledFolder)
        where folder.hasSuffix(".wants") || folder.hasSuffix(".requires") {
            if try files.exists("\(Self.enabledFolder)/\(folder)/\(name)") {
                isLinked = true
                break
            }
        }
        return ServiceState(isInstalled: isInstalled, isLinked: isLinked)
    }

    /// Whether a unit file stands where packages put theirs, so that none of ours is needed in `/etc`.
    package func isUnitPackaged(_ name: String) throws(Failure) -> Bool {
        for folder in Self.unitFolders.dropFirst(2) where try files.exists("\(folder)/\(name)") { return true }
        return false
    }

    /// The state of a SysV service, such as `iptables`. What `chkconfig --list` says of runlevel 3.
    package func script(_ name: String) throws(Failure) -> ServiceState {
        var isInstalled = false
        for folder in Self.scriptFolders where try files.exists("\(folder)/\(name)") { isInstalled = true }
        var isLinked = false
        for folder in Self.runlevelFolders {
            let links = try files.list(folder)
            // S, two digits, the name.
            if links.contains(where: { $0.hasPrefix("S") && $0.dropFirst(3) == name }) { isLinked = true }
        }
        return ServiceState(isInstalled: isInstalled, isLinked: isLinked)
    }

    /// Whether systemd is this machine's first process. The corresponding C function is `sd_booted`.
    package var isBootedBySystemd: Bool {
        get throws(Failure) { isImage ? false : try files.exists("/run/systemd/system") }
    }

    /// The program that a manager's commands are run with: this machine's systemctl, also for an image; the image's own
    /// chkconfig, in that image.
    package func program(of manager: ServiceManager) throws(Failure) -> String? {
        switch manager {
        case .systemctl: return HelperProgram.find(among: ["/usr/bin/systemctl", "/bin/systemctl"])
        case .chkconfig:
            guard try files.exists(Self.chkconfig) else { return nil }
            return isImage ? HelperProgram.find(among: ["/usr/sbin/chroot", "/usr/bin/chroot"]) : Self.chkconfig
        }
    }

    private static let chkconfig = "/sbin/chkconfig"

    /// Does something to a service. On an image, nothing is started, stopped or told to read anew.
    package func perform(_ action: ServiceAction) throws(Failure) {
        if isImage, !action.isLasting { return }
        guard let program = try program(of: action.manager) else {
            throw .system("cannot \(action.command())", source: action.manager.rawValue, errno: ENOENT)
        }
        if isImage, action.manager == .systemctl { try requirePlainFolders(action) }
        try HelperProgram.run([program] + words(for: action))
    }

    /// systemctl follows symbolic links of an image out of it, so there may be none where it makes and removes links.
    private func requirePlainFolders(_ action: ServiceAction) throws(Failure) {
        let folders = try files.list(Self.enabledFolder).filter { $0.hasSuffix(".wants") || $0.hasSuffix(".requires") }
        let above = ["/etc", "/etc/systemd", Self.enabledFolder]
        for folder in above + folders.map({ "\(Self.enabledFolder)/\($0)" }) where try files.linkTarget(folder) != nil {
            throw Failure(
                .trouble, "cannot \(action.command()): systemctl would follow a symbolic link out of the image",
                source: files.shown(folder), advice: "put a folder in its place, or enable the service on the host")
        }
    }

    private func words(for action: ServiceAction) -> [String] {
        switch action.manager {
        case .systemctl: (isImage ? ["--root=\(root)"] : []) + action.arguments
        case .chkconfig: (isImage ? [root, Self.chkconfig] : []) + action.arguments
        }
    }
}
