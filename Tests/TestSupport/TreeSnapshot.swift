import CExtendedAttributes
import FoundationEssentials
import Glibc

/// Everything that a folder holds: names, kinds, modes, owners, extended attributes, contents and where links lead.
package struct TreeSnapshot: Hashable, Sendable {
    /// A file, a folder or a symbolic link.
    package struct Entry: Hashable, Sendable {
        /// Its kind and its permission bits, as `st_mode` has them.
        package let mode: UInt32
        package let owner: UInt32
        package let group: UInt32
        /// What a file holds or where a link leads; nothing for others.
        package let contents: [UInt8]
        /// Extended attributes, such as the SELinux label: their values by their names, which end with a NUL.
        package let attributes: [[CChar]: [UInt8]]

        package var isFile: Bool { mode & S_IFMT == S_IFREG }

        /// As it is on disk.
        fileprivate init(path: String) throws {
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else { throw TreeError(function: "lstat", path: path) }
            (mode, owner, group) = (status.st_mode, status.st_uid, status.st_gid)
            switch status.st_mode & S_IFMT {
            case S_IFREG: contents = try Self.bytes(of: path)
            case S_IFLNK:
                contents = Array(try FileManager.default.destinationOfSymbolicLink(atPath: path).utf8)
            default: contents = []
            }
            attributes = try Self.attributes(of: path)
        }

        private static func attributes(of path: String) throws -> [[CChar]: [UInt8]] {
            var list = [CChar](repeating: 0, count: 65536)
            let length = unsafe llistxattr(path, &list, list.count)
            if length < 0, errno == ENOTSUP { return [:] }
            guard length >= 0 else { throw TreeError(function: "llistxattr", path: path) }
            let names = list.prefix(length).split(separator: 0).map { Array($0) + [0] }
            return try Dictionary(
                uniqueKeysWithValues: names.map { name in
                    var value = [UInt8](repeating: 0, count: 65536)
                    let count = unsafe lgetxattr(path, name, &value, value.count)
                    guard count >= 0 else { throw TreeError(function: "lgetxattr", path: path) }
                    return (name, Array(value.prefix(count)))
                })
        }

        /// Gives a file or a folder exactly these attributes.
        package func restoreAttributes(of path: String) throws {
            let present = try Self.attributes(of: path)
            for name in present.keys where attributes[name] == nil {
                guard unsafe removexattr(path, name) == 0 else { throw TreeError(function: "removexattr", path: path) }
            }
            for (name, value) in attributes where present[name] != value {
                guard unsafe setxattr(path, name, value, value.count, 0) == 0 else {
                    throw TreeError(function: "setxattr", path: path)
                }
            }
        }

        private static func bytes(of path: String) throws -> [UInt8] {
            let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw TreeError(function: "open", path: path) }
            defer { close(file) }
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 16384)
            while true {
                let count = unsafe read(file, &chunk, chunk.count)
                if count < 0 { throw TreeError(function: "read", path: path) }
                if count == 0 { return bytes }
                bytes += chunk.prefix(count)
            }
        }
    }

    /// By their paths, which begin with a slash.
    package private(set) var entries: [String: Entry] = [:]

    /// What the folder at a path holds now.
    package init(of root: String) throws { try take("", below: root) }

    private mutating func take(_ folder: String, below root: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: root + folder) {
            let path = "\(folder)/\(name)"
            let entry = try Entry(path: root + path)
            entries[path] = entry
            if entry.mode & S_IFMT == S_IFDIR { try take(path, below: root) }
        }
    }

    /// How another differs, a line for each path; empty where it does not.
    package func differences(to other: TreeSnapshot) -> [String] {
        Set(entries.keys).union(other.entries.keys).sorted().compactMap { path in
            switch (entries[path], other.entries[path]) {
            case (let mine?, let theirs?): mine == theirs ? nil : "\(path): \(mine) became \(theirs)"
            case (nil, let theirs?): "\(path): is there now, \(theirs)"
            case (let mine?, nil): "\(path): is gone, was \(mine)"
            case (nil, nil): nil
            }
        }
    }

    /// Makes a folder hold exactly this, whatever it held before. Owners are the caller's.
    package func restore(to root: String) throws {
        if FileManager.default.fileExists(atPath: root) { try FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        for (path, entry) in entries.sorted(by: { $0.key < $1.key }) {
            switch entry.mode & S_IFMT {
            case S_IFDIR:
                guard unsafe mkdir(root + path, 0o700) == 0 else { throw TreeError(function: "mkdir", path: path) }
            case S_IFLNK:
                let target = String(decoding: entry.contents, as: UTF8.self)
                try FileManager.default.createSymbolicLink(atPath: root + path, withDestinationPath: target)
                continue
            case S_IFREG: try Data(entry.contents).write(to: URL(filePath: root + path))
            default: throw TreeError(function: "restore", path: path)
            }
            guard unsafe chmod(root + path, entry.mode & 0o7777) == 0 else {
                throw TreeError(function: "chmod", path: path)
            }
            try entry.restoreAttributes(of: root + path)
        }
    }
}

extension TreeSnapshot.Entry: CustomStringConvertible {
    package var description: String {
        let names = attributes.keys.map {
            String(decoding: $0.dropLast().map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
        }
        return
            "\(String(mode, radix: 8)) \(owner):\(group) \(names.sorted()) '\(String(decoding: contents, as: UTF8.self))'"
    }
}

/// What could not be done with a tree.
package struct TreeError: Error, CustomStringConvertible {
    package let description: String

    init(function: String, path: String) {
        let number = errno
        description = "\(function) \(path): \(unsafe String(cString: strerror(number)))"
    }
}

extension FixtureRoot {
    /// What it holds now.
    package var snapshot: TreeSnapshot { get throws { try TreeSnapshot(of: path) } }

    /// Makes a symbolic link, and the folders above it.
    package func makeLink(_ file: String, to target: String) throws {
        try makeFolder(String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]))
        try FileManager.default.createSymbolicLink(atPath: path + file, withDestinationPath: target)
    }
}
