package import Model

extension Host {
    /// Whether any route leads to an IPv6 address, in whichever table; one that refuses is none. The corresponding file is
    /// `/proc/net/ipv6_route`.
    package func hasRoute(to address: IPPrefix) throws(Failure) -> Bool {
        guard let table = try files.read("/proc/net/ipv6_route", limit: 64 << 20) else { return false }
        return RouteTable6(table.text).leads(to: address)
    }
}

/// The text of `/proc/net/ipv6_route` (kernel, `net/ipv6/route.c`): a route a line, of which the first field is the
/// destination, the second its length, the ninth the flags, the last the interface, numbers in hexadecimal.
struct RouteTable6 {
    private let text: String

    init(_ text: String) { self.text = text }

    /// `RTF_REJECT` (`linux/route.h`).
    private static let refuses: UInt32 = 0x200

    func leads(to address: IPPrefix) -> Bool {
        text.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            guard fields.count == 10, let length = Int(fields[1], radix: 16), let flags = UInt32(fields[8], radix: 16)
            else { return false }
            return flags & Self.refuses == 0 && fields[9] != "lo" && Self.covers(fields[0], length, address)
        }
    }

    private static func covers(_ digits: Substring, _ length: Int, _ address: IPPrefix) -> Bool {
        let bytes = stride(from: 0, to: digits.utf8.count - 1, by: 2).compactMap { offset in
            let start = digits.utf8.index(digits.startIndex, offsetBy: offset)
            return UInt8(digits[start..<digits.utf8.index(start, offsetBy: 2)], radix: 16)
        }
        guard bytes.count == address.bytes.count, (0...bytes.count * 8).contains(length) else { return false }
        return bytes.indices.allSatisfy { index in
            let bits = min(max(length - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xff00 >> bits)
            return bytes[index] & mask == address.bytes[index] & mask
        }
    }
}
