import CExtendedAttributes
import Glibc
import Model

/// What a file system keeps beside a file's contents, such as the SELinux label and access control lists.
enum ExtendedAttributes {
    /// The longest list of names and the longest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`, `<linux/limits.h>`).
    private static let longest = 65536

    /// Gives a file the attributes of another. The corresponding C functions are `flistxattr`, `fgetxattr` and
    /// `fsetxattr`.
    ///
    /// Safe: each call is told how long the buffer is that `bytes` lends to it, or the value; it reads and writes no
    /// more. A name is an array that ends with a NUL.
    static func copy(from earlier: CInt, to file: CInt, path: String) throws(Failure) {
        guard let names = unsafe bytes({ unsafe flistxattr(earlier, $0.baseAddress, $0.count) }) else {
            // A file system that has none.
            if errno == ENOTSUP { return }
            throw Failure.system("cannot list the attributes of", source: path, errno: errno)
        }
        // Names are bytes: the kernel asks for no encoding.
        for bytesOfName in names.split(separator: 0) {
            let name = bytesOfName.map { CChar(truncatingIfNeeded: $0) } + [0]
            let shown = String(decoding: bytesOfName, as: UTF8.self)
            guard let value = unsafe bytes({ unsafe fgetxattr(earlier, name, $0.baseAddress, $0.count) }) else {
                throw Failure.system("cannot read attribute \(shown) of", source: path, errno: errno)
            }
            // A label may be the right one already, and setting it may need a privilege that keeping it does not.
            let present = unsafe bytes { unsafe fgetxattr(file, name, $0.baseAddress, $0.count) }
            if value == present { continue }
            guard unsafe fsetxattr(file, name, value, value.count, 0) == 0 else {
                throw Failure.system("cannot keep attribute \(shown) of", source: path, errno: errno)
            }
        }
    }

    /// What a function writes into a buffer; nil where it fails.
    ///
    /// Safe: the buffer is a local array, all of it zeroes before; `fill` has it for the call.
    private static func bytes(_ fill: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: longest)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe fill($0) }
        return count < 0 ? nil : Array(buffer.prefix(count))
    }
}
