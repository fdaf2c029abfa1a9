import CExtendedAttributes
import Glibc
import Model
import TestSupport
import Testing

@testable import Host

@Suite("Writing files")
struct FileWritingTests {
    private static let path = "/etc/file"
    private static let isRoot = getuid() == 0
    private let root: FixtureRoot
    private var files: FileTree { root.host.files }

    init() throws {
        root = try FixtureRoot()
        try root.makeFolder("/etc")
    }

    private func status(_ path: String) throws -> stat {
        var status = stat()
        try #require(unsafe lstat(root.path + path, &status) == 0)
        return status
    }

    private func mode(_ path: String) throws -> UInt32 { try status(path).st_mode & 0o7777 }

    @Test("a new file gets its mode, whatever the umask", arguments: [0o600, 0o644, 0o666, 0o400, 0o755])
    func newMode(_ mode: UInt32) throws {
        try files.write(FileContents(text: "new\n", mode: mode), to: Self.path)
        #expect(try self.mode(Self.path) == mode)
        #expect(root.read(Self.path) == "new\n")
        #expect(try files.read(Self.path) == FileContents(text: "new\n", mode: mode))
        #expect(root.list("/etc") == ["file"])
    }

    @Test("a file that is replaced keeps its mode", arguments: [0o600, 0o644, 0o640, 0o666, 0o444, 0o4755, 0o1600])
    func oldMode(_ mode: UInt32) throws {
        try root.write("old\n", to: Self.path)
        try #require(unsafe chmod(root.path + Self.path, mode) == 0)
        try files.write(FileContents(text: "new\n", mode: 0o611), to: Self.path)
        #expect(try self.mode(Self.path) == mode)
        #expect(root.read(Self.path) == "new\n")
        #expect(root.list("/etc") == ["file"])
    }

    @Test(
        "a file that is replaced keeps its owner and group", .enabled(if: isRoot, "giving files away needs root"),
        arguments: [(1234, 0), (0, 4321), (1234, 4321)])
    func owner(_ user: uid_t, _ group: gid_t) throws {
        try root.write("old\n", to: Self.path)
        try #require(unsafe chown(root.path + Self.path, user, group) == 0)
        // After chown, which takes the bit away.
        try #require(unsafe chmod(root.path + Self.path, 0o4640) == 0)
        try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        let status = try status(Self.path)
        #expect(status.st_uid == user && status.st_gid == group)
        #expect(try mode(Self.path) == 0o4640)
        #expect(root.read(Self.path) == "new\n")
    }

    /// An attribute of each of the kinds that root can set, the SELinux label among them.
    private static let attributes = [
        "user.note", "user.empty", "trusted.note", "security.note", "security.selinux",
    ]

    @Test("a file that is replaced keeps its extended attributes", arguments: attributes)
    func keepsAttribute(_ name: String) throws {
        let value = name == "user.empty" ? [] : Array("system_u:object_r:etc_t:s0\0".utf8)
        try root.write("old\n", to: Self.path)
        guard unsafe setxattr(root.path + Self.path, name, value, value.count, 0) == 0 else {
            // No such attributes on this file system, or no privilege for them: cannot be tested here.
            print("cannot be tested here: \(name): \(Failure.text(ofErrno: errno))")
            return try #require([ENOTSUP, EPERM, EINVAL].contains(errno))
        }
        let other: [UInt8] = [1, 0, 2]
        try #require(unsafe setxattr(root.path + Self.path, "user.other", other, other.count, 0) == 0)
        try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        #expect(attribute(name) == value)
        #expect(attribute("user.other") == other)
        #expect(root.read(Self.path) == "new\n")
    }

    @Test("a name that is no UTF-8 is an attribute's name like any other")
    func keepsAttributeWithOddName() throws {
        try root.write("old\n", to: Self.path)
        let name = "user.".utf8CString.dropLast() + [0xff, 0xfe, 0].map { CChar(truncatingIfNeeded: $0) }
        guard unsafe setxattr(root.path + Self.path, name, [7], 1, 0) == 0 else {
            print("cannot be tested here: \(Failure.text(ofErrno: errno))")
            return try #require(errno == ENOTSUP)
        }
        let before = try root.snapshot
        try files.write(FileContents(text: "old\n", mode: 0o600), to: Self.path)
        #expect(before.differences(to: try root.snapshot) == [])
        #expect(before.entries[Self.path]?.attributes[Array(name)] == [7])
    }

