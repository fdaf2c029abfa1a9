import Glibc

/// The address family that a rule speaks about.
package enum AddressFamily: String, Sendable, CaseIterable {
    case ipv4
    case ipv6

    /// The length of an address, in bytes.
    package var addressLength: Int { self == .ipv4 ? 4 : 16 }

    /// `AF_INET` or `AF_INET6` (`<sys/socket.h>`).
    package var number: CInt { self == .ipv4 ? AF_INET : AF_INET6 }
}

/// An address with a prefix length, as in `169.254.169.254/32`.
package struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The address in network byte order: 4 or 16 bytes.
    package let bytes: [UInt8]
    /// The number of leading bits that count: 0 to 32, or 0 to 128.
    package let length: Int

    /// A prefix of raw bytes; nil when the byte count is neither 4 nor 16 or the length does not fit it.
    package init?(bytes: [UInt8], length: Int) {
        guard bytes.count == 4 || bytes.count == 16, (0...bytes.count * 8).contains(length) else { return nil }
        self.bytes = bytes
        self.length = length
    }

    /// A prefix of raw bytes and a network mask; nil when the mask's one bits are not contiguous.
    package init?(bytes: [UInt8], mask: [UInt8]) {
        let length = mask.reduce(0) { $0 + $1.nonzeroBitCount }
        guard bytes.count == mask.count, mask == Self.mask(length: length, count: mask.count) else { return nil }
        self.init(bytes: bytes, length: length)
    }

    /// An IPv4 prefix from its four bytes.
    package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, length: UInt8 = 32) {
        bytes = [a, b, c, d]
        self.length = min(Int(length), 32)
    }

    /// Reads an address as `inet_pton` does, alone or with a length or a mask: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`. Nil
    /// where it is none, or where the mask's one bits are not contiguous.
    package init?(text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.bytes(of: String(parts[0])) else { return nil }
        guard parts.count > 1 else {
            self.init(bytes: bytes, length: bytes.count * 8)
            return
        }
        if let length = UInt8(parts[1]) {
            self.init(bytes: bytes, length: Int(length))
        } else if let mask = Self.bytes(of: String(parts[1])) {
            self.init(bytes: bytes, mask: mask)
        } else {
            return nil
        }
    }

    /// The corresponding C function is `inet_pton`.
    private static func bytes(of text: String) -> [UInt8]? {
        let family: AddressFamily = text.utf8.contains(UInt8(ascii: ":")) ? .ipv6 : .ipv4
        var bytes = [UInt8](repeating: 0, count: family.addressLength)
        // Safe: inet_pton(3) writes an address of the family, and the array is as long as one.
        return unsafe inet_pton(family.number, text, &bytes) == 1 ? bytes : nil
    }

    package var family: AddressFamily { bytes.count == 4 ? .ipv4 : .ipv6 }

    /// Whether every bit counts, so that this is one host.
    package var isHost: Bool { length == bytes.count * 8 }

    /// The network mask in network byte order.
    package var mask: [UInt8] { Self.mask(length: length, count: bytes.count) }

    private static func mask(length: Int, count: Int) -> [UInt8] {
        (0..<count).map { index in
            let bits = min(max(length - index * 8, 0), 8)
            return bits == 0 ? 0 : 0xff << UInt8(8 - bits)
        }
    }

    /// The address without its length, as `inet_ntop` writes it.
    package var address: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Safe: inet_ntop(3) reads an address of the family, which is chosen by the number of bytes that are there, and
        // writes no more than it is told.
        guard unsafe inet_ntop(family.number, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package var description: String { "\(address)/\(length)" }
}
