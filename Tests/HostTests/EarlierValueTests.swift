import Model
import TestSupport
import Testing

@testable import Host

@Suite("The record of a parameter's earlier value")
struct EarlierValueTests {
    private static let name = "net.ipv4.conf.all.route_localnet"
    private static let bootFile = "/proc/sys/kernel/random/boot_id"
    private static let folder = "/var/lib/ecs-netsetup"
    private static let record = "/var/lib/ecs-netsetup/earlier-values"
    private let root: FixtureRoot
    private var host: Host { root.host }

    init() throws {
        root = try FixtureRoot()
        try root.write("aaaa-bbbb\n", to: Self.bootFile)
        try root.makeFolder("/var/lib")
    }

    @Test("is read back in the same boot", arguments: ["0", "1", "2"])
    func remember(_ value: String) throws {
        #expect(try host.earlierValue(of: Self.name) == nil)
        try host.rememberEarlierValue(value, of: Self.name)
        #expect(try host.earlierValue(of: Self.name) == value)
        #expect(try host.earlierValue(of: "net.ipv4.conf.all.forwarding") == nil)
    }

    @Test("leaves no temporary file, also where an interrupted run left one")
    func temporaryFile() throws {
        try root.write("half", to: Self.record + ".ecs-netsetup-new")
        try host.rememberEarlierValue("0", of: Self.name)
        #expect(root.list(Self.folder) == ["earlier-values"])
        #expect(try host.earlierValue(of: Self.name) == "0")
    }

    @Test("is replaced by a newer one")
    func again() throws {
        try host.rememberEarlierValue("0", of: Self.name)
        try host.rememberEarlierValue("1", of: Self.name)
        #expect(try host.earlierValue(of: Self.name) == "1")
    }

    @Test("of another boot does not count")
    func otherBoot() throws {
        try host.rememberEarlierValue("0", of: Self.name)
        try root.write("cccc-dddd\n", to: Self.bootFile)
        #expect(try host.earlierValue(of: Self.name) == nil)
    }

    @Test("is gone after forgetting, with its folder, and forgetting twice is no failure")
    func forget() throws {
        try host.rememberEarlierValue("0", of: Self.name)
        try host.forgetEarlierValues()
        #expect(try host.earlierValue(of: Self.name) == nil)
        #expect(!root.exists(Self.folder))
        try host.forgetEarlierValues()
    }

    @Test("forgetting keeps what somebody else put into the folder")
    func forgetKeepsOthers() throws {
        try host.rememberEarlierValue("0", of: Self.name)
        try root.write("x", to: Self.folder + "/other")
        try host.forgetEarlierValues()
        #expect(root.list(Self.folder) == ["other"])
    }

    @Test(
        "that holds anything else is damaged: to take it for none would leave the parameter raised",
        arguments: [
            "", "\n", "garbage", "net.ipv4.conf.all.route_localnet=0\n", "boot_id=aaaa-bbbb\n",
            "boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=0",
            "boot_id=aaaa-bbbb\r\nnet.ipv4.conf.all.route_localnet=0\r\n",
            "\u{feff}boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=0\n",
            "boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=-0\n",
            "boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=00\n",
            "boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=+0\n",
            "boot_id=aaaa-bbbb\nnet.ipv4.conf.all.route_localnet=x\n", "\u{0}\u{0}\u{0}",
        ])
    func garbage(_ text: String) throws {
        try root.write(text, to: Self.record)
        let failure = try #require(throws: Failure.self) { try host.earlierValue(of: Self.name) }
        #expect(failure.description.contains("is damaged: \(root.path + Self.record)"))
    }

    @Test("cannot be written where its folder cannot be made, which is told with the path")
    func noFolder() throws {
        let other = try FixtureRoot()
        let failure = try #require(throws: Failure.self) {
            try other.host.rememberEarlierValue("0", of: Self.name)
        }
        #expect(failure.source == other.path + Self.folder)
    }
}
