import Glibc
import Model
import Testing

@Suite("Failure")
struct FailureTests {
    @Test("names the object, the source, the errno text and what to do next, as far as known")
    func description() {
        #expect(Failure(.trouble, "cannot do it").description == "cannot do it")
        #expect(Failure.usage("no command").description == "no command")
        #expect(Failure.usage("no command", advice: "give one").description == "no command; give one")
        #expect(
            Failure(.trouble, "cannot read x", source: "/proc/x", errno: ENOENT).description
                == "cannot read x: /proc/x: no such file or directory")
        #expect(
            Failure(.trouble, "cannot read x", source: "open", errno: EIO, advice: "mend it").description
                == "cannot read x: open: input/output error; mend it")
        #expect(Failure(.trouble, "s", errno: EIO).description == "s: input/output error")
    }

    @Test("of missing privileges says which are needed", arguments: [EPERM, EACCES])
    func privileges(_ number: CInt) throws {
        let failure = Failure.system("cannot open the table", source: "iptc_init", errno: number)
        let advice = try #require(failure.advice)
        #expect(advice.contains("CAP_NET_ADMIN"))
        // "Run as root" is no advice for root, whom the kernel refuses an immutable file as well.
        #expect(advice.contains("lsattr") == (number == EPERM && geteuid() == 0))
        #expect(failure.kind == .trouble)
    }

    @Test("of a read-only place says that it can be remounted")
    func readOnly() {
        #expect(Failure.system("cannot write", source: "x", errno: EROFS).advice?.contains("read-write") == true)
    }

    @Test("keeps advice that is better than the usual, and has none where nothing is known")
    func ownAdvice() {
        #expect(Failure.system("s", source: "f", errno: EPERM, advice: "mine").advice == "mine")
        #expect(Failure.system("s", source: "f", errno: EIO).advice == nil)
        #expect(Failure.system("s", source: "f", errno: EIO, kind: .unsupported).kind == .unsupported)
    }

    @Test("under another kind stays the same otherwise")
    func withKind() {
        let failure = Failure(.concurrentChange, "s", source: "f", errno: EAGAIN, advice: "a")
        let other = failure.with(kind: .trouble)
        #expect(other.kind == .trouble)
        #expect(other.description == failure.description)
        #expect(failure.with(kind: .trouble, advice: "b").advice == "b")
    }

    @Test("is written in lower case, whatever the C library writes", arguments: 1...133 as ClosedRange<CInt>)
    func lowerCase(_ number: CInt) {
        let text = Failure.text(ofErrno: number)
        #expect(text == text.lowercased())
        #expect(!text.isEmpty)
    }
}
