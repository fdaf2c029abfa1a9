import Glibc
import Testing

@testable import Model

@Suite("System calls")
struct SystemCallTests {
    /// A folder of the test's own with a file of these bytes and a link to it.
    private static func withFolder(_ bytes: String, _ body: (_ folder: String, _ file: CInt) throws -> Void) throws {
        var path = Array("/tmp/system-call-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&path).map { String(cString: $0) })
        let file = SystemCall.open(folder + "/file", O_RDWR | O_CREAT | O_CLOEXEC, mode: 0o600)
        defer {
            close(file)
            unlink(folder + "/file")
            unlink(folder + "/link")
            rmdir(folder)
        }
        #expect(symlink("file", folder + "/link") == 0)
        #expect(SystemCall.write(Array(bytes.utf8)[...], to: file) == bytes.utf8.count)
        #expect(lseek(file, 0, SEEK_SET) == 0)
        try body(folder, file)
    }

    @Test("read no more than there is room for, and no more than is asked for")
    func bounds() throws {
        try Self.withFolder("0123456789") { _, file in
            var bytes = [UInt8](repeating: 0, count: 4)
            #expect(SystemCall.read(file, into: &bytes) == 4)
            #expect(bytes == Array("0123".utf8))
            #expect(SystemCall.read(file, into: &bytes, most: 2) == 2)
            #expect(bytes == Array("4523".utf8))
            #expect(SystemCall.read(file, into: &bytes) == 4)
            var none: [UInt8] = []
            #expect(SystemCall.read(file, into: &none) == 0)
            #expect(SystemCall.write([][...], to: file) == 0)
        }
    }

    @Test("tell a link's target as far as there is room")
    func link() throws {
        try Self.withFolder("") { folder, _ in
            let open = SystemCall.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { close(open) }
            #expect(SystemCall.linkTarget(of: "link", in: open, most: 64) == Array("file".utf8))
            #expect(SystemCall.linkTarget(of: "link", in: open, most: 2) == Array("fi".utf8))
            #expect(SystemCall.linkTarget(of: "file", in: open, most: 64) == nil && errno == EINVAL)
            #expect(SystemCall.status(of: "none", in: open, 0) == nil && errno == ENOENT)
            #expect(
                SystemCall.status(of: folder + "/link")?.st_ino == SystemCall.status(of: "file", in: open, 0)?.st_ino)
            #expect(SystemCall.realPath(folder + "/link") == folder + "/file")
        }
    }

    @Test("read a text up to its NUL, or to the end of a field that it fills")
    func field() {
        #expect(SystemCall.text(in: (CChar(0x61), CChar(0), CChar(0x62))) == "a")
        #expect(SystemCall.text(in: (CChar(0x61), CChar(0x62), CChar(0x63))) == "abc")
        #expect(SystemCall.text(in: CChar(0)) == "")
    }

    @Test("connect to a path that an address can hold, and to no other")
    func path() {
        let file = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(file) }
        // `sun_path` has 108 bytes, one of them for the NUL (unix(7)).
        let longest = "/no/" + String(repeating: "a", count: 103)
        #expect(SystemCall.connect(file, to: longest) < 0 && errno == ENOENT)
        #expect(SystemCall.connect(file, to: longest + "a") < 0 && errno == ENAMETOOLONG)
    }

    @Test("start a program with these words and nothing else in its environment")
    func spawn() throws {
        let ends = try #require(SystemCall.pipe())
        defer { close(ends.reading) }
        let started = SystemCall.spawn(
            "/bin/sh", ["name", "-c", "echo \"$0 $1 $A\"; env", "zero", "one"],
            environment: ["A=b", "PATH=/bin:/usr/bin"],
            output: ends.writing)
        close(ends.writing)
        #expect(started.errno == 0)
        #expect(SystemCall.wait(for: started.child, 0).status == 0)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = SystemCall.read(ends.reading, into: &bytes)
        let said = String(decoding: bytes.prefix(count), as: UTF8.self)
        #expect(said.hasPrefix("zero one b\n"))
        #expect(!said.contains("HOME="))
        #expect(SystemCall.spawn("/no/such", ["such"], environment: [], output: nil).errno == ENOENT)
    }

    @Test("read lines, long ones in parts")
    func lines() throws {
        try Self.withFolder("one\ntwenty\n\nend") { folder, _ in
            guard var lines = LineReader(folder + "/file", longest: 5) else {
                Issue.record("the file cannot be read")
                return
            }
            var found: [String] = []
            while let line = lines.next() { found.append(String(decoding: line, as: UTF8.self)) }
            #expect(found == ["one", "twen", "ty", "", "end"])
            let hasFailed = lines.hasFailed
            #expect(!hasFailed)
            guard var broken = LineReader(folder, longest: 5) else { return }
            let (line, isBroken) = (broken.next(), broken.hasFailed)
            #expect(line == nil && isBroken, "a folder has no lines")
        }
    }

    @Test("tell an error number's text as the C library has it, also of a number that there is none of")
    func errorText() {
        #expect(Failure.text(ofErrno: ENOENT) == "no such file or directory")
        #expect(Failure.text(ofErrno: 99_999) == "unknown error 99999")
        #expect(EnvironmentVariable.text("ECS_NETSETUP_NO_SUCH_VARIABLE") == nil)
    }
}
