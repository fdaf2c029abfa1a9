import Glibc
package import Model

extension FileTree {
    /// What the name of a file that is being written ends with. Long enough to be nobody else's.
    static let temporarySuffix = ".ecs-netsetup-new"

    /// Makes a file, or replaces it: a temporary one in the same folder, synced, then renamed over it. Readers see the
    /// old or the new file, whole, whoever is killed when and also after a crash of the machine. One that is replaced
    /// keeps its owner, its mode and its extended attributes, among them the SELinux label.
    ///
    /// The corresponding C functions are `openat`, `write`, `fsync` and `renameat`.
    ///
    /// - Parameters:
    ///   - isSynced: false where the file need not outlive a crash of the machine.
    ///   - followsLast: false where a symbolic link at the end is refused, as somebody else may have planted it.
    package func write(
        _ contents: FileContents, to path: String, isSynced: Bool = true, followsLast: Bool = true
    ) throws(Failure) {
        guard let location = try place(path, followsLast: followsLast) else {
            let link = try linkTarget(path).map { ", a link to \($0)" } ?? ""
            throw .system("cannot create", source: shown(path) + link, errno: ENOENT)
        }
        let temporary = location.temporary
        // What an interrupted run left behind; O_EXCL below refuses what somebody else planted since.
        _ = SystemCall.unlink(temporary, in: location.folder)
        do throws(Failure) {
            _ = try Self.write(contents, to: temporary, beside: location, isSynced: isSynced)
            guard SystemCall.rename(temporary, to: location.name, in: location.folder) == 0 else {
                throw .system("cannot replace", source: "rename \(location.path)", errno: errno)
            }
        } catch {
            _ = SystemCall.unlink(temporary, in: location.folder)
            throw error
        }
        if isSynced { try Self.sync(folderOf: location) }
    }

    /// Where a file is to be written; nil where a folder on the way does not exist.
    ///
    /// - Throws: `Failure`, also where the file is masked.
    func place(_ path: String, followsLast: Bool = true) throws(Failure) -> Location? {
        // How a unit or a file of sysctl.d is masked. In an image, nothing need stand at /dev/null.
        if try linkTarget(path) == "/dev/null" {
            throw Failure(.trouble, "cannot write: it is a link to /dev/null", source: shown(path))
        }
        return try locate(path, followsLast: followsLast)
    }

