import Model
import TestSupport
import Testing

@testable import IptablesBackend

/// A rule of the catalogue and the revision of DNAT with which it is written.
struct PlacedRule: CustomTestStringConvertible {
    let rule: Rule
    let revision: DnatRevision

    var testDescription: String { "\(rule.place.rawValue), DNAT revision \(revision.rawValue): \(rule.title)" }

    var entry: [UInt8] { EntryEncoder(dnatRevision: revision).encode(rule) }

    /// The entry as the kernel hands it out: verdicts are numbers under an empty name.
    var kernelEntry: [UInt8] {
        var entry = entry
        let target = EntryParts(entry, rule.family).target
        let verdict: [UInt8]
        switch target.name {
        // -NF_DROP - 1 and -NF_ACCEPT - 1
        case "DROP": verdict = [0xff, 0xff, 0xff, 0xff]
        case "ACCEPT": verdict = [0xfe, 0xff, 0xff, 0xff]
        default: return entry
        }
        let start = target.range.lowerBound
        entry.replaceSubrange(start + 2..<start + 31, with: [UInt8](repeating: 0, count: 29))
        entry.replaceSubrange(start + 32..<start + 36, with: verdict)
        return entry
    }

    /// The same entry with the name of its target replaced, and with nothing behind the name.
    func entry(target name: String) -> [UInt8] {
        var entry = entry
        let start = EntryParts(entry, rule.family).target.range.lowerBound + 2
        let bytes = Array(name.utf8)
        entry.replaceSubrange(start..<start + 29, with: bytes + [UInt8](repeating: 0, count: 29 - bytes.count))
        return entry
    }

    /// What an entry at this rule's place says.
    func decode(_ entry: [UInt8]) -> InstalledRule.Content {
        EntryDecoder.decode(entry, at: rule.place, rule.family)
    }

    /// The whole catalogue, with each revision of DNAT.
    static let all: [PlacedRule] = Combinations.rules(.iptables).flatMap { rule in
        var revisions = [DnatRevision.range2]
        if case .dnat = rule.action { revisions.append(.ranges) }
        return revisions.map { PlacedRule(rule: rule, revision: $0) }
    }
}
