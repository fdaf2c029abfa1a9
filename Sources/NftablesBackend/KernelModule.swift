import Glibc

/// Tells whether nf_tables is there without asking it, because asking loads the module.
enum KernelModule {
    /// True when the module is loaded, or built into the kernel, or the kernel has no modules at all (asking is
    /// harmless then).
    static var isPresent: Bool {
        exists("/sys/module/nf_tables") || !exists("/proc/modules") || isBuiltIn
    }

    /// Where the kernel does not say, asking nf_tables tells.
    private static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 || errno != ENOENT }

    /// Whether `modules.builtin` of the running kernel names it (kernel documentation, `kbuild`).
    private static var isBuiltIn: Bool {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return false }
        let release = unsafe withUnsafeBytes(of: name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard let file = unsafe fopen("/lib/modules/\(release)/modules.builtin", "re") else { return false }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while unsafe fgets(&line, CInt(line.count), file) != nil {
            if unsafe strstr(line, "/nf_tables.ko") != nil { return true }
        }
        return unsafe ferror(file) != 0
    }
}
