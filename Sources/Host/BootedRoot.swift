import Glibc
import Model

extension Host {
    /// Whether this process sees the root folder of a machine, or of a container that stands for one, that an init
    /// booted. It does not in a chroot, and where images of containers are built.
    ///
    /// The corresponding command is `systemd-detect-virt --chroot`.
    ///
    /// - Throws: `Failure` where it cannot be told: taken for booted, a chroot would change the kernel of its builder.
    package static var seesBootedRoot: Bool {
        get throws(Failure) {
            // The first process's name, by which systemd, upstart and sysvinit go.
            let name = try FileTree(root: "").read("/proc/1/comm")?.text.trimmedLine ?? ""
            guard ["systemd", "init"].contains(name) else { return false }
            if let first = identity(of: "/proc/1/root/"), let own = identity(of: "/") { return first == own }
            let reason = errno
            // sd_booted(3): made at boot, in a file system of its own that a chroot does not have.
            if name == "systemd", identity(of: "/run/systemd/system/") != nil { return true }
            throw .system(
                "cannot tell whether / is the running host's root folder or an image's", source: "/proc/1/root",
                errno: reason, advice: "leave --root out where it is the host's; run as root where it is an image's")
        }
    }

    /// What makes a folder itself and no other; nil where it cannot be looked at.
    private static func identity(of folder: String) -> [UInt64]? {
        guard let status = SystemCall.status(of: folder) else { return nil }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }
}
