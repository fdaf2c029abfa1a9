import Model
import TestSupport
import Testing

@testable import IptablesBackend

@Suite("An entry that somebody altered is never taken for ours")
struct EntryAlterationTests {
    @Test("whatever one byte was changed, but for those that say nothing", arguments: PlacedRule.all)
    func everySingleByte(_ placed: PlacedRule) {
        for entry in Set([placed.entry, placed.kernelEntry]) { alterEverySingleByte(of: entry, placed) }
    }

    private func alterEverySingleByte(of entry: [UInt8], _ placed: PlacedRule) {
        let ignored = EntryParts.ignored(in: entry, placed)
        for index in entry.indices {
            for byte in [entry[index] ^ 1, entry[index] ^ 0x80, entry[index] &+ 8, 0]
            where byte != entry[index] {
                var altered = entry
                altered[index] = byte
                let isSame = placed.decode(altered) == .rule(placed.rule)
                #expect(!isSame || ignored.contains(index), "byte \(index): \(entry[index]) became \(byte)")
            }
        }
    }

    @Test("counters, nfcache and comefrom say nothing", arguments: PlacedRule.all)
    func positionsThatSayNothing(_ placed: PlacedRule) {
        let isIPv4 = placed.rule.family == .ipv4
        for index in isIPv4 ? [84, 87, 92, 95, 96, 111] : [136, 139, 144, 147, 152, 167] {
            var entry = placed.entry
            entry[index] ^= 0xff
            #expect(placed.decode(entry) == .rule(placed.rule), "byte \(index)")
        }
    }

    @Test("cut off anywhere, and no crash", arguments: PlacedRule.all)
    func cutOff(_ placed: PlacedRule) {
        let entry = placed.entry
        for count in entry.indices {
            let short = Array(entry.prefix(count))
            #expect(placed.decode(short) != .rule(placed.rule), "\(count) bytes")
            _ = EntryDecoder.comment(of: short, placed.rule.family)
            _ = EntryDecoder.counters(of: short, placed.rule.family)
        }
    }

    @Test("with bytes behind its end", arguments: PlacedRule.all)
    func tooLong(_ placed: PlacedRule) {
        #expect(placed.decode(placed.entry + [UInt8](repeating: 0, count: 8)) != .rule(placed.rule))
    }

    @Test("with its matches in another order, which the stock tool's delete would not find")
    func matchOrder() throws {
        for placed in PlacedRule.all {
            let entry = placed.entry
            let parts = EntryParts(entry, placed.rule.family)
            guard parts.matches.count > 1, let first = parts.matches.first, let last = parts.matches.last else {
                continue
            }
            let turned = parts.matches.reversed().flatMap { entry[$0.range] }
            let altered = entry[..<first.range.lowerBound] + turned + entry[last.range.upperBound...]
            #expect(placed.decode(Array(altered)) != .rule(placed.rule))
        }
    }

    @Test("at another place", arguments: PlacedRule.all)
    func otherPlace(_ placed: PlacedRule) {
        for place in Place.allCases where place != placed.rule.place {
            let content = EntryDecoder.decode(placed.entry, at: place, placed.rule.family)
            #expect(content != .rule(placed.rule))
        }
    }

    @Test("in a table of the other family, and no crash", arguments: PlacedRule.all)
    func otherFamily(_ placed: PlacedRule) {
        let other: AddressFamily = placed.rule.family == .ipv4 ? .ipv6 : .ipv4
        let content = EntryDecoder.decode(placed.entry, at: placed.rule.place, other)
        #expect(content != .rule(placed.rule))
    }

    @Test("many bytes changed at once cause no crash", arguments: 0..<64 as Range<UInt64>)
    func manyBytes(_ seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        for _ in 0..<Sanitizer.fewer(200) {
            let placed = try #require(PlacedRule.all.randomElement(using: &random))
            var entry = placed.entry
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let index = Int.random(in: entry.indices, using: &random)
                entry[index] = UInt8.random(in: 0...255, using: &random)
            }
            if case .unknown(let text) = placed.decode(entry) { #expect(text.contains(" has ")) }
            _ = EntryDecoder.comment(of: entry, placed.rule.family)
        }
    }
}
