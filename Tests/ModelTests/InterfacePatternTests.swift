import Model
import Testing

@Suite("InterfacePattern")
struct InterfacePatternTests {
    @Test(
        "reads the spelling of iptables, and writes it again",
        arguments: [
            ("docker0", "docker0", false), ("docker+", "docker", true), ("br-0123456789ab", "br-0123456789ab", false),
            ("abcdefghijklmn+", "abcdefghijklmn", true), ("d+", "d", true), ("eth0.100", "eth0.100", false),
            ("a_b-c.D9", "a_b-c.D9", false), (".a", ".a", false), ("1", "1", false),
        ])
    func good(_ text: String, _ name: String, _ isWildcard: Bool) throws {
        let pattern = try InterfacePattern(text)
        #expect(pattern.name == name)
        #expect(pattern.isWildcard == isWildcard)
        #expect(pattern.description == text)
        #expect(pattern == InterfacePattern(name: name, isWildcard: isWildcard))
    }

    @Test(
        "refuses what is no interface's name, and says why",
        arguments: [
            ("", "is empty"), ("+", "matches every interface"), ("abcdefghijklmnop", "is longer than 15 characters"),
            ("abcdefghijklmno+", "is longer than 15 characters"), ("docker*", "has characters other than"),
            ("a b", "has characters other than"), ("a/b", "has characters other than"),
            ("a:1", "has characters other than"), ("a+b", "has characters other than"),
            ("++", "has characters other than"), ("brücke", "has characters other than"),
            ("a\u{0}b", "has characters other than"), ("a\n", "has characters other than"),
            ("a\"", "has characters other than"), ("$(id)", "has characters other than"), (".", "is no interface name"),
            ("..", "is no interface name"), ("-i", "begins with '-'"), ("-+", "begins with '-'"),
        ])
    func bad(_ text: String, _ why: String) throws {
        let failure = try #require(throws: Failure.self) { try InterfacePattern(text) }
        #expect(failure.kind == .usage)
        #expect(failure.subject.contains(why), "\(failure.subject)")
        #expect(failure.subject.hasPrefix("interface pattern '\(text)'"))
        #expect(failure.advice?.contains("docker+") == true)
    }

    @Test("counts bytes, not characters, because the kernel does")
    func bytes() throws {
        let failure = try #require(throws: Failure.self) { try InterfacePattern("ääääääää") }
        #expect(failure.subject.contains("is longer than"))
    }

    @Test("a name and a wildcard of it are two patterns")
    func equality() throws {
        #expect(try InterfacePattern("docker") != InterfacePattern("docker+"))
    }
}
