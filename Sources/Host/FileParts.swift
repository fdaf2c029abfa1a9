import Glibc
package import Model

/// Files of which only a part is wanted.
extension FileTree {
    /// The first bytes of a file; nil when there is none.
    package func head(_ path: String, most: Int) throws(Failure) -> [UInt8]? {
        guard let file = try openPart(path) else { return nil }
        defer { close(file) }
        return try bytes(file, most: most, path)
    }

    /// The last bytes of a regular file, and whether there are others before them; nil when there is no regular file of
    /// that name.
    package func tail(_ path: String, most: Int) throws(Failure) -> (bytes: [UInt8], isCut: Bool)? {
        guard let file = try openPart(path) else { return nil }
        defer { close(file) }
        guard let status = SystemCall.status(of: file) else {
            throw .system("cannot read", source: shown(path), errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        let isCut = status.st_size > most
        if isCut, lseek(file, status.st_size - most, SEEK_SET) < 0 {
            throw .system("cannot read", source: shown(path), errno: errno)
        }
        return (try bytes(file, most: most, path), isCut)
    }

    /// When a file was last written to, and whether it is a regular one; nil when there is none.
    /// The corresponding C function is `fstatat`.
    package func modified(_ path: String) throws(Failure) -> (time: UnixTime, isRegular: Bool)? {
        guard let location = try locate(path) else { return nil }
        guard let status = SystemCall.status(of: location.name, in: location.folder, 0) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system("cannot look at", source: location.path, errno: errno)
        }
        return (
            UnixTime(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec),
            status.st_mode & S_IFMT == S_IFREG
        )
    }

    private func openPart(_ path: String) throws(Failure) -> CInt? {
        guard let location = try locate(path) else { return nil }
        return try Self.open(location.name, in: location.folder, location.path)
    }

    private func bytes(_ file: CInt, most: Int, _ path: String) throws(Failure) -> [UInt8] {
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while contents.count < most {
            let count = SystemCall.read(file, into: &chunk, most: most - contents.count)
            if count == 0 { break }
            if count > 0 {
                contents += chunk.prefix(count)
            } else if errno != EINTR {
                throw .system("cannot read", source: shown(path), errno: errno)
            }
        }
        return contents
    }
}
