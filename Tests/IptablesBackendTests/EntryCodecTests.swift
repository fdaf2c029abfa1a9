import Model
import Testing

@testable import IptablesBackend

@Suite("A rule of the catalogue, as a kernel entry and back")
struct EntryCodecTests {
    @Test("covers both families, every place and every action")
    func coversTheCatalogue() {
        let rules = PlacedRule.all.map(\.rule)
        #expect(Set(rules.map(\.family)) == Set(AddressFamily.allCases))
        #expect(Set(rules.map(\.place)) == Set(Place.allCases))
        let targets = PlacedRule.all.map { EntryParts($0.entry, $0.rule.family).target.name }
        #expect(Set(targets) == ["ACCEPT", "DROP", "REJECT", "DNAT", "REDIRECT"])
        #expect(PlacedRule.all.contains { $0.revision == .ranges })
    }

    @Test("stays the same", arguments: PlacedRule.all)
    func roundTrip(_ placed: PlacedRule) {
        #expect(placed.decode(placed.entry) == .rule(placed.rule))
        #expect(placed.decode(placed.kernelEntry) == .rule(placed.rule))
    }

    @Test("gets its verdict's name again, before libiptc takes it back", arguments: PlacedRule.all)
    func namedVerdict(_ placed: PlacedRule) {
        let named = StandardVerdict.named(placed.kernelEntry, placed.rule.family)
        let target = EntryParts(named, placed.rule.family).target
        #expect(target.name == EntryParts(placed.entry, placed.rule.family).target.name)
        #expect(placed.decode(named) == .rule(placed.rule))
        #expect(StandardVerdict.named(placed.entry, placed.rule.family) == placed.entry)
    }

    @Test("keeps its comment", arguments: PlacedRule.all)
    func comment(_ placed: PlacedRule) {
        #expect(EntryDecoder.comment(of: placed.entry, placed.rule.family) == placed.rule.comment)
    }

    @Test("is a multiple of eight bytes long, as the kernel demands", arguments: PlacedRule.all)
    func alignment(_ placed: PlacedRule) {
        #expect(placed.entry.count % 8 == 0)
    }

    @Test("is told with its counters", arguments: AddressFamily.allCases)
    func counters(_ family: AddressFamily) throws {
        var entry = try #require(PlacedRule.all.first { $0.rule.family == family }).entry
        let layout = EntryLayout.layout(of: family)
        entry.replaceSubrange(layout.packets..<layout.packets + 8, with: NativeBytes.encode(0x0102_0304_0506 as UInt64))
        entry.replaceSubrange(layout.bytes..<layout.bytes + 8, with: NativeBytes.encode(UInt64.max))
        let counters = EntryDecoder.counters(of: entry, family)
        #expect(counters.packets == 0x0102_0304_0506)
        #expect(counters.bytes == .max)
    }

    @Test("garbage behind the NUL of a name changes nothing, as the kernel hands it back", arguments: PlacedRule.all)
    func garbageBehindNames(_ placed: PlacedRule) {
        for original in [placed.entry, placed.kernelEntry] {
            var entry = original
            for part in EntryParts(entry, placed.rule.family).extensions {
                for index in part.garbage { entry[index] = 0xa5 }
            }
            #expect(entry != original)
            #expect(placed.decode(entry) == .rule(placed.rule))
        }
    }

    @Test("stands for another rule under another target", arguments: PlacedRule.all)
    func otherTarget(_ placed: PlacedRule) {
        let own = EntryParts(placed.entry, placed.rule.family).target.name
        for name in ["ACCEPT", "DROP", "REJECT", "DNAT", "REDIRECT", "LOG", "DOCKER-USER", "ERROR", ""]
        where name != own {
            #expect(placed.decode(placed.entry(target: name)) != .rule(placed.rule), "\(name)")
        }
    }

    @Test(
        "a jump, a return and a queue are no verdicts of ours",
        arguments: [0, 1, 112, -3, -4, -5, .max, .min] as [Int32])
    func otherVerdict(_ verdict: Int32) throws {
        let placed = try #require(PlacedRule.all.first { $0.rule.action == .drop })
        var entry = placed.kernelEntry
        let data = EntryParts(entry, placed.rule.family).target.data.lowerBound
        entry.replaceSubrange(data..<data + 4, with: NativeBytes.encode(UInt32(bitPattern: verdict)))
        guard case .unknown = placed.decode(entry) else {
            Issue.record("decoded to a rule")
            return
        }
    }

    @Test("DNAT without an address is no REDIRECT, nor REDIRECT with one a DNAT")
    func natFlags() throws {
        func first(_ target: String, _ revision: DnatRevision) -> PlacedRule? {
            PlacedRule.all.first {
                EntryParts($0.entry, $0.rule.family).target.name == target && $0.revision == revision
            }
        }
        // In revision 0 the two have the same structure.
        let dnat = try #require(first("DNAT", .ranges))
        let redirect = try #require(first("REDIRECT", .range2))
        for entry in [dnat.entry(target: "REDIRECT"), redirect.entry(target: "DNAT")] {
            guard case .unknown = redirect.decode(entry) else {
                Issue.record("decoded to \(redirect.decode(entry))")
                continue
            }
        }
    }

    @Test("without a comment, has none")
    func withoutComment() throws {
        let known = try #require(PlacedRule.all.first { $0.rule.place == .output })
        let rule = Rule(
            place: .output, family: .ipv4, matches: known.rule.matches, action: known.rule.action, comment: nil)
        let bare = PlacedRule(rule: rule, revision: .range2)
        #expect(EntryDecoder.comment(of: bare.entry, .ipv4) == nil)
        #expect(bare.decode(bare.entry) == .rule(rule))
        #expect(bare.decode(bare.entry) != .rule(known.rule))
    }

    @Test("a comment of any length is cut to what the kernel keeps, with its NUL", arguments: [0, 1, 255, 256, 400])
    func longComment(_ length: Int) {
        let comment = String(repeating: "c", count: length)
        let rule = Rule(place: .input, family: .ipv6, matches: [], action: .drop, comment: comment)
        let entry = EntryEncoder(dnatRevision: .range2).encode(rule)
        #expect(EntryDecoder.comment(of: entry, .ipv6) == String(comment.prefix(255)))
    }
}
