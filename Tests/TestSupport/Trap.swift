import FoundationEssentials
import Glibc

/// What somebody may have put where a program is about to write.
package enum Trap: String, CaseIterable, Sendable {
    // In the file's place.
    case linkOut = "a link to somebody else's file"
    case danglingLink = "a link to nothing"
    case circle = "a link to itself"
    case nullLink = "a link to /dev/null"
    case folder = "an empty folder"
    case fullFolder = "a folder with a file"
    case pipe = "a named pipe"
    case socket = "a socket"
    case device = "a device"
    case hardLink = "a hard link to somebody else's file"
    case immutable = "an immutable file"
    case empty = "an empty file"
    case binary = "random bytes"
    case huge = "a file of 2 MiB"
    // Under the name that the file has while it is being written.
    case newLinkOut = "a link to somebody else's file under the temporary name"
    case newHardLink = "a hard link to somebody else's file under the temporary name"
    case newFolder = "an empty folder under the temporary name"
    case newFullFolder = "a folder with a file under the temporary name"
    case newPipe = "a named pipe under the temporary name"
    case newDevice = "a device under the temporary name"
    // In the folder's place, or the folder itself.
    case openFolder = "a folder that everybody may write to"
    case folderIsFile = "a file in place of the folder"
    case folderIsLinkOut = "a link out in place of the folder"
    case folderIsImmutable = "an immutable folder"

    /// As `FileTree.temporarySuffix`.
    private static let temporarySuffix = ".ecs-netsetup-new"

    /// Whether the file system under a folder knows immutable files: what `chattr` says.
    package static func knowsImmutable(_ folder: String) -> Bool {
        let path = folder + "/immutable-\(UUID().uuidString)"
        defer {
            _ = attributes(path, "-i")
            unsafe unlink(path)
        }
        return make(path, S_IFREG) && attributes(path, "+i")
    }

    private enum Place { case file, temporary, folder }

    private var place: Place {
        switch self {
        case .newLinkOut, .newHardLink, .newFolder, .newFullFolder, .newPipe, .newDevice: .temporary
        case .openFolder, .folderIsFile, .folderIsLinkOut, .folderIsImmutable: .folder
        default: .file
        }
    }

    /// Where it is put for a file.
    package func path(for file: String) -> String {
        switch place {
        case .file: file
        case .temporary: file + Self.temporarySuffix
        case .folder: String(file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex))
        }
    }

    /// Puts it there, in place of what there is.
    ///
    /// - Parameter outside: a folder that holds a file `shadow`.
    package func set(for file: String, outside: String) throws {
        let path = path(for: file)
        if ![.immutable, .openFolder, .folderIsImmutable].contains(self) {
            try? FileManager.default.removeItem(atPath: path)
        }
        guard put(path, outside) else { throw TreeError(function: "trap: \(rawValue)", path: path) }
    }

    private func put(_ path: String, _ outside: String) -> Bool {
        switch self {
        case .linkOut, .newLinkOut: unsafe symlink(outside + "/shadow", path) == 0
        case .folderIsLinkOut: unsafe symlink(outside, path) == 0
        case .danglingLink: unsafe symlink("/nowhere/file", path) == 0
        case .circle: unsafe symlink(path, path) == 0
        case .nullLink: unsafe symlink("/dev/null", path) == 0
        case .folder, .newFolder: unsafe mkdir(path, 0o755) == 0
        case .fullFolder, .newFullFolder: unsafe mkdir(path, 0o755) == 0 && Self.make(path + "/file", S_IFREG)
        case .pipe, .newPipe: Self.make(path, S_IFIFO)
        case .socket: Self.make(path, S_IFSOCK)
        case .device, .newDevice: Self.make(path, S_IFCHR)
        case .hardLink, .newHardLink: unsafe link(outside + "/shadow", path) == 0
        case .immutable: (unsafe access(path, F_OK) == 0 || Self.make(path, S_IFREG)) && Self.attributes(path, "+i")
        case .folderIsImmutable: Self.attributes(path, "+i")
        case .empty, .folderIsFile: Self.make(path, S_IFREG)
        case .binary: Self.write([UInt8]((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 167 ^ $0 >> 3) }), path)
        case .huge: Self.write([UInt8](repeating: UInt8(ascii: "a"), count: 2 << 20), path)
        case .openFolder: unsafe chmod(path, 0o777) == 0
        }
    }

    /// Takes it away. What it replaced does not come back, but for a folder.
    package func clear(for file: String) throws {
        let path = path(for: file)
        switch self {
        case .openFolder: _ = unsafe chmod(path, 0o755)
        case .folderIsImmutable: _ = Self.attributes(path, "-i")
        default:
            if self == .immutable { _ = Self.attributes(path, "-i") }
            try? FileManager.default.removeItem(atPath: path)
            if place == .folder {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
        }
    }

    private static func make(_ path: String, _ kind: mode_t) -> Bool {
        // The device is /dev/null's: 1, 3.
        unsafe mknod(path, kind | 0o644, kind == S_IFCHR ? 0x103 : 0) == 0
    }

    private static func write(_ bytes: [UInt8], _ path: String) -> Bool {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        return unsafe Glibc.write(file, bytes, bytes.count) == bytes.count
    }

    /// Runs chattr(1).
    private static func attributes(_ path: String, _ change: String) -> Bool {
        let words = ["chattr", "-f", change, path]
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var child: pid_t = 0
        var status: CInt = 0
        guard unsafe posix_spawnp(&child, words[0], nil, nil, &arguments, environ) == 0 else { return false }
        return unsafe waitpid(child, &status, 0) == child && status == 0
    }
}
