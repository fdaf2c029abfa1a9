import Glibc
import Model

extension Host {
    /// Whether this process sees the root folder of a machine, or of a container that stands for one, that an init
    /// booted. It does not in a chroot, and where images of containers are built.
    ///
    /// The corresponding command is `systemd-detect-virt --chroot`; it cannot be told of a process that may not look at
    /// the first one, which then counts as booted.
    package static var seesBootedRoot: Bool {
        get throws(Failure) {
            guard let first = identity(of: "/proc/1/root/"), let own = identity(of: "/") else { return true }
            // The first process's name, by which systemd, upstart and sysvinit go.
            let name = try FileTree(root: "").read("/proc/1/comm")?.text.trimmedLine ?? ""
            return first == own && ["systemd", "init"].contains(name)
        }
    }

    /// What makes a folder itself and no other; nil where it cannot be looked at.
    private static func identity(of folder: String) -> [UInt64]? {
        var status = stat()
        guard unsafe stat(folder, &status) == 0 else { return nil }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }
}
