import Glibc
import Laboratory
import Model
import TestSupport
import Testing

@testable import Host

@Suite("Files below a root folder")
struct FileTreeTests {
    private let root: FixtureRoot
    /// A folder beside the root, with a file that nobody may reach.
    private let outside: FixtureRoot
    private var files: FileTree { root.host.files }

    init() throws {
        root = try FixtureRoot()
        outside = try FixtureRoot()
        try root.write("inside\n", to: "/etc/file")
        try outside.write("outside\n", to: "/file")
        try outside.write("outside\n", to: "/etc/file")
    }

    /// A link, and a path that leads through it to `/etc/file`.
    struct Way: Sendable, CustomTestStringConvertible {
        let link: String
        let target: String
        let path: String
        var testDescription: String { "\(path), where \(link) -> \(target)" }
    }

    private static let ways = [
        Way(link: "/etc/link", target: "file", path: "/etc/link"),
        Way(link: "/etc/link", target: "./file", path: "/etc/link"),
        Way(link: "/etc/link", target: "/etc/file", path: "/etc/link"),
        Way(link: "/etc/link", target: "//etc//./file", path: "/etc/link"),
        Way(link: "/etc/link", target: "../etc/file", path: "/etc/link"),
        Way(link: "/etc/link", target: "../../../../../../etc/file", path: "/etc/link"),
        Way(link: "/etc/link", target: "/../../etc/file", path: "/etc/link"),
        Way(link: "/link", target: "etc", path: "/link/file"),
        Way(link: "/link", target: "/etc/", path: "/link/file"),
        Way(link: "/link", target: "/", path: "/link/etc/file"),
        Way(link: "/link", target: "..", path: "/link/link/etc/file"),
        Way(link: "/var/a/link", target: "../../../../etc", path: "/var/a/link/file"),
        // The `..` after a link is that of the folder the link leads to.
        Way(link: "/var/a/link", target: "/etc", path: "/var/a/link/../etc/file"),
    ]

    @Test("a link leads where it would if the root were /, for reading and for writing", arguments: ways)
    func link(_ way: Way) throws {
        try root.makeLink(way.link, to: way.target)
        #expect(try files.read(way.path)?.text == "inside\n")
        #expect(try files.readIfRegular(way.path)?.text == "inside\n")
        #expect(try files.finalName(way.path) == "file")
        try files.write(FileContents(text: "new\n", mode: 0o600), to: way.path)
        #expect(root.read("/etc/file") == "new\n")
        #expect(try files.linkTarget(way.link) == way.target, "the link itself stays")
        #expect(root.list("/etc").filter { $0 != "link" } == ["file"])
    }

    @Test("paths themselves do not lead out either", arguments: ["/../etc/file", "/../../../etc/../../etc/file"])
    func dots(_ path: String) throws { #expect(try files.read(path)?.text == "inside\n") }

    @Test("a link to a place outside is one to the same place inside, where nothing is")
    func outsideTarget() throws {
        let before = try outside.snapshot
        try root.makeLink("/etc/absolute", to: outside.path + "/file")
        try root.makeLink("/etc/relative", to: String(repeating: "../", count: 40) + outside.path + "/file")
        try root.makeLink("/folder", to: outside.path)
        for path in ["/etc/absolute", "/etc/relative", "/folder/file", "/folder/etc/file"] {
            #expect(try files.read(path) == nil)
            #expect(try files.readIfRegular(path) == nil)
            #expect(try files.finalName(path) == nil)
            let failure = try #require(throws: Failure.self) {
                try files.write(FileContents(text: "new\n", mode: 0o600), to: path)
            }
            #expect(failure.errno == ENOENT)
            #expect(failure.source?.hasPrefix(root.path + path) == true)
            try files.remove(path)
            try files.removeEmptyFolder(path)
        }
        #expect(try files.list("/folder") == [])
        #expect(throws: Failure.self) { try files.makeFolder("/folder/new", mode: 0o755) }
        #expect(try outside.snapshot == before)
    }

