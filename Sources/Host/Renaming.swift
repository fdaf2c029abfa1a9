import CRenaming
import Glibc
import Model

/// Renamings that lose no file. Each returns what `renameat2` returns, and leaves the reason of a failure in `errno`.
///
/// Safe: names are C strings that Swift makes for the call, and the kernel copies them.
enum Renaming {
    /// Lets two names in a folder change places (`RENAME_EXCHANGE`). The corresponding C function is `renameat2`.
    static func exchange(_ name: String, _ other: String, in folder: CInt) -> CInt {
        unsafe renameat2(folder, name, folder, other, CUnsignedInt(RENAME_EXCHANGE))
    }

    /// Gives what has a name another one that nothing has (`RENAME_NOREPLACE`; without it, asked for before). The
    /// corresponding C functions are `renameat2` and `renameat`.
    static func toFreeName(_ name: String, _ other: String, in folder: CInt) -> CInt {
        let result = unsafe renameat2(folder, name, folder, other, CUnsignedInt(RENAME_NOREPLACE))
        if result == 0 || !isUnsupported(errno) { return result }
        if SystemCall.status(of: other, in: folder, AT_SYMLINK_NOFOLLOW) != nil {
            errno = EEXIST
            return -1
        }
        return SystemCall.rename(name, to: other, in: folder)
    }

    /// Whether an error says that the kernel or the file system has no such renaming (rename(2)).
    static func isUnsupported(_ error: CInt) -> Bool { [EINVAL, ENOSYS, ENOTSUP].contains(error) }
}
