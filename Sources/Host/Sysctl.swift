import Glibc
package import Model

extension Host {
    /// The path of a kernel parameter under `/proc/sys`. Its name has dots, as sysctl(8) has it.
    func sysctlFile(_ name: String) -> String { "/proc/sys/" + String(name.map { $0 == "." ? "/" : $0 }) }

    /// A kernel parameter's value.
    package func sysctl(_ name: String) throws(Failure) -> String {
        guard let contents = try files.read(sysctlFile(name)) else {
            throw .system("cannot read \(name)", source: path(sysctlFile(name)), errno: ENOENT)
        }
        return contents.text.trimmedLine
    }
}

/// A kernel parameter opened for writing, so that it is known to be writable before anything else changes.
package struct SysctlWriter: ~Copyable {
    private let name: String
    private let path: String
    private let file: CInt

    /// Opens the parameter. The corresponding C function is `open`.
    package init(_ name: String, on host: Host) throws(Failure) {
        self.name = name
        path = host.path(host.sysctlFile(name))
        file = SystemCall.open(path, O_WRONLY | O_CLOEXEC)
        if file < 0 { throw .system("cannot write \(name)", source: path, errno: errno) }
    }

    deinit { close(file) }

    /// Writes a value. The corresponding C function is `write`.
    package borrowing func write(_ value: String) throws(Failure) {
        try FileTree.write(Array((value + "\n").utf8), to: file, path: path)
    }
}