    @Test("a chain of 40 links is followed, one more is ELOOP, as in the kernel")
    func chain() throws {
        try root.makeLink("/link1", to: "etc/file")
        for number in 2...41 { try root.makeLink("/link\(number)", to: "link\(number - 1)") }
        #expect(try files.read("/link40")?.text == "inside\n")
        let failure = try #require(throws: Failure.self) { try files.read("/link41") }
        #expect(failure.errno == ELOOP)
        #expect(failure.source == root.path + "/link41")
        #expect(try files.exists("/link41"), "the link itself is there")
    }

    @Test("a loop is a failure with ELOOP", arguments: ["self", "/self", "../self", "other", "self/x"])
    func loop(_ target: String) throws {
        try root.makeLink("/self", to: target)
        try root.makeLink("/other", to: "self")
        for path in ["/self", "/self/file"] {
            for use: (String) throws -> Void in [
                { _ = try files.read($0) }, { _ = try files.list($0) }, { _ = try files.finalName($0) },
                { try files.write(FileContents(text: "", mode: 0o600), to: $0) },
            ] {
                let failure = try #require(throws: Failure.self) { try use(path) }
                #expect(failure.errno == ELOOP)
                #expect(failure.source == root.path + path)
            }
        }
        #expect(try files.exists("/self"))
    }

    @Test("a link that leads nowhere: none to read, and what it names is made", arguments: ["/etc/new", "new"])
    func dangling(_ target: String) throws {
        try root.makeLink("/etc/link", to: target)
        #expect(try files.read("/etc/link") == nil)
        #expect(try files.finalName("/etc/link") == nil)
        #expect(try files.exists("/etc/link"))
        #expect(try files.linkTarget("/etc/link") == target)
        #expect(try files.linkTarget("/etc/file") == nil)
        #expect(try files.linkTarget("/etc/missing") == nil)
        try files.write(FileContents(text: "new\n", mode: 0o600), to: "/etc/link")
        #expect(root.read("/etc/new") == "new\n")
        #expect(try files.linkTarget("/etc/link") == target)
    }

    @Test("missing folders: nothing to read, a failure that names the file when something is to be made")
    func missingFolder() throws {
        for path in ["/no/such/file", "/etc/file/below"] {
            #expect(try files.read(path) == nil)
            #expect(try files.readIfRegular(path) == nil)
            #expect(try files.finalName(path) == nil)
            #expect(try files.linkTarget(path) == nil)
            #expect(try !files.exists(path))
            #expect(try files.list(path) == [])
            try files.remove(path)
            try files.removeEmptyFolder(path)
            for make: () throws -> Void in [
                { try files.write(FileContents(text: "", mode: 0o600), to: path) },
                { try files.makeFolder(path, mode: 0o755) },
            ] {
                let failure = try #require(throws: Failure.self) { try make() }
                #expect(failure.source == root.path + path)
                #expect(failure.errno == ENOENT)
            }
        }
        let nowhere = Host(root: root.path + "/no/such", isImage: true)
        let failure = try #require(throws: Failure.self) { try nowhere.files.read("/etc/file") }
        #expect(failure.subject == "cannot open the root folder")
        #expect(failure.source == root.path + "/no/such")
    }

