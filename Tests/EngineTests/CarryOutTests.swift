import Model
import Planning
import Testing

@testable import Engine

@Suite("Carrying out a decision")
struct CarryOutTests {
    private static func planned(_ modes: [Mode] = [.bridge], _ backend: BackendKind = .nftables) throws -> [Rule] {
        try Plan(settings: FakeHost.settings(modes), backend: backend, hasIPv6: true).rules.map(\.rule)
    }

    @Test("installs the plan, the guard before route_localnet is raised", arguments: BackendKind.allCases)
    func firstApply(_ backend: BackendKind) throws {
        let host = try FakeHost()
        let decision = try host.apply(FakeHost.settings(backend: backend))
        let rules = try Self.planned([.bridge], backend)
        #expect(host.events.all == ["\(backend.rawValue): \(rules.count) rules, route_localnet 0"])
        #expect((backend == .nftables ? host.nftables : host.iptables).rules == rules)
        #expect(host.value == "1")
        #expect(host.root.read(FakeHost.record)?.contains("route_localnet=0\n") == true)
        #expect(!decision.isFulfilled, "the decision that was carried out is returned, not the empty one after it")
        #expect(decision.changeCount == rules.count + 1)
    }

    @Test("a second time writes nothing", arguments: Mode.allCases)
    func secondApply(_ mode: Mode) throws {
        let host = try FakeHost()
        try host.apply(FakeHost.settings([mode]))
        let events = host.events.all
        let decision = try host.apply(FakeHost.settings([mode]))
        #expect(decision.isFulfilled)
        #expect(decision.changeCount == 0)
        #expect(host.events.all == events)
        #expect(events.count == 1)
    }

    @Test("in mode host leaves route_localnet alone", arguments: ["0", "1"])
    func modeHost(_ value: String) throws {
        let host = try FakeHost(routeLocalnet: value)
        try host.apply(FakeHost.settings([.host]))
        #expect(host.value == value)
        #expect(!host.root.exists(FakeHost.record))
    }

    @Test("removing lowers route_localnet before the guard goes, and leaves nothing")
    func remove() throws {
        let host = try FakeHost()
        try host.apply()
        try host.remove()
        #expect(host.events.all.last == "nftables: 0 rules, route_localnet 0")
        #expect(host.nftables.rules.isEmpty)
        #expect(host.value == "0")
        #expect(!host.root.exists("/var/lib/ecs-netsetup"))
        let events = host.events.all
        #expect(try host.remove().isFulfilled)
        #expect(host.events.all == events)
    }

    @Test("removing keeps a route_localnet that was 1 before, and says so where nobody recorded it")
    func removeForeignValue() throws {
        let host = try FakeHost(routeLocalnet: "1")
        try host.apply()
        #expect(!host.root.exists(FakeHost.record))
        let decision = try host.remove()
        #expect(host.value == "1")
        #expect(decision.notes.contains { $0.contains("stays 1") })
    }

    @Test("what somebody lowered meanwhile is not raised again", arguments: [true, false])
    func loweredMeanwhile(isRemoved: Bool) throws {
        let host = try FakeHost()
        try host.apply()
        let record = try #require(host.root.read(FakeHost.record))
        try host.root.write(record.replacing("route_localnet=0", with: "route_localnet=1"), to: FakeHost.record)
        try host.root.write("0\n", to: FakeHost.routeLocalnet)
        if isRemoved { try host.remove() } else { try host.apply(FakeHost.settings([.host])) }
        #expect(host.value == "0")
        #expect(!host.root.exists(FakeHost.record))
    }

    @Test("going from bridge to host lowers route_localnet before the guard goes")
    func otherMode() throws {
        let host = try FakeHost()
        try host.apply()
        try host.apply(FakeHost.settings([.host]))
        #expect(host.events.all.last?.hasSuffix("route_localnet 0") == true)
        #expect(host.nftables.rules == (try Self.planned([.host])))
        #expect(!host.root.exists(FakeHost.record))
    }

    @Test("rules in both backends end in one, which is complete before the other is emptied")
    func conflict() throws {
        let host = try FakeHost(nftables: try Self.planned(), iptables: try Self.planned([.bridge], .iptables))
        host.nftables.edit { $0.rules.removeLast() }
        let decision = try host.apply()
        #expect(decision.choice.evidence.contains { $0.hasPrefix("conflict: ") })
        let count = try Self.planned().count
        #expect(
            host.events.all == [
                "nftables: \(count) rules, route_localnet 0", "iptables: 0 rules, route_localnet 0",
            ])
        #expect(host.nftables.rules == (try Self.planned()))
        #expect(host.iptables.rules.isEmpty)
    }

    @Test("removing takes rules out of both backends")
    func removeBoth() throws {
        let host = try FakeHost(nftables: try Self.planned(), iptables: try Self.planned([.bridge], .iptables))
        try host.remove()
        #expect(host.nftables.rules.isEmpty)
        #expect(host.iptables.rules.isEmpty)
    }

    @Test("moving to the other backend leaves no moment without rules")
    func otherBackend() throws {
        let host = try FakeHost()
        try host.apply(FakeHost.settings(backend: .nftables))
        try host.apply(FakeHost.settings(backend: .iptables))
        let count = try Self.planned([.bridge], .iptables).count
        #expect(
            host.events.all.suffix(2) == [
                "iptables: \(count) rules, route_localnet 1", "nftables: 0 rules, route_localnet 1",
            ])
    }

    @Test("a dormant table is made anew although its rules are right")
    func defect() throws {
        let host = try FakeHost(routeLocalnet: "1", nftables: try Self.planned())
        host.nftables.edit { $0.defects = ["table inet ecs-netsetup is dormant"] }
        try host.apply()
        #expect(host.events.all.count == 1)
    }

    @Test("what stands in our table and is not ours stops everything, with its owner's way out")
    func obstacle() throws {
        let host = try FakeHost()
        host.nftables.edit {
            $0.holdsOurs = true
            $0.obstacles = [Obstacle("chain inet ecs-netsetup mine is not ours", advice: "nft delete chain x")]
        }
        for action in [{ try host.apply() }, { try host.remove() }] {
            let failure = try #require(throws: Failure.self) { _ = try action() }
            #expect(failure.kind == .trouble)
            #expect(failure.description.contains("mine is not ours"))
            #expect(failure.description.contains("nft delete chain x"))
        }
        #expect(host.events.all.isEmpty)
        #expect(host.value == "0")
        #expect(!host.root.exists(FakeHost.record))
    }

    @Test("wrong settings change nothing")
    func contradiction() throws {
        let host = try FakeHost()
        var settings = FakeHost.settings(backend: .iptables)
        settings.metadataAction = .reject
        let failure = try #require(throws: Failure.self) { try host.apply(settings) }
        #expect(failure.kind == .usage)
        #expect(host.events.all.isEmpty)
    }
}
