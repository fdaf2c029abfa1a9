import Model
import TestSupport
import Testing

@testable import NftablesBackend

/// A rule and a table that can hold it.
struct PlacedRule: CustomTestStringConvertible {
    let rule: Rule
    let layout: TableLayout

    var testDescription: String { "\(layout.spelling) \(rule.place.rawValue): \(rule.title)" }

    var expressions: [Expression] { ExpressionCodec.encode(rule, in: layout) }

    /// What expressions say at this rule's place, under its comment.
    func decode(_ expressions: [Expression]) -> InstalledRule.Content {
        RuleDecoder.decode(expressions, at: rule.place, in: layout, comment: rule.comment ?? "").content
    }

    /// The whole catalogue, in one table for both families and in one for each.
    static let all: [PlacedRule] = TableLayout.all.flatMap { layout in
        layout.rules(Combinations.rules(.nftables)).map { PlacedRule(rule: $0, layout: layout) }
    }
}

@Suite("A rule of the catalogue, as expressions and back")
struct CodecTests {
    @Test("covers both families, every nft place and every action")
    func coversTheCatalogue() {
        let rules = PlacedRule.all.map(\.rule)
        #expect(Set(rules.map(\.family)) == Set(AddressFamily.allCases))
        #expect(Set(rules.map(\.place)) == Set(Place.allCases).subtracting([.filterInput]))
        #expect(
            Set(rules.map(\.action)).isSuperset(of: [
                .accept, .drop, .reject(.tcpReset), .reject(.adminProhibited), .redirect(port: 51679),
            ]))
    }

    @Test("stays the same", arguments: PlacedRule.all)
    func roundTrip(_ placed: PlacedRule) {
        #expect(placed.decode(placed.expressions) == .rule(placed.rule))
    }

    @Test("counts every packet, so that status can tell", arguments: PlacedRule.all)
    func hasCounter(_ placed: PlacedRule) {
        let counted = placed.expressions.map { expression -> Expression in
            if case .counter = expression { return .counter(packets: 7, bytes: 420) }
            return expression
        }
        let result = RuleDecoder.decode(
            counted, at: placed.rule.place, in: placed.layout, comment: placed.rule.comment ?? "")
        #expect(result.content == .rule(placed.rule))
        #expect(result.packets == 7)
        #expect(result.bytes == 420)
    }

    @Test("prefixes of every length stay the same", arguments: 0...32)
    func prefixes(_ length: Int) throws {
        let mask = try #require(IPPrefix(bytes: [0xff, 0xff, 0xff, 0xff], length: length)).mask
        let prefix = try #require(IPPrefix(bytes: zip([10, 201, 77, 133], mask).map { $0 & $1 }, length: length))
        let rule = Rule(
            place: .input, family: .ipv4, matches: [.destination(prefix)], action: .drop,
            comment: "ecs-netsetup: prefix")
        let placed = PlacedRule(rule: rule, layout: .inet)
        #expect(placed.decode(placed.expressions) == .rule(rule))
    }

    @Test("an IPv4 rule in a table for IPv6 is not taken for one of IPv6")
    func familyOfTheTable() {
        for placed in PlacedRule.all where placed.layout == .ip {
            let result = RuleDecoder.decode(
                placed.expressions, at: placed.rule.place, in: .ip6, comment: placed.rule.comment ?? "")
            #expect(result.content != .rule(placed.rule))
        }
    }

    @Test("without a family, an address in a table for both families is unknown")
    func addressWithoutFamily() throws {
        let placed = try #require(PlacedRule.all.first { $0.layout == .ip && $0.rule.place == .prerouting })
        let result = RuleDecoder.decode(placed.expressions, at: .prerouting, in: .inet, comment: "")
        guard case .unknown(let text) = result.content else {
            Issue.record("decoded to a rule")
            return
        }
        #expect(text.contains("an address without its family"))
    }

    @Test("what is unknown is told with the comment, the table and the chain")
    func unknownIsTold() {
        let result = RuleDecoder.decode([.unknown("quota")], at: .input, in: .inet, comment: "ecs-netsetup: x")
        #expect(
            result.content
                == .unknown("\"ecs-netsetup: x\" in inet ecs-netsetup input has unknown expression 'quota'"))
    }
}