    @Test("a folder in place of a file is a failure, and stays")
    func folder() throws {
        try root.write("x", to: "/etc/folder/x")
        let read = try #require(throws: Failure.self) { try files.read("/etc/folder") }
        #expect(read.description.contains("\(root.path)/etc/folder"))
        #expect(try files.readIfRegular("/etc/folder") == nil)
        let written = try #require(throws: Failure.self) {
            try files.write(FileContents(text: "new", mode: 0o600), to: "/etc/folder")
        }
        #expect(written.source == root.path + "/etc/folder")
        let removed = try #require(throws: Failure.self) { try files.remove("/etc/folder") }
        #expect(removed.errno == EISDIR)
        try files.removeEmptyFolder("/etc/folder")
        #expect(root.list("/etc") == ["file", "folder"])
        #expect(root.read("/etc/folder/x") == "x")
    }

    @Test("the folder that a link leads to is somebody's, also an empty one")
    func linkedFolder() throws {
        try root.makeFolder("/data/theirs")
        try root.makeLink("/ours", to: "/data/theirs")
        try files.removeEmptyFolder("/ours")
        #expect(root.list("/data") == ["theirs"])
        #expect(root.list("/").contains("ours"))
        // Those above it lead where they may.
        try root.makeLink("/var", to: "data")
        try files.removeEmptyFolder("/var/theirs")
        #expect(root.list("/data") == [])
    }

    @Test("the root folder itself is no file", arguments: ["/", "", "/..", "/etc/.."])
    func rootItself(_ path: String) throws {
        #expect(throws: Failure.self) { try files.read(path) }
        #expect(throws: Failure.self) { try files.write(FileContents(text: "", mode: 0o600), to: path) }
        #expect(try files.list(path) == ["etc"])
        #expect(try files.exists(path))
        #expect(root.list("") == ["etc"])
    }

    @Test("a pipe in place of a file is a failure and does not hang")
    func pipe() throws {
        try #require(unsafe mkfifo(root.path + "/etc/pipe", 0o600) == 0)
        let failure = try #require(throws: Failure.self) { try files.read("/etc/pipe") }
        #expect(failure.description.contains("no regular file"))
        #expect(try files.readIfRegular("/etc/pipe") == nil)
    }

    @Test("a device in place of a file is a failure", .enabled(if: getuid() == 0, "making devices needs root"))
    func device() throws {
        // /dev/zero, which would never end: 1, 5 (`admin-guide/devices.txt`).
        try #require(unsafe mknod(root.path + "/etc/device", S_IFCHR | 0o600, 1 << 8 | 5) == 0)
        #expect(throws: Failure.self) { try files.read("/etc/device") }
        #expect(try files.readIfRegular("/etc/device") == nil)
    }

    @Test("a device is not even opened", .enabled(if: getuid() == 0, "making devices needs root"))
    func deviceUntouched() throws {
        // No driver has 0, 0: to open it is an error of its own, ENXIO.
        try #require(unsafe mknod(root.path + "/etc/device", S_IFCHR | 0o600, 0) == 0)
        let failures = try [
            #require(throws: Failure.self) { try files.read("/etc/device") },
            #require(throws: Failure.self) { try files.head("/etc/device", most: 1) },
            #require(throws: Failure.self) { try files.tail("/etc/device", most: 1) },
        ]
        #expect(failures.map(\.errno) == [0, 0, 0])
    }

    @Test("the names in a folder are sorted by their bytes, hidden ones too, without . and ..")
    func list() throws {
        for name in ["b", "a10", "a2", "B", ".hidden", "ä", "-", "a", "10", "9"] {
            try root.write("", to: "/folder/\(name)")
        }
        try root.makeLink("/folder/link", to: "nowhere")
        try root.makeLink("/to-folder", to: "/folder")
        let sorted = ["-", ".hidden", "10", "9", "B", "a", "a10", "a2", "b", "link", "ä"]
        #expect(try files.list("/folder") == sorted)
        #expect(try files.list("/to-folder") == sorted)
        #expect(try files.list("/etc/file") == [])
        #expect(try files.list("/missing") == [])
    }

    @Test("what the file system does not answer is a failure, not an absence")
    func unanswered() throws {
        // ENAMETOOLONG, the one error of looking at a name that root can bring about.
        let path = "/etc/" + String(repeating: "x", count: 256)
        #expect(throws: Failure.self) { try files.exists(path) }
        #expect(throws: Failure.self) { try files.finalName(path) }
        #expect(throws: Failure.self) { try files.readIfRegular(path) }
        #expect(try !files.exists("/etc/missing") && !files.exists("/etc/file/missing"))
    }

    @Test("the final name is that of the file at the end of all links")
    func finalName() throws {
        try root.write("", to: "/usr/sbin/xtables-nft-multi")
        try root.makeLink("/sbin", to: "usr/sbin")
        try root.makeLink("/usr/sbin/iptables-nft", to: "xtables-nft-multi")
        try root.makeLink("/usr/sbin/iptables", to: "/etc/alternatives/iptables")
        try root.makeLink("/etc/alternatives/iptables", to: "/usr/sbin/iptables-nft")
        #expect(try files.finalName("/sbin/iptables") == "xtables-nft-multi")
        #expect(try files.finalName("/sbin/xtables-nft-multi") == "xtables-nft-multi")
        #expect(try files.finalName("/sbin/missing") == nil)
    }

    @Test("removing through links takes the file away, as writing made it, and leaves the links")
    func removeThroughLink() throws {
        try root.makeLink("/etc/link", to: "/link")
        try root.makeLink("/link", to: "etc/file")
        try files.remove("/etc/link")
        #expect(root.list("/etc") == ["link"])
        #expect(try files.linkTarget("/link") == "etc/file")
        try files.remove("/etc/link")
        #expect(root.list("/etc") == ["link"])
    }
}

