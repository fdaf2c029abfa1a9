import CLibmnl
import Glibc

/// A message to rtnetlink, written attribute by attribute. Pure: no kernel. The corresponding C type is `struct nlmsghdr`.
struct RouteRequest {
    private(set) var bytes: [UInt8]

    /// A message with its fixed part.
    ///
    /// - Parameters:
    ///   - type: `RTM_*` (`linux/rtnetlink.h`).
    ///   - flags: `NLM_F_*`, to which `NLM_F_REQUEST` is added.
    ///   - body: `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg` or `struct ndmsg`.
    init(_ type: CInt, flags: CInt, body: [UInt8]) {
        bytes =
            Native.bytes(UInt32(0)) + Native.bytes(UInt16(type)) + Native.bytes(UInt16(NLM_F_REQUEST | flags))
            + Native.bytes(UInt32(1)) + Native.bytes(UInt32(0)) + body
        setLength(of: 0, width: 4)
    }

    /// Adds an attribute.
    mutating func add(_ attribute: Int, _ value: [UInt8]) {
        bytes += Native.bytes(UInt16(Self.headSize + value.count)) + Native.bytes(UInt16(attribute)) + value
        bytes += [UInt8](repeating: 0, count: -bytes.count & 3)
        setLength(of: 0, width: 4)
    }

    /// Adds an attribute that is a text.
    mutating func add(_ attribute: Int, _ text: String) { add(attribute, Array(text.utf8) + [0]) }

    /// Adds an attribute that holds others, after a fixed part of its own.
    mutating func nest(_ attribute: Int, body: [UInt8] = [], _ fill: (inout RouteRequest) -> Void) {
        let start = bytes.count
        bytes += Native.bytes(UInt16(0)) + Native.bytes(UInt16(attribute)) + body
        fill(&self)
        setLength(of: start, width: 2)
        setLength(of: 0, width: 4)
    }

    /// `NLA_HDRLEN`.
    private static let headSize = 4

    private mutating func setLength(of start: Int, width: Int) {
        let length = Native.bytes(UInt32(bytes.count - start))
        for index in 0..<width { bytes[start + index] = length[index] }
    }
}

/// A message of rtnetlink: its fixed part and its attributes. Pure.
struct RouteMessage {
    /// `RTM_*`.
    let type: UInt16
    /// What follows the header.
    let payload: ArraySlice<UInt8>

    /// The attributes after a fixed part of this size; of several with the same number, the last.
    func attributes(after size: Int) -> [Int: ArraySlice<UInt8>] { Self.attributes(payload.dropFirst(size)) }

    /// The attributes in some bytes.
    static func attributes(_ bytes: ArraySlice<UInt8>) -> [Int: ArraySlice<UInt8>] {
        var attributes: [Int: ArraySlice<UInt8>] = [:]
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(Native.number(rest, 0) as UInt16)
            guard length >= 4, length <= rest.count else { break }
            // The two highest bits are flags: `NLA_TYPE_MASK`.
            attributes[Int(Native.number(rest, 2) as UInt16) & 0x3fff] = rest.dropFirst(4).prefix(length - 4)
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return attributes
    }
}

/// Numbers in this machine's byte order.
enum Native {
    static func bytes<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number.littleEndian >> Number($0 * 8)) }
    }

    /// The number at an offset from the beginning; 0 where the bytes end before it.
    static func number<Number: FixedWidthInteger & UnsignedInteger>(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> Number
    {
        let size = Number.bitWidth / 8
        guard offset + size <= bytes.count else { return 0 }
        let start = bytes.startIndex + offset
        return Number(littleEndian: (0..<size).reduce(0) { $0 | Number(bytes[start + $1]) << Number($1 * 8) })
    }

    /// The text up to a NUL.
    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
