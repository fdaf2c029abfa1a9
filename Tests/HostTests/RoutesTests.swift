import Model
import TestSupport
import Testing

@testable import Host

@Suite("Routes of IPv6")
struct RoutesTests {
    private static let metadata = IPPrefix(
        bytes: [0xfd, 0, 0x0e, 0xc2] + [UInt8](repeating: 0, count: 10) + [2, 0x54], length: 128)
    private static let zeroes = String(repeating: "0", count: 32)

    private static func line(
        _ destination: String, _ length: String, flags: String = "00000003", _ interface: String = "eth0"
    )
        -> String
    {
        "\(destination) \(length) \(zeroes) 00 \(zeroes) 00000400 00000001 00000000 \(flags) \(interface)\n"
    }

    /// A table, and whether it leads to IMDS.
    private static let tables: [(String, Bool)] = [
        ("", false),
        (line(zeroes, "00"), true),
        (line(zeroes, "00", flags: "00200200", "lo"), false),
        (line("fd000ec2000000000000000000000000", "20"), true),
        (line("fd000ec2000000000000000000000254", "80"), true),
        (line("fd000ec2000000000000000000000254", "80", flags: "00000203"), false),
        (line("fd000ec3000000000000000000000000", "1f"), true),
        (line("fd000ec3000000000000000000000000", "20"), false),
        (line("fe800000000000000000000000000000", "40"), false),
        ("nonsense\n\n" + line("fd", "20") + line(zeroes, "ff"), false),
    ]

    @Test("lead to an address, or do not", arguments: tables)
    func leads(_ table: String, _ isThere: Bool) throws {
        let metadata = try #require(Self.metadata)
        #expect(RouteTable6(table).leads(to: metadata) == isThere)
        let root = try FixtureRoot()
        try root.write(table, to: "/proc/net/ipv6_route")
        #expect(try root.host.hasRoute(to: metadata) == isThere)
    }
}
