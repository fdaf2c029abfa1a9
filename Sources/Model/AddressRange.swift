extension IPPrefix {
    /// The prefixes that make up the addresses between two, both included.
    package static func covering(from: [UInt8], to: [UInt8]) -> [IPPrefix] {
        let width = from.count * 8
        func number(_ bytes: [UInt8]) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
        var first = number(from)
        let last = number(to)
        var prefixes: [IPPrefix] = []
        while first <= last {
            // The largest block that begins here and does not go beyond the end.
            var bits = min(first.trailingZeroBitCount, width)
            while bits > 0, last - first < (bits == 128 ? UInt128.max : (1 << UInt128(bits)) - 1) { bits -= 1 }
            let bytes = (0..<from.count).map { UInt8(truncatingIfNeeded: first >> UInt128((from.count - 1 - $0) * 8)) }
            if let prefix = IPPrefix(bytes: bytes, length: width - bits) { prefixes.append(prefix) }
            let (next, isOver) = first.addingReportingOverflow(bits == 128 ? 0 : 1 << UInt128(bits))
            if isOver || bits == 128 { break }
            first = next
        }
        return prefixes
    }
}
