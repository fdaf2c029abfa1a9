import Glibc
import Model
import TestSupport
import Testing

@testable import Host

@Suite("Kernel parameters")
struct SysctlTests {
    private static let name = "net.ipv4.conf.all.route_localnet"
    private static let file = "/proc/sys/net/ipv4/conf/all/route_localnet"
    private let root: FixtureRoot

    init() throws { root = try FixtureRoot() }

    @Test(
        "are read without the line break",
        arguments: [("0\n", "0"), ("1\n", "1"), ("1", "1"), ("", ""), ("a b\n", "a b")])
    func read(_ text: String, _ value: String) throws {
        try root.write(text, to: Self.file)
        #expect(try root.host.sysctl(Self.name) == value)
    }

    @Test("that are missing are told with their name and file")
    func missing() throws {
        let failure = try #require(throws: Failure.self) { try root.host.sysctl(Self.name) }
        #expect(failure.errno == ENOENT)
        #expect(failure.subject.contains(Self.name))
        #expect(failure.source == root.path + Self.file)
    }

    @Test("are written whole, with a line break")
    func write() throws {
        try root.write("0\n", to: Self.file)
        let writer = try SysctlWriter(Self.name, on: root.host)
        #expect(root.read(Self.file) == "0\n")
        try writer.write("1")
        #expect(root.read(Self.file) == "1\n")
    }

    @Test("that cannot be opened for writing fail before anything is written")
    func unwritable() throws {
        let failure = try #require(throws: Failure.self) { _ = try SysctlWriter(Self.name, on: root.host) }
        #expect(failure.errno == ENOENT)
        #expect(failure.subject == "cannot write \(Self.name)")
        #expect(!root.exists(Self.file))
    }

    @Test("show whether the kernel has IPv6")
    func hasIPv6() throws {
        #expect(!root.host.hasIPv6)
        try root.makeFolder("/proc/sys/net/ipv6")
        #expect(root.host.hasIPv6)
    }
}
