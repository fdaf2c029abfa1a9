import Model

@testable import IptablesBackend

/// Where the parts of an entry stand, found without the decoder under test.
struct EntryParts {
    /// A match or the target, with its header.
    struct Part {
        let name: String
        let range: Range<Int>

        var data: Range<Int> { range.lowerBound + 32..<range.upperBound }

        /// What stands behind the NUL of the name.
        var garbage: Range<Int> { range.lowerBound + 2 + name.utf8.count + 1..<range.lowerBound + 31 }
    }

    let matches: [Part]
    let target: Part

    var extensions: [Part] { matches + [target] }

    init(_ entry: [UInt8], _ family: AddressFamily) {
        func number(_ offset: Int) -> Int { Int(entry[offset]) | Int(entry[offset + 1]) << 8 }
        func part(_ offset: Int) -> Part {
            let name = String(decoding: entry[offset + 2..<offset + 31].prefix { $0 != 0 }, as: UTF8.self)
            return Part(name: name, range: offset..<offset + number(offset))
        }
        let end = number(family == .ipv4 ? 88 : 140)
        var matches: [Part] = []
        var offset = family == .ipv4 ? 112 : 168
        while offset < end {
            matches.append(part(offset))
            offset = matches.last?.range.upperBound ?? end
        }
        self.matches = matches
        target = part(end)
    }
}

extension EntryParts {
    /// The positions that may differ between entries that say the same.
    static func ignored(in entry: [UInt8], _ placed: PlacedRule) -> Set<Int> {
        let parts = EntryParts(entry, placed.rule.family)
        var ignored = Set(header(placed.rule))
        for part in parts.extensions { ignored.formUnion(part.garbage) }
        for part in parts.matches { ignored.formUnion(insideMatch(part, entry)) }
        ignored.formUnion(insideTarget(parts.target, placed))
        return ignored
    }

    /// `nfcache`, `comefrom`, the counters and the padding; interface names where no mask makes them count; the type
    /// of service, whose flag is not set.
    private static func header(_ rule: Rule) -> [Int] {
        var positions =
            rule.family == .ipv4
            ? Array(32..<48) + Array(84..<88) + Array(92..<112)
            : Array(80..<96) + [130] + Array(133..<140) + Array(144..<168)
        let name = rule.matches.compactMap { match -> Int? in
            if case .inInterface(let pattern, _) = match { pattern.name.utf8.count + 1 } else { nil }
        }.first
        let interface = rule.family == .ipv4 ? 16 : 64
        positions += Array(interface + (name ?? 0)..<interface + 16)
        return positions
    }

    private static func insideMatch(_ part: Part, _ entry: [UInt8]) -> [Int] {
        let start = part.data.lowerBound
        switch part.name {
        case "comment":
            let length = entry[part.data].prefix { $0 != 0 }.count
            return Array(start + length + 1..<part.data.upperBound)
        // struct xt_tcp is 12 bytes long.
        case "tcp": return Array(start + 12..<part.data.upperBound)
        // Addresses, ports, status and lifetime, whose flags are not set; the structure is 164 bytes long.
        case "conntrack": return Array(start..<start + 146) + Array(start + 152..<part.data.upperBound)
        default: return []
        }
    }

    private static func insideTarget(_ part: Part, _ placed: PlacedRule) -> [Int] {
        let start = part.data.lowerBound
        switch placed.rule.action {
        // The kernel fills in the verdict of one that is given by its name.
        case .accept, .drop: return part.name.isEmpty ? Array(start + 4..<part.data.upperBound) : Array(part.data)
        case .reject: return Array(start + 4..<part.data.upperBound)
        // The structures are 44 and 20 bytes long.
        case .dnat: return Array(start + (placed.revision == .range2 ? 44 : 20)..<part.data.upperBound)
        case .redirect: return Array(start + 20..<part.data.upperBound)
        }
    }
}
