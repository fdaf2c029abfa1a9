import Glibc
import TestSupport
import Testing

@testable import Host

@Suite("Names in a folder")
struct FolderReaderTests {
    /// The entry `a` as the kernel writes it, 24 bytes long, at the very end of the memory that may be read.
    private static func withLastEntry<Value>(_ body: (UnsafePointer<dirent>) -> Value) -> Value {
        let page = Int(getpagesize())
        let memory = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED, mprotect(memory + page, page, PROT_NONE) == 0 else {
            fatalError("no memory")
        }
        defer { munmap(memory, 2 * page) }
        let length = 24
        let start = memory + page - length
        start.storeBytes(of: UInt16(length), toByteOffset: 16, as: UInt16.self)
        start.storeBytes(of: UInt8(ascii: "a"), toByteOffset: 19, as: UInt8.self)
        return body(UnsafePointer(start.assumingMemoryBound(to: dirent.self)))
    }

    @Test("the last entry's name is read up to its end, and nothing behind it")
    func lastEntry() {
        #expect(Self.withLastEntry { FolderReader.name(of: $0) } == "a")
    }

    @Test(
        "who copies the whole field reads what may not be read",
        .disabled(if: Sanitizer.isOn, "this is what a sanitizer reports"))
    func control() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let name = Self.withLastEntry { entry in withUnsafeBytes(of: entry.pointee.d_name) { Array($0) } }
            print(name.count)
        }
    }

    @Test("every name of a folder that takes many reads comes once")
    func many() throws {
        var path = Array("/tmp/folder-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&path).map { String(cString: $0) })
        let names = (0..<2000).map { "file-\($0)" }
        defer {
            for name in names { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        for name in names { close(open(folder + "/" + name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)) }
        guard var reader = FolderReader(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else {
            Issue.record("the folder cannot be read")
            return
        }
        var found: [String] = []
        while let name = reader.next() { found.append(name) }
        #expect(errno == 0)
        #expect(found.sorted() == (names + [".", ".."]).sorted())
    }

    @Test("what is no folder is closed and told")
    func noFolder() {
        let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let isRead = if FolderReader(file) != nil { true } else { false }
        #expect(!isRead)
        #expect(errno == ENOTDIR)
        #expect(fcntl(file, F_GETFD) < 0)
    }
}