    private func attribute(_ name: String) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 256)
        let count = unsafe getxattr(root.path + Self.path, name, &value, value.count)
        return count < 0 ? nil : Array(value.prefix(count))
    }

    @Test("a new file has no attribute that was not asked for")
    func noAttribute() throws {
        try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        #expect(attribute("user.note") == nil)
    }

    @Test("every byte is written, also of long files and of none", arguments: [0, 1, 4096, 300_001])
    func length(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try files.write(FileContents(bytes: bytes, mode: 0o600), to: Self.path)
        #expect(try files.read(Self.path)?.bytes == bytes)
    }

    /// The name under which a file stands while it is being written.
    private static let temporary = path + FileTree.temporarySuffix

    @Test("a link planted at the temporary name is not followed", arguments: ["/etc/victim", "victim", "/etc/none"])
    func planted(_ target: String) throws {
        try root.write("victim\n", to: "/etc/victim")
        try root.makeLink(Self.temporary, to: target)
        try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        #expect(root.list("/etc") == ["file", "victim"])
        #expect(root.read("/etc/victim") == "victim\n")
        #expect(root.read(Self.path) == "new\n")
        #expect(try status(Self.path).st_mode & S_IFMT == S_IFREG)
    }

    @Test("a folder planted at the temporary name is a failure, and the file stays")
    func plantedFolder() throws {
        try root.write("old\n", to: Self.path)
        try root.makeFolder(Self.temporary)
        let failure = try #require(throws: Failure.self) {
            try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        }
        #expect(failure.source == root.path + Self.path + ".ecs-netsetup-new")
        #expect(root.read(Self.path) == "old\n")
    }

    @Test("what an interrupted run left is taken away by the next write, and by a removal")
    func leftOver() throws {
        try root.write("half", to: Self.temporary)
        try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        #expect(root.list("/etc") == ["file"])
        try root.write("half", to: Self.temporary)
        try files.remove(Self.path)
        #expect(root.list("/etc") == [])
        try root.write("half", to: Self.temporary)
        try files.remove(Self.path)
        #expect(root.list("/etc") == [], "also where the file itself is not there")
    }

    @Test("what an interrupted run left is taken away alone, be it a link", arguments: [nil, "/etc/victim", "none"])
    func leftOverAlone(_ target: String?) throws {
        try root.write("old\n", to: Self.path)
        try root.write("victim\n", to: "/etc/victim")
        if let target { try root.makeLink(Self.temporary, to: target) } else { try root.write("x", to: Self.temporary) }
        try files.removeLeftover(of: Self.path)
        try files.removeLeftover(of: Self.path)
        try files.removeLeftover(of: "/missing/file")
        #expect(root.list("/etc") == ["file", "victim"])
        #expect(root.read(Self.path) == "old\n" && root.read("/etc/victim") == "victim\n")
    }

    @Test("a folder in the place of what an interrupted run left is told and stays")
    func leftOverFolder() throws {
        try root.makeFolder(Self.temporary)
        let failure = try #require(throws: Failure.self) { try files.removeLeftover(of: Self.path) }
        #expect(failure.source == root.path + Self.temporary)
        #expect(root.list("/etc") == ["file.ecs-netsetup-new"])
    }

    @Test("removing what is not there is no failure", arguments: ["/etc/file", "/missing/file"])
    func removeMissing(_ path: String) throws {
        try files.remove(path)
        try files.removeEmptyFolder(path)
        #expect(root.list("") == ["etc"])
    }

    @Test("a pipe or a device is not replaced", arguments: [S_IFIFO, S_IFCHR, S_IFSOCK])
    func special(_ kind: mode_t) throws {
        // The device is /dev/zero: 1, 5 (`admin-guide/devices.txt`).
        guard unsafe mknod(root.path + Self.path, kind | 0o600, 1 << 8 | 5) == 0 else {
            return try #require(errno == EPERM, "making devices needs root")
        }
        let failure = try #require(throws: Failure.self) {
            try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        }
        #expect(failure.source == root.path + Self.path)
        #expect(try status(Self.path).st_mode & S_IFMT == kind)
        #expect(root.list("/etc") == ["file"])
    }

    @Test("a file that is masked by a link to /dev/null is not written, nor is /dev/null", arguments: [true, false])
    func masked(_ hasDevices: Bool) throws {
        if hasDevices { try root.write("", to: "/dev/null") } else { try root.makeFolder("/dev") }
        try root.makeLink(Self.path, to: "/dev/null")
        let failure = try #require(throws: Failure.self) {
            try files.write(FileContents(text: "new\n", mode: 0o600), to: Self.path)
        }
        #expect(failure.description == "cannot write: it is a link to /dev/null: \(root.path)\(Self.path)")
        #expect(root.list("/dev") == (hasDevices ? ["null"] : []))
        #expect(hasDevices ? root.read("/dev/null") == "" : true)
        #expect(root.list("/etc") == ["file"])
    }

    @Test("folders are made once, and only empty ones are removed")
    func folders() throws {
        try files.makeFolder("/etc/new", mode: 0o755)
        try files.makeFolder("/etc/new", mode: 0o700)
        #expect(try status("/etc/new").st_mode == S_IFDIR | 0o755)
        try root.write("", to: "/etc/new/file")
        try files.removeEmptyFolder("/etc/new")
        #expect(root.list("/etc") == ["new"])
        try files.remove("/etc/new/file")
        try files.removeEmptyFolder("/etc/new")
        #expect(root.list("/etc") == [])
    }
}
