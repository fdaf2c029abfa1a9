import Model
import Planning
import Testing

/// A packet's way through small sets of chains.
@Suite struct PacketWalkTests {
    private static let docker = InterfacePattern(name: "docker0", isWildcard: false)

    private static var packet: Packet {
        var packet = Packet(to: IPPrefix(169, 254, 169, 254), isLocal: false, port: 80, from: docker)
        packet.outInterface = .uplink
        return packet
    }

    private static func rule(
        _ conditions: [ForeignRule.Condition], _ verdict: ForeignRule.Verdict, _ text: String = "rule 1"
    ) -> ForeignRule { ForeignRule(conditions, verdict, text: text) }

    private static func rule(_ verdict: ForeignRule.Verdict, _ text: String = "rule 1") -> ForeignRule {
        ForeignRule([], verdict, text: text)
    }

    private static func chain(_ rules: [ForeignRule]) -> ForeignChain { chain("FORWARD", rules) }

    private static func chain(
        _ name: String, priority: Int32? = 0, type: String = "filter", hook: Hook = .forward, drops: Bool = false,
        _ rules: [ForeignRule]
    ) -> ForeignChain {
        let base = priority.map { BaseChain(name, type: type, hook: hook, priority: $0) }
        var chain = ForeignChain(.nftables, .ip, table: "filter", name: name, base: base)
        chain.dropsByPolicy = drops
        chain.rules = rules
        return chain
    }

    private func ends(_ chains: [ForeignChain], _ packet: Packet = Self.packet) -> [PacketWalk.End] {
        var packet = packet
        return PacketWalk.ends(of: PacketWalk(chains).stages(of: &packet, at: .forward))
    }

    private func kinds(_ chains: [ForeignChain], _ packet: Packet = Self.packet) -> Set<PacketWalk.End.Kind> {
        Set(ends(chains, packet).map(\.kind))
    }

    private static let maybe = ForeignRule.Condition.unknown("-m set")
    private static let other = ForeignRule.Condition.transport(17, negated: false)

    @Test("rules in order, then the policy")
    func order() {
        #expect(kinds([Self.chain([])]) == [.passes])
        #expect(kinds([Self.chain("FORWARD", drops: true, [])]) == [.dropped])
        #expect(kinds([Self.chain([Self.rule(.accept), Self.rule(.drop)])]) == [.passes])
        #expect(kinds([Self.chain([Self.rule([Self.other], .accept), Self.rule(.drop)])]) == [.dropped])
        #expect(kinds([Self.chain([Self.rule(.none), Self.rule(.reject)])]) == [.dropped])
        let policy = ends([Self.chain("FORWARD", drops: true, [Self.rule(.returns), Self.rule(.accept)])])
        #expect(policy.map(\.kind) == [.dropped])
        #expect(policy.first?.rule == nil)
    }

    @Test("accepting ends one base chain only; lower priorities come first; dropping is final")
    func baseChains() {
        let accepting = Self.chain("a", priority: -150, [Self.rule(.accept, "first")])
        let dropping = Self.chain("b", priority: 0, [Self.rule(.drop, "second")])
        #expect(ends([dropping, accepting]).map(\.rule?.text) == ["second"])
        let early = Self.chain("c", priority: -200, [Self.rule(.drop, "early")])
        #expect(ends([dropping, accepting, early]).map(\.rule?.text) == ["early"])
        var other = dropping
        other = ForeignChain(.nftables, .ip6, table: "filter", name: "x", base: other.base)
        other.rules = [Self.rule(.drop)]
        #expect(kinds([accepting, other]) == [.passes])
    }

    @Test("jumps come back, gotos do not")
    func jumps() {
        let called = Self.chain(
            "sub", priority: nil, [Self.rule([Self.other], .drop), Self.rule(.returns), Self.rule(.drop)])
        #expect(kinds([Self.chain([Self.rule(.jump("sub")), Self.rule(.drop)]), called]) == [.dropped])
        #expect(kinds([Self.chain([Self.rule(.jump("sub")), Self.rule(.accept)]), called]) == [.passes])
        #expect(kinds([Self.chain([Self.rule(.goTo("sub")), Self.rule(.drop)]), called]) == [.passes])
        let dropping = Self.chain("sub", priority: nil, [Self.rule(.drop)])
        #expect(kinds([Self.chain([Self.rule(.jump("sub")), Self.rule(.accept)]), dropping]) == [.dropped])
        // Two levels: a goto in a called chain comes back to the chain that jumped.
        let middle = Self.chain("middle", priority: nil, [Self.rule(.goTo("sub")), Self.rule(.drop)])
        #expect(kinds([Self.chain([Self.rule(.jump("middle")), Self.rule(.accept)]), middle, called]) == [.passes])
    }

