import Model
import Testing

@testable import IptablesBackend

@Suite("What a stock table holds")
struct TableContentsTests {
    private static let foreign = PlacedRule(
        rule: Rule(place: .input, family: .ipv4, matches: [.tcp], action: .accept, comment: "somebody's"),
        revision: .range2)
    private static let bare = PlacedRule(
        rule: Rule(place: .input, family: .ipv4, matches: [], action: .drop, comment: nil), revision: .range2)

    /// Reads chains of a table, each with its policy and its entries.
    private func contents(
        _ table: String, family: AddressFamily = .ipv4, _ chains: [(name: String, policy: String?, entries: [[UInt8]])]
    ) -> TableContents {
        var contents = TableContents(TableName(family: family, table: table))
        for chain in chains {
            contents.beginChain(chain.name, policy: chain.policy)
            for entry in chain.entries { entry.withUnsafeBytes { contents.take($0) } }
        }
        return contents
    }

    @Test("a rule of ours is found at its place and position", arguments: PlacedRule.all)
    func ours(_ placed: PlacedRule) throws {
        let chain = placed.rule.place.stockChain
        let found = contents(
            chain.table, family: placed.rule.family,
            [("OTHER", nil, [Self.bare.entry]), (chain.chain, "ACCEPT", [placed.kernelEntry])])
        let entry = try #require(found.ours.first)
        #expect(found.ours.count == 1)
        #expect(entry.rule.content == .rule(placed.rule))
        #expect(!entry.rule.hasForeignRuleAhead, "the foreign rule is in another chain")
        #expect(entry.chain == chain.chain)
        #expect(entry.position == 0)
        #expect(placed.decode(entry.bytes) == .rule(placed.rule), "libiptc can be given it again")
    }

    @Test("a foreign rule ahead is told, one behind is not")
    func foreignAhead() throws {
        let ours = PlacedRule.all.filter { $0.rule.place == .input && $0.rule.family == .ipv4 }.map(\.kernelEntry)
        let found = contents(
            "mangle", [("INPUT", "ACCEPT", [ours[0], Self.foreign.kernelEntry, ours[1], Self.bare.kernelEntry])])
        #expect(found.ours.map(\.rule.hasForeignRuleAhead) == [false, true])
        #expect(found.ours.map(\.position) == [0, 2])
        #expect(found.foreign.ruleCount == 2)
    }

    @Test("only a comment that begins with our mark makes a rule ours")
    func mark() {
        let comments = ["ecs-netsetup: ", "ecs-netsetup:", "ecs-netsetup", "my ecs-netsetup: x", "ECS-NETSETUP: x", ""]
        let entries = comments.map { comment in
            PlacedRule(
                rule: Rule(place: .input, family: .ipv4, matches: [.tcp], action: .drop, comment: comment),
                revision: .range2
            ).kernelEntry
        }
        let found = contents("mangle", [("INPUT", "ACCEPT", entries)])
        #expect(found.ours.map(\.position) == [0])
        #expect(found.foreign.ruleCount == comments.count - 1)
    }

    @Test("a rule of ours in a chain that is none of ours is unknown, and named")
    func otherChain() throws {
        let placed = try #require(PlacedRule.all.first { $0.rule.family == .ipv4 })
        let found = contents("filter", [("DOCKER-USER", nil, [placed.kernelEntry])])
        guard case .unknown(let text)? = found.ours.first?.rule.content else {
            Issue.record("not unknown")
            return
        }
        #expect(text.contains(placed.rule.comment ?? "?"))
        #expect(text.contains("ip filter DOCKER-USER"))
    }

    @Test("Docker is seen by its chains, once a table, and told as legacy")
    func docker() {
        let chains: [(String, String?, [[UInt8]])] = [
            ("PREROUTING", "ACCEPT", []), ("DOCKER", nil, []), ("DOCKER-X", nil, []),
        ]
        #expect(contents("nat", chains).foreign.dockerTables == ["ip nat (legacy)"])
        #expect(contents("nat", [("PREROUTING", "ACCEPT", [])]).foreign.dockerTables.isEmpty)
    }

    @Test(
        "input that is dropped by policy is told, with its table, for IPv4 only",
        arguments: [
            ("filter", "INPUT", "DROP", AddressFamily.ipv4, true), ("filter", "INPUT", "ACCEPT", .ipv4, false),
            ("filter", "FORWARD", "DROP", .ipv4, false), ("mangle", "INPUT", "DROP", .ipv4, true),
            ("filter", "INPUT", "DROP", .ipv6, false),
        ])
    func droppingInput(_ table: String, _ chain: String, _ policy: String, _ family: AddressFamily, _ isTold: Bool) {
        let found = contents(table, family: family, [(chain, policy, [])])
        #expect(
            found.foreign.droppingInputChains.map(\.description)
                == (isTold ? ["legacy iptables chain \(table) INPUT"] : []))
    }

    @Test("what several tables hold adds up")
    func merge() {
        var all = ForeignRules()
        all.merge(contents("filter", [("INPUT", "DROP", [Self.foreign.kernelEntry])]).foreign)
        all.merge(contents("nat", [("DOCKER", nil, [Self.bare.kernelEntry])]).foreign)
        #expect(all.ruleCount == 2)
        #expect(all.dockerTables == ["ip nat (legacy)"])
        #expect(all.droppingInputChains.count == 1)
    }
}
