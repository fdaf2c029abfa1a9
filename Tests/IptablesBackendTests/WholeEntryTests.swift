import Model
import Testing

@testable import IptablesBackend

@Suite("An entry that libiptc is given")
struct WholeEntryTests {
    private func isWhole(_ entry: [UInt8], _ placed: PlacedRule) -> Bool {
        EntryLayout.layout(of: placed.rule.family).isWhole(entry)
    }

    @Test("is whole, as it is written and as the kernel holds it", arguments: PlacedRule.all)
    func whole(_ placed: PlacedRule) {
        #expect(isWhole(placed.entry, placed))
        #expect(isWhole(placed.kernelEntry, placed))
        #expect(isWhole(StandardVerdict.named(placed.kernelEntry, placed.rule.family), placed))
    }

    @Test("is refused where it says that it is longer or shorter than it is", arguments: PlacedRule.all)
    func damaged(_ placed: PlacedRule) {
        let layout = EntryLayout.layout(of: placed.rule.family)
        #expect(!isWhole([], placed))
        #expect(!isWhole([UInt8](repeating: 0, count: layout.size), placed))
        #expect(!isWhole(Array(placed.entry.dropLast()), placed))
        #expect(!isWhole(placed.entry + [0], placed))
        for offset in [layout.nextOffset, layout.targetOffset] {
            for byte in [UInt8(0), 8, 255] {
                var entry = placed.entry
                entry.replaceSubrange(offset..<offset + 2, with: [byte, byte])
                #expect(!isWhole(entry, placed))
            }
        }
    }
}
