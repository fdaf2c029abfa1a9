import Glibc

/// The names in an open folder, which is closed when this goes out of scope. The corresponding C functions are
/// `fdopendir`, `readdir` and `closedir`.
///
/// Safe: the stream is `fdopendir`'s and not null. Nobody else has it, as it is private in a value that cannot be
/// copied; it is closed once, in `deinit`. What `readdir` returns lasts until the next call, and is copied before.
@safe struct FolderReader: ~Copyable {
    private let stream: OpaquePointer

    /// Takes over the descriptor, and closes it where it is no folder's: nil then, and `errno` tells why.
    init?(_ folder: CInt) {
        guard let opened = unsafe fdopendir(folder) else {
            let number = errno
            close(folder)
            errno = number
            return nil
        }
        unsafe stream = opened
    }

    deinit { unsafe closedir(stream) }

    /// The next name; nil at the end, where `errno` is 0, and where reading failed.
    mutating func next() -> String? {
        // At the end it returns nothing, as where it fails, and only errno tells.
        errno = 0
        guard let entry = unsafe readdir(stream) else { return nil }
        return unsafe Self.name(of: entry)
    }

    /// An entry's name. Not by the field `d_name`, which is 256 bytes long for the compiler, while the entry ends
    /// behind the name: copying the field reads what lies behind the entry, for the last one what lies behind the
    /// stream's memory.
    ///
    /// Safe: the name begins where the field does, and ends with a NUL (readdir(3)).
    static func name(of entry: UnsafePointer<dirent>) -> String {
        let start = MemoryLayout<dirent>.offset(of: \.d_name) ?? MemoryLayout<dirent>.size
        let name = unsafe UnsafeRawPointer(entry).advanced(by: start)
        return unsafe String(cString: name.assumingMemoryBound(to: CChar.self))
    }
}
