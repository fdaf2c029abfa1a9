import Glibc
import Model

/// Tells whether nf_tables is there without asking it, because asking loads the module.
enum KernelModule {
    /// True when the module is loaded, or built into the kernel, or the kernel has no modules at all (asking is
    /// harmless then).
    static var isPresent: Bool {
        exists("/sys/module/nf_tables") || !exists("/proc/modules") || isBuiltIn
    }

    /// Where the kernel does not say, asking nf_tables tells.
    private static func exists(_ path: String) -> Bool { SystemCall.access(path, F_OK) == 0 || errno != ENOENT }

    /// Whether `modules.builtin` of the running kernel names it (kernel documentation, `kbuild`).
    private static var isBuiltIn: Bool {
        var name = utsname()
        // Safe: uname(2) fills the structure that it is given.
        guard unsafe uname(&name) == 0 else { return false }
        let path = "/lib/modules/\(SystemCall.text(in: name.release))/modules.builtin"
        guard var lines = LineReader(path, longest: 512) else { return false }
        while let line = lines.next() {
            if line.split(separator: UInt8(ascii: "/")).last?.starts(with: "nf_tables.ko".utf8) ?? false { return true }
        }
        return lines.hasFailed
    }
}
