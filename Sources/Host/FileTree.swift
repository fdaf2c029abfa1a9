import Glibc
package import Model

/// The files below a root folder. Symbolic links are followed as if that folder were `/`: none leads out of it.
package struct FileTree: Sendable {
    /// Put before every path in messages; empty for the machine itself.
    let root: String

    /// How many symbolic links a path may lead through, as in the kernel (`MAXSYMLINKS`, path_resolution(7)).
    private static let mostLinks = 40

    /// The longest target of a symbolic link that is followed (`PATH_MAX`, `<linux/limits.h>`).
    private static let longestTarget = 4096

    /// `O_PATH` (`asm-generic/fcntl.h`), which the C library hides from the Glibc module: a folder to look names up in,
    /// whether or not it may be listed.
    package static let pathOnly: CInt = 0o10000000

    /// A path as a person finds it.
    func shown(_ path: String) -> String { root + path }

    /// Finds the folder that a path's last component is in.
    ///
    /// - Parameter followsLast: whether a link at the end is followed too.
    /// - Returns: nil when a folder on the way does not exist.
    func locate(_ path: String, followsLast: Bool = true) throws(Failure) -> Location? {
        try root.isEmpty ? locateOnHost(path, followsLast) : locateInTree(path, followsLast)
    }

    /// On the machine itself the kernel follows links; only one at the end must be followed here, so that what it leads
    /// to is replaced and not the link.
    private func locateOnHost(_ path: String, _ followsLast: Bool) throws(Failure) -> Location? {
        var path = path
        for _ in 0...Self.mostLinks {
            let parts = Self.components(path)
            guard let name = parts.first, name != ".." else { return try locateInTree(path, followsLast) }
            let parent = "/" + parts.dropFirst().reversed().joined(separator: "/")
            let folder = SystemCall.open(parent, Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
            if folder < 0 {
                if errno == ENOENT || errno == ENOTDIR { return nil }
                throw .system("cannot open a folder of", source: path, errno: errno)
            }
            let location = Location(folder: folder, name: name, path: path)
            guard followsLast, let target = try Self.target(of: name, in: folder, path) else { return location }
            path = target.hasPrefix("/") ? target : "\(parent)/\(target)"
        }
        throw .system("cannot follow", source: path, errno: ELOOP)
    }

    private func locateInTree(_ path: String, _ followsLast: Bool) throws(Failure) -> Location? {
        let top = SystemCall.open(root.isEmpty ? "/" : root, Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
        if top < 0 { throw .system("cannot open the root folder", source: root.isEmpty ? "/" : root, errno: errno) }
        var folders = [top]
        defer { folders.forEach { close($0) } }
        var rest = Self.components(path)
        var links = 0
        while let name = rest.popLast() {
            if name == ".." {
                if folders.count > 1 { close(folders.removeLast()) }
                continue
            }
            let folder = folders[folders.count - 1]
            if !rest.isEmpty || followsLast, let target = try Self.target(of: name, in: folder, shown(path)) {
                links += 1
                if links > Self.mostLinks { throw .system("cannot follow", source: shown(path), errno: ELOOP) }
                if target.hasPrefix("/") {
                    folders.dropFirst().forEach { close($0) }
                    folders = [top]
                }
                rest += Self.components(target)
                continue
            }
            if rest.isEmpty { return Location(folder: folders.removeLast(), name: name, path: shown(path)) }
            let next = SystemCall.open(name, in: folder, Self.pathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if next < 0 {
                if errno == ENOENT || errno == ENOTDIR { return nil }
                throw .system("cannot open a folder of", source: shown(path), errno: errno)
            }
            folders.append(next)
        }
        // The root folder itself, or a link to it.
        return Location(folder: folders.removeLast(), name: ".", path: shown(path))
    }

    /// A path's parts, the first one last.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.reversed().map(String.init)
    }

    /// Where a symbolic link leads; nil where there is none. The corresponding C function is `readlinkat`.
    private static func target(of name: String, in folder: CInt, _ path: String) throws(Failure) -> String? {
        guard let bytes = SystemCall.linkTarget(of: name, in: folder, most: longestTarget) else {
            if errno == EINVAL || errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system("cannot follow", source: path, errno: errno)
        }
        // Repaired, it would be another name, and another file would be written.
        guard let target = String(validating: bytes, as: UTF8.self) else {
            throw .system(
                "cannot follow", source: path, errno: EILSEQ, advice: "the name that it is a link to is no UTF-8")
        }
        return target
    }
}

/// A name in an open folder.
struct Location: ~Copyable {
    let folder: CInt
    let name: String
    /// As a person finds it.
    let path: String

    deinit { close(folder) }
}

extension FileTree {
    /// The largest file that is read where nothing else is said, in bytes: none that this program has to do with comes near
    /// it.
    package static let largestFile = 1 << 20

    /// The largest file that is read of those that others may have added to while they were changed, in bytes. There has to be
    /// some limit: what stands at the temporary name in an image may be anything.
    static let largestDisplaced = 128 << 20

    /// A file; nil when there is none. The corresponding C functions are `openat`, `fstat` and `read`.
    ///
    /// - Parameter limit: the largest that is read, in bytes.
    package func read(_ path: String, limit: Int = largestFile) throws(Failure) -> FileContents? {
        guard let location = try locate(path) else { return nil }
        return try Self.read(location.name, in: location.folder, location.path, limit: limit)
    }

    /// A file in an open folder; nil when there is none.
    ///
    /// - Parameters:
    ///   - path: what it is called in messages.
    ///   - flags: how it is opened besides.
    ///   - wait: called with the open file before it is read.
    static func read(
        _ name: String, in folder: CInt, _ path: String, limit: Int, _ flags: CInt = 0,
        after wait: (CInt) -> Void = { _ in }
    ) throws(Failure) -> FileContents? {
        guard let file = try open(name, in: folder, path, flags) else { return nil }
        defer { close(file) }
        wait(file)
        guard let status = SystemCall.status(of: file) else {
            throw .system("cannot read", source: path, errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.trouble, "cannot read: it is no regular file", source: path)
        }
        return FileContents(bytes: try Self.bytes(of: file, path, limit), mode: status.st_mode & 0o7777)
    }

    /// Opens a file in an open folder to read it; nil when there is none. The corresponding C functions are `fstatat` and
    /// `openat`.
    ///
    /// - Parameters:
    ///   - path: what it is called in messages.
    ///   - flags: how it is opened besides.
    static func open(_ name: String, in folder: CInt, _ path: String, _ flags: CInt = 0) throws(Failure) -> CInt? {
        // An image may have a device of any name, and to open one is enough to start a watchdog or to wind a tape back.
        if let status = SystemCall.status(of: name, in: folder, 0),
            [S_IFCHR, S_IFBLK].contains(status.st_mode & S_IFMT)
        {
            throw Failure(.trouble, "cannot read: it is no regular file", source: path)
        }
        // Not to hang on a pipe that somebody put there.
        let file = SystemCall.open(name, in: folder, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags)
        if file >= 0 { return file }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw .system("cannot read", source: path, errno: errno, advice: errno == EACCES ? "run as root" : nil)
    }

    /// A file; nil when there is none, or something else of that name, such as `/dev/null`.
    package func readIfRegular(_ path: String) throws(Failure) -> FileContents? {
        guard let location = try locate(path), let status = try Self.status(location, flags: 0),
            status.st_mode & S_IFMT == S_IFREG
        else { return nil }
        return try read(path)
    }

    /// What a path's links lead to in the end: the name of that file; nil where there is none.
    package func finalName(_ path: String) throws(Failure) -> String? {
        guard let location = try locate(path), try Self.status(location) != nil else { return nil }
        return location.name
    }

    private static func bytes(of file: CInt, _ path: String, _ limit: Int) throws(Failure) -> [UInt8] {
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = SystemCall.read(file, into: &chunk)
            if count == 0 { return contents }
            if count > 0 {
                contents += chunk.prefix(count)
                if contents.count > limit {
                    throw .system(
                        "cannot read", source: path, errno: EFBIG, advice: "more than \(limit >> 20) MiB are not read")
                }
            } else if errno != EINTR {
                throw .system("cannot read", source: path, errno: errno)
            }
        }
    }

    /// Whether a path names anything, be it a symbolic link that leads nowhere.
    package func exists(_ path: String) throws(Failure) -> Bool {
        guard let location = try locate(path, followsLast: false) else { return false }
        return try Self.status(location) != nil
    }

    /// What the file system says of a name; nil where there is nothing of that name. Whatever else keeps it from saying so
    /// is a failure: what is not seen is taken for something that this program may make, and later remove.
    /// The corresponding C function is `fstatat`.
    static func status(
        _ location: borrowing Location, flags: CInt = AT_SYMLINK_NOFOLLOW
    ) throws(Failure) -> stat? {
        if let status = SystemCall.status(of: location.name, in: location.folder, flags) { return status }
        // ELOOP: links that lead in a circle, with which nothing can be opened.
        if errno == ENOENT || errno == ENOTDIR || errno == ELOOP { return nil }
        throw .system(
            "cannot look at", source: location.path, errno: errno, advice: errno == EACCES ? "run as root" : nil)
    }

    /// Where the symbolic link at a path leads, unresolved; nil where there is no link.
    package func linkTarget(_ path: String) throws(Failure) -> String? {
        guard let location = try locate(path, followsLast: false) else { return nil }
        return try Self.target(of: location.name, in: location.folder, location.path)
    }

    /// The names in a folder, sorted by their bytes; none where there is no such folder.
    package func list(_ path: String) throws(Failure) -> [String] {
        guard let location = try locate(path) else { return [] }
        let file = SystemCall.open(location.name, in: location.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw .system("cannot list", source: location.path, errno: errno)
        }
        guard var reader = FolderReader(file) else {
            throw .system("cannot list", source: location.path, errno: errno)
        }
        var names: [String] = []
        while let name = reader.next() {
            if name != "." && name != ".." { names.append(name) }
        }
        // ENOENT: the folder was removed meanwhile, or, under /proc, its process has ended.
        if errno != 0, errno != ENOENT { throw .system("cannot list", source: location.path, errno: errno) }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }
}