    /// Writes a file under another name, with the owner, mode and attributes of the one that is there.
    ///
    /// - Returns: what the file system says of that one; nil where there is none.
    static func write(
        _ contents: FileContents, to name: String, beside old: borrowing Location, isSynced: Bool
    ) throws(Failure) -> stat? {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = SystemCall.open(name, in: old.folder, flags, mode: 0o600)
        if file < 0 {
            // A folder, or what somebody else put there since: the file itself is not in the way.
            let isTaken = errno == EEXIST
            throw .system(
                "cannot create", source: old.path + (isTaken ? temporarySuffix : ""), errno: errno,
                advice: isTaken ? "remove what is there" : nil)
        }
        defer { close(file) }
        try write(contents.bytes, to: file, path: old.path)
        var status: stat?
        let earlier = SystemCall.open(old.name, in: old.folder, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        if earlier >= 0 {
            defer { close(earlier) }
            status = try keepOwner(of: earlier, on: file, old.path)
            try ExtendedAttributes.copy(from: earlier, to: file, path: old.path)
        } else if errno == ELOOP {
            throw .system("cannot replace a link", source: old.path, errno: errno, advice: "remove it")
        } else if errno != ENOENT {
            throw .system("cannot read", source: old.path, errno: errno)
        }
        guard fchmod(file, status.map { $0.st_mode & 0o7777 } ?? contents.mode) == 0 else {
            throw .system("cannot set the mode of", source: old.path, errno: errno)
        }
        if isSynced { try sync(file, old.path) }
        return status
    }

    /// Gives a file the owner and group of another, which has to be a file too. The corresponding C function is `fchown`.
    ///
    /// - Returns: what the file system says of the other.
    private static func keepOwner(of earlier: CInt, on file: CInt, _ path: String) throws(Failure) -> stat {
        guard let old = SystemCall.status(of: earlier), let new = SystemCall.status(of: file) else {
            throw .system("cannot read", source: path, errno: errno)
        }
        guard old.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.trouble, "cannot replace: it is no regular file", source: path)
        }
        if old.st_uid != new.st_uid || old.st_gid != new.st_gid {
            guard fchown(file, old.st_uid, old.st_gid) == 0 else {
                throw .system("cannot keep the owner of", source: path, errno: errno)
            }
        }
        return old
    }

    /// Writes all bytes to an open file. The corresponding C function is `write`.
    static func write(_ bytes: [UInt8], to file: CInt, path: String) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = SystemCall.write(rest, to: file)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .system("cannot write", source: path, errno: errno)
            }
        }
    }

    /// Makes what was written to a file last. The corresponding C function is `fsync`.
    static func sync(_ file: CInt, _ path: String) throws(Failure) {
        // EINVAL and ENOTSUP: a file system that has nothing to sync.
        guard fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw .system("cannot sync", source: path, errno: errno)
        }
    }

    /// Makes what was done to a folder's names last. The corresponding C function is `fsync`.
    static func sync(folderOf location: borrowing Location) throws(Failure) {
        let folder = SystemCall.open(".", in: location.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder < 0 { throw .system("cannot sync the folder of", source: location.path, errno: errno) }
        defer { close(folder) }
        try sync(folder, location.path)
    }

    /// Removes a file, at the end of all links, and what an interrupted write left beside it; none there is no failure.
    /// The corresponding C function is `unlinkat`.
    ///
    /// - Parameter followsLast: false where a symbolic link at the end is removed itself, as somebody else may have planted
    ///   it.
    package func remove(_ path: String, isSynced: Bool = true, followsLast: Bool = true) throws(Failure) {
        guard let location = try locate(path, followsLast: followsLast) else { return }
        _ = SystemCall.unlink(location.name + Self.temporarySuffix, in: location.folder)
        if SystemCall.unlink(location.name, in: location.folder) != 0 {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw .system("cannot remove", source: location.path, errno: errno)
        }
        if isSynced { try Self.sync(folderOf: location) }
    }

    /// Removes a symbolic link; none there, or a file in its place, is no failure. The corresponding C function is
    /// `unlinkat`.
    package func removeLink(_ path: String) throws(Failure) {
        guard try linkTarget(path) != nil, let location = try locate(path, followsLast: false) else { return }
        guard SystemCall.unlink(location.name, in: location.folder) == 0 || errno == ENOENT else {
            throw .system("cannot remove", source: location.path, errno: errno)
        }
    }

    /// Makes a folder, if it is not there; its parent must be. The corresponding C function is `mkdirat`.
    package func makeFolder(_ path: String, mode: UInt32) throws(Failure) {
        guard let location = try locate(path) else {
            throw .system("cannot make the folder", source: shown(path), errno: ENOENT)
        }
        if SystemCall.makeFolder(location.name, in: location.folder, mode: mode) == 0 {
            // Whatever the umask is.
            _ = SystemCall.setMode(of: location.name, in: location.folder, mode)
        } else if errno != EEXIST {
            throw .system("cannot make the folder", source: location.path, errno: errno)
        }
    }

    /// Removes a folder if nothing is in it; one that is not there or not empty is no failure, nor is a link, which stays
    /// with the folder that it leads to. The corresponding C function is `unlinkat`.
    package func removeEmptyFolder(_ path: String) throws(Failure) {
        // Asked for first: a file system that is read-only refuses whatever there is.
        guard let location = try locate(path, followsLast: false), try exists(path), try list(path).isEmpty else {
            return
        }
        if SystemCall.unlink(location.name, in: location.folder, AT_REMOVEDIR) == 0 { return }
        // Gone or filled meanwhile, a file, or a place where something is mounted.
        if [ENOENT, ENOTEMPTY, EEXIST, ENOTDIR, EBUSY, EINVAL].contains(errno) { return }
        throw .system("cannot remove the folder", source: location.path, errno: errno)
    }
}
