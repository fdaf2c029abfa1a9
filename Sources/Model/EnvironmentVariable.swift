package import Glibc

/// A variable of this process's environment.
///
/// Safe: `getenv` returns a pointer into the environment, which lasts until somebody changes it (getenv(3)). Nobody
/// does: nothing in this program calls `setenv`, `putenv` or `unsetenv`, nor do the libraries that it is linked with.
package enum EnvironmentVariable {
    /// Its text; nil where it is not set.
    package static func text(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Opens the file that a variable names by the bytes that it has, which need not be UTF-8.
    ///
    /// - Returns: as `open`; nil where the variable is not set.
    package static func open(_ name: String, _ flags: CInt, mode: mode_t) -> CInt? {
        guard let path = unsafe getenv(name) else { return nil }
        return unsafe Glibc.open(path, flags, mode)
    }
}
