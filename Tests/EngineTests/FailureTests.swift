import Glibc
import Host
import Model
import Planning
import Testing

@testable import Engine

@Suite("Failing half-way")
struct FailureTests {
    private static let concurrent = Failure(.concurrentChange, "somebody was first")
    private static let unknown = Failure(.outcomeUnknown, "the answer was lost", errno: ENOBUFS)
    private static let refused = Failure(.trouble, "cannot replace the table", source: "netlink", errno: EPERM)

    private static func planned(_ modes: [Mode], _ backend: BackendKind) throws -> [Rule] {
        try Plan(settings: FakeHost.settings(modes), backend: backend, hasIPv6: true).rules.map(\.rule)
    }

    @Test("a concurrent change is answered by reading and deciding again")
    func concurrentChange() throws {
        let host = try FakeHost()
        host.nftables.onCommit(.fail(Self.concurrent), .fail(Self.concurrent))
        try host.apply()
        #expect(host.events.all.count == 3)
        #expect(host.nftables.readCount >= 4)
        #expect(host.value == "1")
    }

    @Test("a lost answer is answered by reading; what has happened is not done again")
    func outcomeUnknown() throws {
        let host = try FakeHost()
        host.nftables.onCommit(.succeedAndFail(Self.unknown))
        try host.apply()
        #expect(host.events.all.count == 1)
        #expect(host.value == "1")
    }

    @Test("without time to wait, a concurrent change is trouble, and nothing is changed")
    func noTime() throws {
        let host = try FakeHost()
        host.nftables.onCommit(.fail(Self.concurrent))
        let failure = try #require(throws: Failure.self) { try host.apply(wait: 0) }
        #expect(failure.kind == .trouble)
        #expect(host.events.all.count == 1)
        #expect(host.value == "0")
    }

    @Test("reading is tried again while others change the rules, and not without end")
    func reading() throws {
        let host = try FakeHost()
        host.nftables.onRead(Self.concurrent, Self.unknown)
        #expect(throws: Never.self) {
            try host.engine.observe(for: .look, readsDisk: false, until: Deadline(seconds: 5))
        }
        #expect(host.nftables.readCount == 3)
        host.nftables.onRead(Self.concurrent)
        let failure = try #require(throws: Failure.self) {
            try host.engine.observe(for: .look, readsDisk: false, until: Deadline(seconds: 0))
        }
        #expect(failure == Self.concurrent)
        host.iptables.onRead(Self.refused)
        #expect(throws: Self.refused) {
            try host.engine.observe(for: .look, readsDisk: false, until: Deadline(seconds: 5))
        }
    }

    @Test("a first backend that refuses leaves everything as it was")
    func refusedAtOnce() throws {
        let host = try FakeHost()
        host.nftables.onCommit(.fail(Self.refused))
        let failure = try #require(throws: Failure.self) { try host.apply() }
        #expect(failure.subject == Self.refused.subject)
        #expect(!failure.description.contains("undone"), "nothing was done")
        #expect(!host.root.exists(FakeHost.record))
        #expect(host.nftables.rules.isEmpty)
        #expect(host.value == "0")
    }

    @Test("a second backend that refuses has the first one's change undone")
    func secondRefuses() throws {
        let old = try Self.planned([.host], .nftables)
        let host = try FakeHost(nftables: old, iptables: try Self.planned([.bridge], .iptables))
        host.iptables.onCommit(.fail(Self.refused))
        let failure = try #require(throws: Failure.self) {
            try host.apply(FakeHost.settings([.bridge], backend: .nftables))
        }
        #expect(failure.kind == .trouble)
        #expect(failure.description.contains("what was done before was undone"))
        #expect(host.nftables.rules == old)
        #expect(host.iptables.rules == (try Self.planned([.bridge], .iptables)))
        #expect(host.value == "0")
        #expect(!host.root.exists(FakeHost.record))
    }

    @Test("a removal that is refused raises route_localnet again; the guard stayed")
    func removalRefused() throws {
        let host = try FakeHost()
        try host.apply()
        host.nftables.onCommit(.fail(Self.refused))
        let failure = try #require(throws: Failure.self) { try host.remove() }
        #expect(failure.description.contains("undone"))
        #expect(host.nftables.rules == (try Self.planned([.bridge], .nftables)))
        #expect(host.value == "1")
        #expect(host.root.exists(FakeHost.record))
    }

    @Test("a removal that is refused does not raise route_localnet again where somebody took the guard away")
    func removalWithoutGuard() throws {
        for altered in [nil, InstalledRule.Content.unknown("limit")] {
            let host = try FakeHost()
            try host.apply()
            host.nftables.edit { ruleset in
                ruleset.rules.removeAll { $0.rule == LocalhostGuard.rule }
                if let altered { ruleset.rules.append(InstalledRule(altered)) }
            }
            host.nftables.onCommit(.fail(Self.refused))
            let failure = try #require(throws: Failure.self) { try host.remove() }
            #expect(failure.description.contains("route_localnet stays 0"), "\(failure)")
            #expect(!failure.description.contains("was undone"))
            #expect(host.value == "0")
        }
    }

    @Test("an undoing that fails too is told")
    func undoingFails() throws {
        let host = try FakeHost(iptables: try Self.planned([.bridge], .iptables))
        host.nftables.onCommit(.succeed, .fail(Failure(.trouble, "no memory")))
        host.iptables.onCommit(.fail(Self.refused))
        let failure = try #require(throws: Failure.self) { try host.apply(FakeHost.settings(backend: .nftables)) }
        #expect(failure.description.contains("undoing failed too (no memory)"))
        #expect(!failure.description.contains("was undone"))
    }

    @Test("a host that does not stay as it was set is told after the deadline, and is put back")
    func neverReached() throws {
        let host = try FakeHost()
        host.nftables.onCommit(.doNothing)
        let failure = try #require(throws: Failure.self) { try host.apply(wait: 0) }
        #expect(failure.kind == .trouble)
        #expect(failure.subject.contains("does not stay as it was set"))
        #expect(host.value == "0")
    }

    @Test(
        "whatever happens, no hold on the rules is kept", arguments: ["nothing to do", "applied", "retried", "refused"])
    func holds(_ course: String) throws {
        let host = try FakeHost()
        switch course {
        case "nothing to do": try host.apply()
        case "retried": host.nftables.onCommit(.fail(Self.concurrent), .succeedAndFail(Self.unknown))
        case "refused": host.nftables.onCommit(.fail(Self.refused))
        default: break
        }
        _ = try? host.apply()
        #expect(host.nftables.holdCount > 0)
        #expect(host.nftables.heldCount == 0)
        #expect(host.iptables.heldCount == 0)
    }

    @Test("looking takes no hold")
    func looking() throws {
        let host = try FakeHost()
        _ = try host.engine.observe(for: .look, readsDisk: false, until: Deadline(seconds: 0))
        #expect(host.nftables.holdCount == 0)
    }
}
