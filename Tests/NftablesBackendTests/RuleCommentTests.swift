import TestSupport
import Testing

@testable import NftablesBackend

@Suite("A rule's comment in its user data")
struct RuleCommentTests {
    private static let text = "ecs-netsetup: localhost guard"

    @Test("stays the same", arguments: PlacedRule.all.compactMap(\.rule.comment))
    func roundTrip(_ comment: String) {
        #expect(RuleComment.decode(RuleComment.encode(comment)) == comment)
    }

    @Test("is type 0, the length with the NUL, the text, the NUL: as nft writes it")
    func bytes() {
        #expect(RuleComment.encode("ab") == [0, 3, 0x61, 0x62, 0])
    }

    @Test("keeps to the 128 bytes that nft reads")
    func longest() {
        let long = String(repeating: "x", count: 300)
        #expect(RuleComment.encode(long).count == 2 + 128)
        #expect(RuleComment.decode(RuleComment.encode(long)) == String(repeating: "x", count: 127))
    }

    @Test("cut off anywhere, is none", arguments: 0..<RuleComment.encode(text).count)
    func truncated(_ count: Int) {
        #expect(RuleComment.decode(Array(RuleComment.encode(Self.text).prefix(count))) == nil)
    }

    @Test("is found behind and before other user data, and ends at its NUL")
    func amongOthers() {
        let other: [UInt8] = [1, 4, 0, 0, 0, 1]
        #expect(RuleComment.decode(other + RuleComment.encode(Self.text)) == Self.text)
        #expect(RuleComment.decode(RuleComment.encode(Self.text) + other) == Self.text)
        #expect(RuleComment.decode([0, 5, 0x61, 0, 0x62, 0x63, 0]) == "a")
        #expect(RuleComment.decode(other) == nil)
    }

    @Test("one changed byte makes another comment or none")
    func oneByte() {
        let data = RuleComment.encode(Self.text)
        for index in data.indices.dropLast() {
            // The length may shrink to just before the NUL.
            let isLength = index == 1
            for bits in [1, 2, 0x20, 0x80] as [UInt8] where !isLength || bits > 1 {
                #expect(RuleComment.decode(data.flipping(bits, at: index)) != Self.text, "byte \(index) ^ \(bits)")
            }
        }
    }

    @Test("garbage is read without a crash", arguments: 0..<200 as Range<UInt64>)
    func garbage(_ seed: UInt64) {
        var random = SplitMix64(state: seed)
        let data = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect((RuleComment.decode(data)?.utf8.count ?? 0) <= 3 * data.count)
    }
}
