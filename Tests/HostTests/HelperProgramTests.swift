import Glibc
import Model
import Testing

@testable import Host

@Suite("Programs of the distribution")
struct HelperProgramTests {
    @Test("are found by absolute path, the first that can be executed")
    func find() {
        #expect(HelperProgram.find(among: ["/no/such", "/etc/passwd", "/bin/sh", "/bin/true"]) == "/bin/sh")
        #expect(HelperProgram.find(among: []) == nil)
    }

    @Test("that fail are told with their status or signal and the line that says why, else the last one")
    func fails() throws {
        let status = try #require(throws: Failure.self) {
            try HelperProgram.run(["/bin/sh", "-c", "echo first; echo last >&2; exit 3"])
        }
        #expect(status.subject.hasSuffix("exit 3 failed with status 3: last"))
        let reason = try #require(throws: Failure.self) {
            try HelperProgram.run([
                "/bin/sh", "-c", "echo 'Failed to do it: no'; echo 'Created something else.'; exit 1",
            ])
        }
        #expect(reason.subject.hasSuffix("failed with status 1: Failed to do it: no"))
        // Longer than one read, by a program that may have ended before the first one.
        let long = try #require(throws: Failure.self) {
            try HelperProgram.run([
                "/bin/sh", "-c", "head -c 3000 /dev/zero | tr '\\0' x; echo; echo 'Failed at the end'; exit 1",
            ])
        }
        #expect(long.subject.hasSuffix("failed with status 1: Failed at the end"))
        let signal = try #require(throws: Failure.self) { try HelperProgram.run(["/bin/sh", "-c", "kill -9 $$"]) }
        #expect(signal.subject.hasSuffix("failed with signal 9"))
        let missing = try #require(throws: Failure.self) { try HelperProgram.run(["/no/such"]) }
        #expect(missing.errno == ENOENT && missing.source == "/no/such")
    }

    @Test("get no word through a shell, none of our environment and nothing to read")
    func surroundings() throws {
        setenv("ECS_NETSETUP_PROBE", "x", 1)
        defer { unsetenv("ECS_NETSETUP_PROBE") }
        try HelperProgram.run(
            [
                "/bin/sh", "-c",
                "test \"$1\" = '$(exit 1); *' && test -z \"$ECS_NETSETUP_PROBE\" && ! read line && test $SYSTEMCTL_SKIP_SYSV = 1",
                "sh",
                "$(exit 1); *",
            ])
    }

    @Test("may say more than a pipe holds")
    func talks() throws { try HelperProgram.run(["/bin/sh", "-c", "head -c 1000000 /dev/zero"]) }
}
