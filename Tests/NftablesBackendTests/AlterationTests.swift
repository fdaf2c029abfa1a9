import CLibnftnl
import Model
import TestSupport
import Testing

@testable import NftablesBackend

@Suite("A rule that somebody altered is never taken for ours")
struct AlterationTests {
    @Test("whatever one thing was changed", arguments: PlacedRule.all)
    func everySingleAlteration(_ placed: PlacedRule) {
        for alteration in Alteration.all(of: placed.expressions) {
            let content = placed.decode(alteration.expressions)
            #expect(content != .rule(placed.rule), "\(alteration.what)")
        }
    }

    @Test("at another place", arguments: PlacedRule.all)
    func otherPlace(_ placed: PlacedRule) {
        for place in [Place.input, .forward, .output] where place != placed.rule.place {
            let result = RuleDecoder.decode(
                placed.expressions, at: place, in: placed.layout, comment: placed.rule.comment ?? "")
            #expect(result.content != .rule(placed.rule))
        }
    }

    @Test("cut off after any expression", arguments: PlacedRule.all)
    func cutOff(_ placed: PlacedRule) {
        for count in placed.expressions.indices {
            #expect(placed.decode(Array(placed.expressions.prefix(count))) != .rule(placed.rule))
        }
    }

    @Test("any sequence of known expressions is decoded without a crash", arguments: 0..<16 as Range<UInt64>)
    func anySequence(_ seed: UInt64) {
        var random = SplitMix64(state: seed)
        let pool = Array(Set(PlacedRule.all.flatMap(\.expressions))).sorted { "\($0)" < "\($1)" }
        let known = Set(PlacedRule.all.filter { $0.layout == .inet }.map(\.expressions))
        for _ in 0..<Sanitizer.fewer(1000) {
            let count = Int.random(in: 0...9, using: &random)
            let expressions = (0..<count).compactMap { _ in pool.randomElement(using: &random) }
            let result = RuleDecoder.decode(expressions, at: .input, in: .inet, comment: "ecs-netsetup: x")
            if case .unknown(let text) = result.content {
                #expect(!text.isEmpty)
                #expect(!known.contains(expressions))
            }
        }
    }
}
