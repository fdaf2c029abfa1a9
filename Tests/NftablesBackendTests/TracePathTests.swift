import CLibnftnl
import Model
import Testing

@testable import NftablesBackend

@Suite("The path of a traced packet")
struct TracePathTests {
    private static let packet = TracedPacket(
        source: IPPrefix(172, 17, 255, 254, length: 16), destination: IPPrefix(169, 254, 170, 2))

    private func event(
        _ table: String, _ chain: String, _ kind: TraceEvent.Kind, packet: UInt32 = 1, to: IPPrefix? = nil,
        from: IPPrefix = IPPrefix(172, 17, 255, 254)
    ) -> TraceEvent {
        TraceEvent(
            packet: packet, family: 2, table: table, chain: chain, kind: kind, source: to == nil ? nil : from,
            destination: to)
    }

    @Test("ends at the rule or the policy that dropped it, whatever number the kernel gives it at each hook")
    func drop() {
        let path = TracePath(
            [
                event(TraceTable.name, "first", .rule(handle: 3, verdict: -1), to: Self.packet.destination),
                event("nat", "PREROUTING", .rule(handle: 9, verdict: NF_ACCEPT), to: Self.packet.destination),
                event(TraceTable.name, "last", .policy(NF_ACCEPT), to: IPPrefix(127, 0, 0, 1)),
                event("filter", "INPUT", .other, packet: 2, to: IPPrefix(127, 0, 0, 1)),
                event("filter", "INPUT", .policy(NF_DROP), packet: 2),
                event(
                    "filter", "INPUT", .rule(handle: 7, verdict: NF_DROP), packet: 3, to: IPPrefix(10, 0, 0, 1),
                    from: IPPrefix(10, 0, 0, 2)),
            ], Self.packet)
        #expect(
            path.steps == [
                TraceStep(
                    .nftables, family: "ip", table: "nat", chain: "PREROUTING", rule: "rule 9", .rewrite("127.0.0.1")),
                TraceStep(.nftables, family: "ip", table: "filter", chain: "INPUT", rule: nil, .drop),
            ])
    }

    @Test("is empty where the trace tells of other packets only")
    func others() {
        let other = event("filter", "INPUT", .policy(NF_DROP), to: IPPrefix(10, 0, 0, 1), from: IPPrefix(10, 0, 0, 2))
        #expect(TracePath([other], Self.packet).steps.isEmpty)
        #expect(TracePath([], Self.packet).steps.isEmpty)
    }

    @Test("addresses are read from whole headers only")
    func headers() {
        let ipv4: [UInt8] = [0x45] + [UInt8](repeating: 0, count: 11) + [10, 0, 0, 1, 10, 0, 0, 2]
        #expect(TraceEvent.address(ipv4, at: 1) == IPPrefix(10, 0, 0, 2))
        #expect(TraceEvent.address(Array(ipv4.dropLast()), at: 1) == nil)
        let ipv6: [UInt8] = [0x60] + [UInt8](repeating: 0, count: 39)
        #expect(TraceEvent.address(ipv6, at: 0)?.length == 128)
        #expect(TraceEvent.address([], at: 0) == nil)
    }
}
