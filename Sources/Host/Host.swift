import Glibc
import Model

/// This machine, or an image of one, under a root folder.
package struct Host: Sendable {
    /// Its files.
    package let files: FileTree
    /// Whether it is an image: files only, no kernel behind it.
    package let isImage: Bool

    /// This machine.
    package init() {
        files = FileTree(root: "")
        isImage = false
    }

    /// An image, or a test's fixture tree.
    ///
    /// - Parameters:
    ///   - root: the folder that stands for `/`.
    ///   - isImage: false where the tree stands for a running machine, with files under `/proc`.
    package init(root: String, isImage: Bool) {
        let trimmed = root.reversed().drop { $0 == "/" }.reversed()
        files = FileTree(root: String(trimmed))
        self.isImage = isImage
    }

    /// The folder that stands for `/`, as the programs that enable services take it; empty for the machine itself.
    package var root: String { isImage && files.root.isEmpty ? "/" : files.root }

    func path(_ path: String) -> String { files.shown(path) }

    /// Whether the kernel has IPv6, be it disabled on every interface or not.
    package var hasIPv6: Bool {
        // Whatever else keeps the kernel from saying so, its IPv6 is not to be left open.
        SystemCall.access(path("/proc/sys/net/ipv6"), F_OK) == 0 || errno != ENOENT
    }

    /// The path of the running program. The corresponding file is `/proc/self/exe`.
    package static var ownProgram: String {
        get throws(Failure) {
            guard let target = try FileTree(root: "").linkTarget("/proc/self/exe") else {
                throw .system("cannot tell the program's own path", source: "/proc/self/exe", errno: ENOENT)
            }
            return target
        }
    }

    /// Identifies the time since the kernel started; empty where the kernel does not tell.
    /// The corresponding file is `/proc/sys/kernel/random/boot_id`.
    var bootIdentifier: String {
        get throws(Failure) { try files.read("/proc/sys/kernel/random/boot_id")?.text.trimmedLine ?? "" }
    }
}

extension String {
    /// Without the line break at its end, as files under `/proc` have it.
    var trimmedLine: String { hasSuffix("\n") ? String(dropLast()) : self }
}
