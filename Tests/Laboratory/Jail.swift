import CNamespaces
import Glibc

/// A folder that the kernel itself takes for `/`, as a witness of where paths lead in it.
package enum Jail {
    /// Runs `body` on a thread whose root folder is the given one, and waits for it. Needs root.
    package static func run<Value>(in folder: String, _ body: @escaping () throws -> Value) throws -> Value {
        try onOwnThread {
            // A thread shares its root folder with the others.
            guard unshare(CLONE_FS) == 0 else { throw LaboratoryError.system("unshare") }
            guard unsafe chroot(folder) == 0, unsafe chdir("/") == 0 else {
                throw LaboratoryError.system("chroot \(folder)")
            }
            return try body()
        }
    }
}
