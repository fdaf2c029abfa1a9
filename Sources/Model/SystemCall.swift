package import Glibc

/// System calls whose pointers the compiler cannot follow. Each returns what the C function of its name returns, and
/// leaves the reason of a failure in `errno`. They take and return values: no pointer goes in or out.
package enum SystemCall {}

/// Names.
///
/// Safe: a path is a C string that Swift makes for the call, and the kernel copies it. `struct stat` is a local of this
/// build's own layout, which is the C library's. `readlinkat` writes no NUL, and no more than it is told.
extension SystemCall {
    /// Opens a path; `mode` counts where `flags` has `O_CREAT`.
    package static func open(_ path: String, _ flags: CInt, mode: mode_t = 0) -> CInt {
        unsafe Glibc.open(path, flags, mode)
    }

    /// Opens a name in a folder; `mode` counts where `flags` has `O_CREAT`. The corresponding C function is `openat`.
    package static func open(_ name: String, in folder: CInt, _ flags: CInt, mode: mode_t = 0) -> CInt {
        unsafe openat(folder, name, flags, mode)
    }

    /// Whether a path is there (`F_OK`), or may be executed (`X_OK`).
    package static func access(_ path: String, _ mode: CInt) -> CInt { unsafe Glibc.access(path, mode) }

    /// What the file system says of a path; nil where it does not. The corresponding C function is `stat`.
    package static func status(of path: String) -> stat? {
        var status = Glibc.stat()
        return unsafe stat(path, &status) == 0 ? status : nil
    }

    /// What the file system says of an open file; nil where it does not. The corresponding C function is `fstat`.
    package static func status(of file: CInt) -> stat? {
        var status = Glibc.stat()
        return unsafe fstat(file, &status) == 0 ? status : nil
    }

    /// What the file system says of a name in a folder; nil where it does not. The corresponding C function is
    /// `fstatat`.
    package static func status(of name: String, in folder: CInt, _ flags: CInt) -> stat? {
        var status = Glibc.stat()
        return unsafe fstatat(folder, name, &status, flags) == 0 ? status : nil
    }

    /// Where a symbolic link in a folder leads, cut off at so many bytes; nil where it cannot be told. The
    /// corresponding C function is `readlinkat`.
    package static func linkTarget(of name: String, in folder: CInt, most: Int) -> [UInt8]? {
        var target = [CChar](repeating: 0, count: most)
        let count = unsafe readlinkat(folder, name, &target, target.count)
        return count < 0 ? nil : target.prefix(count).map { UInt8(bitPattern: $0) }
    }

    /// Removes a name from a folder. The corresponding C function is `unlinkat`.
    package static func unlink(_ name: String, in folder: CInt, _ flags: CInt = 0) -> CInt {
        unsafe unlinkat(folder, name, flags)
    }

    /// Makes a symbolic link in a folder. The corresponding C function is `symlinkat`.
    package static func makeLink(_ name: String, to target: String, in folder: CInt) -> CInt {
        unsafe symlinkat(target, folder, name)
    }

    /// Gives a name in a folder to what has another there. The corresponding C function is `renameat`.
    package static func rename(_ name: String, to other: String, in folder: CInt) -> CInt {
        unsafe renameat(folder, name, folder, other)
    }

    /// Makes a folder in a folder. The corresponding C function is `mkdirat`.
    package static func makeFolder(_ name: String, in folder: CInt, mode: mode_t) -> CInt {
        unsafe mkdirat(folder, name, mode)
    }

    /// Sets the mode of a name in a folder. The corresponding C function is `fchmodat`.
    package static func setMode(of name: String, in folder: CInt, _ mode: mode_t) -> CInt {
        unsafe fchmodat(folder, name, mode, 0)
    }

    /// A path without links; nil where it cannot be told. The corresponding C function is `realpath`.
    package static func realPath(_ path: String) -> String? { unsafe taken(realpath(path, nil)) }

    /// The working folder; nil where it cannot be told. The corresponding C function is `getcwd`.
    package static func workingFolder() -> String? { unsafe taken(getcwd(nil, 0)) }

    /// A text for which the C library has asked for memory, as it does where it is given none.
    ///
    /// Safe: such memory is the caller's, who is to free it (realpath(3), getcwd(3)); both callers keep no other
    /// pointer to it.
    private static func taken(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text = unsafe text else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }
}

/// Descriptors.
///
/// Safe: an array that is written to is this call's alone, being `inout` or a local, and one that is read lasts for it.
/// The kernel is told its length, and that of a socket's option from the type that it is made of.
extension SystemCall {
    /// Reads into the beginning of an array as much as it holds, and no more than `most`.
    package static func read(_ file: CInt, into bytes: inout [UInt8], most: Int = .max) -> Int {
        unsafe Glibc.read(file, &bytes, min(bytes.count, most))
    }

    /// Writes the beginning of some bytes, as much as the file takes.
    package static func write(_ bytes: ArraySlice<UInt8>, to file: CInt) -> Int {
        unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    }

    /// Receives into the beginning of an array as much as it holds. The corresponding C function is `recv`.
    package static func receive(from socket: CInt, into bytes: inout [UInt8]) -> Int {
        unsafe recv(socket, &bytes, bytes.count, 0)
    }

    /// Sends bytes; `flags` are `MSG_*`.
    package static func send(_ bytes: [UInt8], to socket: CInt, _ flags: CInt = 0) -> Int {
        unsafe Glibc.send(socket, bytes, bytes.count, flags)
    }

    /// The error that a socket keeps; nil where it cannot be asked. The corresponding C function is `getsockopt` with
    /// `SO_ERROR`.
    package static func pendingError(of socket: CInt) -> CInt? {
        var number: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : nil
    }

    /// Sets a socket's option (`SO_*`): a number, or a structure such as `struct linger`.
    package static func set<Value: BitwiseCopyable>(_ option: CInt, of socket: CInt, to value: Value) -> CInt {
        var value = value
        return unsafe setsockopt(socket, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Value>.size))
    }

    /// Reads a socket's option into an array that says by its contents what is asked for, and by its length how much
    /// may be answered. The corresponding C function is `getsockopt`.
    package static func get(_ option: CInt, at level: CInt, of socket: CInt, into bytes: inout [UInt8]) -> CInt {
        var size = socklen_t(bytes.count)
        return unsafe getsockopt(socket, level, option, &bytes, &size)
    }

    /// Waits until something can be done with one of these descriptors.
    ///
    /// - Returns: with how many.
    package static func poll(_ descriptors: [pollfd], milliseconds: CInt) -> CInt {
        var descriptors = descriptors
        return unsafe Glibc.poll(&descriptors, nfds_t(descriptors.count), milliseconds)
    }
}

/// Clocks, and fields of structures.
///
/// Safe: `struct timespec` is a local that the kernel fills or reads; a field's bytes are read within the copy of it
/// that was passed, up to its end.
extension SystemCall {
    /// What a clock says (`CLOCK_*`). The corresponding C function is `clock_gettime`.
    package static func time(of clock: clockid_t) -> timespec {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return time
    }

    /// Sleeps. The corresponding C function is `nanosleep`.
    package static func sleep(_ time: timespec) {
        var time = time
        _ = unsafe nanosleep(&time, nil)
    }

    /// The text in a field of a C structure, such as `struct utsname` has them: up to the NUL, or to the field's end.
    package static func text<Field: BitwiseCopyable>(in field: Field) -> String {
        unsafe withUnsafeBytes(of: field) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
