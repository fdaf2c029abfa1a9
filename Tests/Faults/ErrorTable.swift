import CTracing
import Glibc
import Laboratory

/// Which system calls can fail, and how, as their manual pages have it.
enum ErrorTable {
    /// A call: its name, and the error numbers that it is made to fail with.
    struct Row {
        let name: String
        let errors: [CInt]
    }

    /// Errors of everything that looks up a name.
    private static let lookup = [ENOENT, EIO, ENOMEM, EPERM, EACCES]
    /// Errors of everything that makes a descriptor.
    private static let descriptor = [EMFILE, ENFILE]
    /// Errors of everything that changes a file system.
    private static let change = [EROFS, ENOSPC, EIO, EPERM, EACCES]
    /// Errors of everything that is asked of a socket.
    private static let exchange = [EINTR, EAGAIN, ENOBUFS, ENOMEM, EPERM, ECONNREFUSED]

    /// By the kernel's numbers. Those of no row cannot fail, or nobody looks at their failure.
    static let rows: [CInt: Row] = Dictionary(
        uniqueKeysWithValues: [
            (__NR_openat, "openat", lookup + descriptor),
            (__NR_read, "read", [EINTR, EIO]),
            (__NR_pread64, "pread64", [EIO]),
            (__NR_getdents64, "getdents64", [ENOENT, EIO, ENOMEM]),
            (__NR_newfstatat, "newfstatat", lookup),
            (__NR_readlinkat, "readlinkat", lookup),
            (__NR_faccessat, "faccessat", lookup),
            (__NR_write, "write", [EINTR, ENOSPC, EIO, EPERM]),
            (__NR_unlinkat, "unlinkat", change + [EBUSY, ENOENT]),
            (__NR_mkdirat, "mkdirat", change),
            (__NR_renameat, "renameat", change + [EBUSY, ENOENT]),
            (__NR_renameat2, "renameat2", change + [EBUSY, ENOENT, EINVAL]),
            (__NR_symlinkat, "symlinkat", change),
            (__NR_fcntl, "fcntl", [EINVAL, EAGAIN]),
            (__NR_fsync, "fsync", [EIO, ENOSPC]),
            (__NR_fchmod, "fchmod", [EPERM, EROFS, EIO]),
            (__NR_fchmodat, "fchmodat", [EPERM, EROFS, EIO]),
            (__NR_fchown, "fchown", [EPERM, EROFS, EIO]),
            (__NR_flistxattr, "flistxattr", [EPERM, EIO, ENOMEM]),
            (__NR_fgetxattr, "fgetxattr", [EPERM, EIO, ENOMEM]),
            (__NR_fsetxattr, "fsetxattr", change),
            (__NR_flock, "flock", [EINTR, EAGAIN, ENOMEM]),
            (__NR_close, "close", [EIO]),
            (__NR_socket, "socket", [ENOBUFS, ENOMEM, EPERM, EACCES] + descriptor),
            (__NR_bind, "bind", [ENOMEM, EPERM, EADDRINUSE]),
            (__NR_connect, "connect", [EINTR, EAGAIN, EPERM, ECONNREFUSED]),
            (__NR_getsockname, "getsockname", [ENOBUFS]),
            (__NR_sendto, "sendto", exchange),
            (__NR_sendmsg, "sendmsg", exchange),
            (__NR_recvmsg, "recvmsg", exchange),
            (__NR_recvfrom, "recvfrom", exchange),
            (__NR_getsockopt, "getsockopt", [EAGAIN, ENOMEM, EPERM]),
            (__NR_setsockopt, "setsockopt", [EAGAIN, ENOMEM, EPERM, EBUSY, EINVAL]),
            (__NR_poll, "poll", [EINTR, ENOMEM]),
            (__NR_wait4, "wait4", [EINTR]),
            (__NR_clone3, "clone3", [EAGAIN, ENOMEM]),
            (__NR_pipe2, "pipe2", [ENOMEM] + descriptor),
            (__NR_mmap, "mmap", [ENOMEM]),
            (__NR_brk, "brk", [ENOMEM]),
            (__NR_mprotect, "mprotect", [ENOMEM]),
        ].map { (CInt($0), Row(name: $1, errors: $2)) } + unixRows)

    #if arch(x86_64)
        /// Calls that newer architectures do not have.
        private static let unixRows: [(CInt, Row)] = [
            (CInt(__NR_access), Row(name: "access", errors: lookup)),
            (CInt(__NR_open), Row(name: "open", errors: lookup + descriptor)),
        ]
    #else
        private static let unixRows: [(CInt, Row)] = []
    #endif

    /// What a call is made to fail with. What opens a file to write fails as what changes a file system does, too. A folder
    /// that is busy is one on which somebody has mounted something, and stays on purpose.
    static func errors(of call: SystemCall) -> [CInt] {
        let usual = rows[call.number]?.errors ?? []
        switch call.number {
        case CInt(__NR_openat) where call.arguments[2] & UInt64(O_ACCMODE | O_CREAT) != 0:
            return usual + [EROFS, ENOSPC, EBUSY]
        case CInt(__NR_unlinkat) where call.arguments[2] & UInt64(AT_REMOVEDIR) != 0:
            return usual.filter { $0 != EBUSY }
        // Of the others only that of libiptc is looked at, which sets close-on-exec: of an open file that cannot fail.
        case CInt(__NR_fcntl) where call.arguments[1] != setLease: return []
        default: return usual
        }
    }

    /// `F_SETLEASE` (`<linux/fcntl.h>`).
    private static let setLease: UInt64 = 1024

    /// Whether a call looks up a name. Where it says wrongly that there is nothing of that name, nothing tells that from a
    /// right answer.
    static func isLookup(_ call: CInt) -> Bool { rows[call].map { lookupNames.contains($0.name) } ?? false }

    private static let lookupNames = [
        "openat", "open", "newfstatat", "readlinkat", "access", "faccessat", "getdents64", "unlinkat",
    ]

    /// Calls in which memory is asked for: there is no way to go on without, and none to tell.
    static let memory = [__NR_mmap, __NR_brk, __NR_mprotect].map { CInt($0) }

    /// Calls by which rules are read and written.
    static let ruleCalls = [__NR_sendto, __NR_sendmsg, __NR_recvmsg, __NR_getsockopt, __NR_setsockopt].map { CInt($0) }

    static func name(_ call: CInt) -> String { rows[call]?.name ?? "call \(call)" }

    static func name(error: CInt) -> String {
        unsafe strerrorname_np(error).map { unsafe String(cString: $0) } ?? "error \(error)"
    }
}
