import FoundationEssentials
import Glibc
package import Host

/// A temporary folder that stands for `/`, removed with everything in it when it goes out of scope.
package final class FixtureRoot: Sendable {
    package let path: String

    /// - Parameter folder: where it is made; the machine's folder for temporary files if nil.
    package init(in folder: String? = nil) throws {
        let parent = folder ?? FileManager.default.temporaryDirectory.path
        path = parent + "/ecs-netsetup-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package var host: Host { Host(root: path, isImage: false) }

    /// Writes a file, and makes the folders above it.
    package func write(_ text: String, to file: String) throws {
        try makeFolder(String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]))
        // Foundation's own would leave the file open in a program that another thread starts meanwhile, and the kernel starts
        // no script that somebody may still write to.
        let descriptor = unsafe open(path + file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Unwritten(file: path + file, errno: errno) }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Unwritten(file: path + file, errno: errno) }
            rest = rest.dropFirst(count)
        }
    }

    private struct Unwritten: Error {
        let file: String
        let errno: CInt
    }

    package func makeFolder(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: path + folder, withIntermediateDirectories: true)
    }

    /// A file's text; nil when there is none.
    package func read(_ file: String) -> String? { try? String(contentsOfFile: path + file, encoding: .utf8) }

    package func exists(_ file: String) -> Bool { FileManager.default.fileExists(atPath: path + file) }

    /// The names in a folder.
    package func list(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path + folder))?.sorted() ?? []
    }
}

extension FixtureRoot {
    /// Replaces a file by a symbolic link.
    package func link(_ file: String, to target: String) throws {
        try FileManager.default.removeItem(atPath: path + file)
        try FileManager.default.createSymbolicLink(atPath: path + file, withDestinationPath: target)
    }
}