extension FileTreeTests {
    /// What the kernel says of a path, or this program.
    private enum Answer: Hashable {
        case text(String)
        case none
        case loop
        case refused
    }

    private func kernelReads(_ path: String) -> Answer {
        let file = unsafe open(path, O_RDONLY | O_NONBLOCK)
        if file < 0 { return errno == ELOOP ? .loop : errno == ENOENT || errno == ENOTDIR ? .none : .refused }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe Glibc.read(file, &bytes, bytes.count)
        return count < 0 ? .refused : .text(String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    private func weRead(_ path: String, of root: FixtureRoot) -> Answer {
        do throws(Failure) {
            return try root.host.files.read(path).map { .text($0.text) } ?? .none
        } catch {
            return error.errno == ELOOP ? .loop : .refused
        }
    }

    /// A path of up to five parts, some of them `..`.
    private static func path(_ random: inout SplitMix64) -> String {
        let parts = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            ["a", "b", "c", "d", "..", ".", "a"].randomElement(using: &random) ?? "a"
        }
        return (parts + [["a", "b", "c", "d", ".."].randomElement(using: &random) ?? "a"]).joined(separator: "/")
    }

    @Test(
        "agree with the kernel about random trees of links, whose witness is a chroot",
        .enabled(if: getuid() == 0, "chroot needs root"))
    func agreement() throws {
        var random = SplitMix64(state: 0x00ec_5000)
        var counts: [Answer: Int] = [:]
        for number in 0..<150 {
            let tree = try FixtureRoot()
            for folder in ["", "/a", "/a/b", "/b"] where Bool.random(using: &random) || folder.isEmpty {
                for name in ["a", "b", "c", "d"] where !tree.exists("\(folder)/\(name)") {
                    let place = "\(folder)/\(name)"
                    switch Int.random(in: 0..<6, using: &random) {
                    case 0: try? tree.write(place, to: place)
                    case 1: try? tree.makeFolder(place)
                    case 2, 3: try? tree.makeLink(place, to: Self.path(&random))
                    case 4: try? tree.makeLink(place, to: "/" + Self.path(&random))
                    default: break
                    }
                }
            }
            for _ in 0..<40 {
                let path = "/" + Self.path(&random)
                let expected = try Jail.run(in: tree.path) { kernelReads(path) }
                let shown = expected == .none || expected == .loop || expected == .refused ? expected : .text("")
                counts[shown, default: 0] += 1
                #expect(weRead(path, of: tree) == expected, "\(path) of \(number)")
                // What is written is what the kernel then reads at that path.
                guard (try? tree.host.files.write(FileContents(text: "new", mode: 0o600), to: path)) != nil else {
                    continue
                }
                #expect(try Jail.run(in: tree.path) { kernelReads(path) } == .text("new"), "\(path)")
            }
        }
        #expect(counts.count == 4, "every kind of answer was met: \(counts)")
    }

    @Test("a file that is larger than any should be is refused")
    func large() throws {
        try root.write(String(repeating: "#", count: FileTree.largestFile), to: "/etc/large")
        #expect(try files.read("/etc/large")?.bytes.count == FileTree.largestFile)
        try root.write(String(repeating: "#", count: FileTree.largestFile + 1), to: "/etc/large")
        let failure = try #require(throws: Failure.self) { try files.read("/etc/large") }
        #expect(failure.errno == EFBIG && failure.advice == "more than 1 MiB are not read")
        #expect(try files.read("/etc/large", limit: 2 << 20)?.bytes.count == FileTree.largestFile + 1)
    }
}
