import Glibc
import Model

/// Whole files, read and written.
enum FileSystem {
    /// What the name of a file that is being written ends with.
    static let temporarySuffix = ".new"

    /// A file's text; nil when there is no such file. The corresponding C functions are `open` and `read`.
    static func read(_ path: String) throws(Failure) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system("cannot read", source: path, errno: errno)
        }
        defer { close(file) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Glibc.read(file, &chunk, chunk.count)
            if count == 0 { return String(decoding: contents, as: UTF8.self) }
            if count > 0 {
                contents += chunk.prefix(count)
            } else if errno != EINTR {
                throw .system("cannot read", source: path, errno: errno)
            }
        }
    }

    /// Replaces a file: a temporary one in the same folder, renamed over it. Readers see the old or the new one, whoever
    /// is killed when; a crash of the whole machine is not covered. The corresponding C functions are `open`, `write`
    /// and `rename`.
    static func replace(_ path: String, with text: String, mode: mode_t) throws(Failure) {
        let temporary = path + temporarySuffix
        // What an interrupted run left behind; O_EXCL below refuses what somebody else planted since.
        _ = unsafe unlink(temporary)
        do throws(Failure) {
            try write(text, to: temporary, mode: mode)
            guard unsafe rename(temporary, path) == 0 else {
                throw .system("cannot replace", source: "rename \(path)", errno: errno)
            }
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
    }

    private static func write(_ text: String, to path: String, mode: mode_t) throws(Failure) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        if file < 0 { throw .system("cannot create", source: path, errno: errno) }
        defer { close(file) }
        try write(Array(text.utf8), to: file, path: path)
    }

    /// Writes all bytes to an open file. The corresponding C function is `write`.
    static func write(_ bytes: [UInt8], to file: CInt, path: String) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .system("cannot write", source: path, errno: errno)
            }
        }
    }

    /// Removes a file; none there is no failure. The corresponding C function is `unlink`.
    static func remove(_ path: String) throws(Failure) {
        guard unsafe unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR else {
            throw .system("cannot remove", source: path, errno: errno)
        }
    }

    /// Makes a folder if it is not there. The corresponding C function is `mkdir`.
    static func makeFolder(_ path: String, mode: mode_t) throws(Failure) {
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else {
            throw .system("cannot make the folder", source: path, errno: errno)
        }
    }

    /// Removes a folder if nothing is in it. The corresponding C function is `rmdir`.
    static func removeEmptyFolder(_ path: String) { _ = unsafe rmdir(path) }
}
