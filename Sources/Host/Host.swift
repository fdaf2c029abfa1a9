import Glibc
import Model

/// This machine, under a root folder.
package struct Host: Sendable {
    /// Put before every path; empty for the machine itself.
    private let root: String

    /// - Parameter root: the folder that stands for `/`; a test's fixture tree, or nothing.
    package init(root: String = "") { self.root = root }

    func path(_ path: String) -> String { root + path }

    /// Whether the kernel has IPv6, be it disabled on every interface or not.
    package var hasIPv6: Bool { unsafe access(path("/proc/sys/net/ipv6"), F_OK) == 0 }

    /// Identifies the time since the kernel started; empty where the kernel does not tell.
    /// The corresponding file is `/proc/sys/kernel/random/boot_id`.
    var bootIdentifier: String {
        get throws(Failure) {
            try FileSystem.read(path("/proc/sys/kernel/random/boot_id"))?.trimmedLine ?? ""
        }
    }
}

extension String {
    /// Without the line break at its end, as files under `/proc` have it.
    var trimmedLine: String { hasSuffix("\n") ? String(dropLast()) : self }
}
