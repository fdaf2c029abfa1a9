import Host
import Model
import TestSupport

@testable import Engine

/// An engine over fake backends and a fixture tree.
struct FakeHost {
    static let routeLocalnet = "/proc/sys/net/ipv4/conf/all/route_localnet"
    static let record = "/var/lib/ecs-netsetup/earlier-values"

    let root: FixtureRoot
    let events: Events
    let nftables: FakeBackend
    let iptables: FakeBackend

    init(routeLocalnet: String = "0", nftables: [Rule] = [], iptables: [Rule] = []) throws {
        root = try FixtureRoot()
        try root.write(routeLocalnet + "\n", to: Self.routeLocalnet)
        try root.write("boot\n", to: "/proc/sys/kernel/random/boot_id")
        try root.makeFolder("/proc/sys/net/ipv6")
        try root.makeFolder("/var/lib")
        events = Events(root)
        self.nftables = FakeBackend(.nftables, events: events, rules: nftables)
        self.iptables = FakeBackend(.iptables, events: events, rules: iptables)
    }

    var engine: Engine { Engine(host: root.host, nftables: nftables, iptables: iptables) }

    /// The value of the parameter, without the line break.
    var value: String? { root.read(Self.routeLocalnet).map { String($0.prefix { $0 != "\n" }) } }

    static func settings(_ modes: [Mode] = [.bridge], backend: BackendKind? = nil) -> Settings {
        var settings = Settings()
        settings.modes = modes
        settings.backend = backend
        settings.persistence = Mechanism.none
        return settings
    }

    @discardableResult
    func apply(_ settings: Settings = settings(), wait: Int = 5) throws -> Decision {
        try engine.carryOut(readsDisk: false, until: Deadline(seconds: wait)) { observed throws(Failure) in
            try Decision(settings: settings, observed: observed)
        }
    }

    @discardableResult
    func remove(wait: Int = 5) throws -> Decision {
        try engine.carryOut(readsDisk: false, until: Deadline(seconds: wait)) { observed throws(Failure) in
            Decision(removing: observed)
        }
    }
}