    @Test("what is not known takes both ways, and says what it depends on")
    func doubts() throws {
        let both = ends([Self.chain([Self.rule([Self.maybe], .drop, "doubtful")])])
        #expect(Set(both.map(\.kind)) == [.dropped, .passes])
        for end in both { #expect(end.doubt?.rule.text == "doubtful") }
        // A doubt that changes nothing is none.
        #expect(kinds([Self.chain([Self.rule([Self.maybe], .drop), Self.rule(.drop)])]) == [.dropped])
        #expect(kinds([Self.chain([Self.rule([Self.maybe], .accept)])]) == [.passes])
        // One condition that surely does not hold is enough.
        #expect(kinds([Self.chain([Self.rule([Self.maybe, Self.other], .drop)])]) == [.passes])
        // A doubtful jump.
        let called = Self.chain("sub", priority: nil, [Self.rule(.drop)])
        #expect(kinds([Self.chain([Self.rule([Self.maybe], .jump("sub"))]), called]) == [.dropped, .passes])
        let harmless = Self.chain("sub", priority: nil, [Self.rule(.none)])
        #expect(ends([Self.chain([Self.rule([Self.maybe], .jump("sub"))]), harmless]).map(\.doubt) == [nil])
        // A doubtful return.
        let returning = Self.chain([Self.rule([Self.maybe], .returns), Self.rule(.drop)])
        #expect(kinds([returning]) == [.dropped, .passes])
        // A verdict that is not known.
        #expect(kinds([Self.chain([Self.rule(.unknown("queue")), Self.rule(.accept)])]) == [.unknown])
    }

    @Test("a doubt in one base chain hangs on the later ones")
    func doubtsAcrossChains() {
        let doubtful = Self.chain("a", priority: -10, [Self.rule([Self.maybe], .drop, "doubtful")])
        let dropping = Self.chain("b", [Self.rule(.drop)])
        #expect(kinds([doubtful, dropping]) == [.dropped])
        let accepting = Self.chain("b", [Self.rule(.accept)])
        #expect(ends([doubtful, accepting]).map(\.doubt?.rule.text) == ["doubtful", "doubtful"])
    }

    @Test("loops, missing chains and chains nested without end are told as not known, soon")
    func bounds() {
        let loop = Self.chain("sub", priority: nil, [Self.rule(.jump("sub"))])
        #expect(kinds([Self.chain([Self.rule(.jump("sub"))]), loop]) == [.unknown])
        #expect(kinds([Self.chain([Self.rule(.jump("nowhere"))])]) == [.unknown])
        let deep = (0..<5_000).map { Self.chain("\($0)", priority: nil, [Self.rule(.jump("\($0 + 1)"))]) }
        #expect(kinds([Self.chain([Self.rule(.jump("0"))])] + deep) == [.unknown])
        // Every chain jumps twice to the next: two to the sixtieth ways.
        let wide = (0..<60).map { index in
            let verdict = ForeignRule.Verdict.jump("\(index + 1)")
            return Self.chain("\(index)", priority: nil, [Self.rule([Self.maybe], verdict), Self.rule(verdict)])
        }
        let last = Self.chain("60", priority: nil, [Self.rule([Self.maybe], .drop)])
        #expect(kinds([Self.chain([Self.rule(.jump("0"))])] + wide + [last]) == [.dropped, .passes])
    }

    @Test("a packet's mark is 0 until somebody sets it")
    func marks() {
        let marked = ForeignRule.Condition.mark(value: 1, mask: 0xff, negated: false)
        #expect(kinds([Self.chain([Self.rule([marked], .drop)])]) == [.passes])
        #expect(kinds([Self.chain([Self.rule(.setMark), Self.rule([marked], .drop)])]) == [.passes, .dropped])
        let mangle = Self.chain("m", priority: -150, [Self.rule(.setMark)])
        #expect(kinds([mangle, Self.chain([Self.rule([marked], .drop)])]) == [.passes, .dropped])
        let aside = Self.rule([Self.other], .setMark)
        #expect(kinds([Self.chain([aside, Self.rule([marked], .drop)])]) == [.passes])
        let called = Self.chain("sub", priority: nil, [Self.rule(.setMark)])
        let jumping = Self.chain([Self.rule(.jump("sub")), Self.rule([marked], .drop)])
        #expect(kinds([jumping, called]) == [.passes, .dropped])
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let condition: ForeignRule.Condition
        /// nil: not known.
        let holds: Bool?
        var testDescription: String { "\(condition)" }
    }

    private static func pattern(_ name: String, _ isWildcard: Bool = false) -> InterfacePattern {
        InterfacePattern(name: name, isWildcard: isWildcard)
    }

    private static let imds = IPPrefix(169, 254, 169, 254)
    private static let cases: [Case] = [
        Case(condition: .destination(imds, negated: false), holds: true),
        Case(condition: .destination(imds, negated: true), holds: false),
        Case(condition: .destination(IPPrefix(169, 254, 0, 0, length: 16), negated: false), holds: true),
        Case(condition: .destination(IPPrefix(169, 254, 168, 0, length: 23), negated: false), holds: true),
        Case(condition: .destination(IPPrefix(169, 254, 170, 0, length: 23), negated: false), holds: false),
        Case(condition: .source(IPPrefix(0, 0, 0, 0, length: 0), negated: false), holds: true),
        Case(condition: .source(IPPrefix(127, 0, 0, 0, length: 8), negated: false), holds: false),
        Case(condition: .source(IPPrefix(172, 17, 0, 0, length: 16), negated: false), holds: nil),
        Case(condition: .inInterface(pattern("docker0"), negated: false), holds: true),
        Case(condition: .inInterface(pattern("docker", true), negated: true), holds: false),
        Case(condition: .inInterface(pattern("", true), negated: false), holds: true),
        Case(condition: .inInterface(pattern("docker01"), negated: false), holds: false),
        Case(condition: .outInterface(pattern("docker0"), negated: true), holds: true),
        Case(condition: .outInterface(pattern("br-", true), negated: false), holds: false),
        Case(condition: .outInterface(pattern("eth0"), negated: false), holds: nil),
        Case(condition: .transport(6, negated: false), holds: true),
        Case(condition: .transport(1, negated: true), holds: true),
        Case(condition: .destinationPort(1...80, negated: false), holds: true),
        Case(condition: .destinationPort(81...90, negated: true), holds: true),
        Case(condition: .sourcePort(0...65535, negated: false), holds: true),
        Case(condition: .sourcePort(1024...65535, negated: false), holds: nil),
        Case(condition: .state([.new, .related], negated: false), holds: true),
        Case(condition: .state([.established], negated: true), holds: true),
        Case(condition: .state([.dnat], negated: false), holds: false),
        Case(condition: .destinationIsLocal(negated: true), holds: true),
        Case(condition: .mark(value: 0, mask: 0xff, negated: false), holds: true),
        Case(condition: .tcpFlags(value: 2, mask: 0x17, negated: false), holds: true),
        Case(condition: .tcpFlags(value: 0, mask: 0x3f, negated: false), holds: false),
        Case(condition: .unknown("-m limit"), holds: nil),
    ]

    @Test("each condition", arguments: cases)
    func condition(_ given: Case) {
        let found = kinds([Self.chain([Self.rule([given.condition], .drop)])])
        let expected: Set<PacketWalk.End.Kind> =
            switch given.holds {
            case true: [.dropped]
            case false: [.passes]
            case nil: [.passes, .dropped]
            }
        #expect(found == expected)
    }

    @Test("a pattern that stands for several bridges")
    func wildcards() {
        var packet = Packet(to: Self.imds, isLocal: false, port: 80, from: Self.pattern("br-", true))
        packet.outInterface = .uplink
        let cases: [(InterfacePattern, Set<PacketWalk.End.Kind>)] = [
            (Self.pattern("br-0123456789ab"), [.passes, .dropped]), (Self.pattern("br-", true), [.dropped]),
            (Self.pattern("b", true), [.dropped]), (Self.pattern("docker0"), [.passes]),
        ]
        for (pattern, expected) in cases {
            let chain = Self.chain([Self.rule([.inInterface(pattern, negated: false)], .drop)])
            #expect(kinds([chain], packet) == expected, "\(pattern)")
        }
    }

    @Test("ahead of connection tracking, every packet counts as invalid")
    func states() {
        func kinds(priority: Int32, _ state: ConnectionStateName) -> Set<PacketWalk.End.Kind> {
            let chain = Self.chain(
                "PREROUTING", priority: priority, hook: .prerouting,
                [Self.rule([.state([state], negated: false)], .drop)])
            var packet = Self.packet
            return Set(PacketWalk.ends(of: PacketWalk([chain]).stages(of: &packet, at: .prerouting)).map(\.kind))
        }
        #expect(kinds(priority: -300, .new) == [.passes])
        #expect(kinds(priority: -300, .invalid) == [.dropped])
        #expect(kinds(priority: -200, .new) == [.passes, .dropped])
        #expect(kinds(priority: -150, .new) == [.dropped])
    }

    @Test("the first nat chain that rewrites decides")
    func nat() {
        func nat(_ name: String, _ priority: Int32, _ verdict: ForeignRule.Verdict) -> ForeignChain {
            Self.chain(name, priority: priority, type: "nat", [Self.rule(verdict)])
        }
        let one = nat("one", -110, .rewriteDestination("1"))
        let two = nat("two", -101, .rewriteDestination("2"))
        #expect(kinds([two, one]) == [.rewritten("1")])
        #expect(kinds([nat("zero", -120, .accept), two]) == [.rewritten("2")])
        #expect(kinds([nat("zero", -120, .drop), two]) == [.dropped])
    }
}
