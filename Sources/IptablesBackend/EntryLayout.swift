import Model

/// Where the fields of a rule's entry stand: `struct ipt_entry` (`linux/netfilter_ipv4/ip_tables.h`) and
/// `struct ip6t_entry` (`linux/netfilter_ipv6/ip6_tables.h`). Offsets and sizes in bytes; a test holds them against
/// the headers.
struct EntryLayout {
    let source: Int
    let destination: Int
    let sourceMask: Int
    let destinationMask: Int
    let inInterface: Int
    let outInterface: Int
    let inInterfaceMask: Int
    let outInterfaceMask: Int
    let proto: Int
    let flags: Int
    let inverseFlags: Int
    let targetOffset: Int
    let nextOffset: Int
    let packets: Int
    let bytes: Int
    /// The size of the entry without matches and target.
    let size: Int
    /// The flag that says that the protocol counts: `IP6T_F_PROTO`; IPv4 has none.
    let protocolFlag: UInt8

    /// Whether some bytes are one entry: as long as it says, with a target that ends before it does.
    func isWhole(_ entry: [UInt8]) -> Bool {
        let target = Int(NativeBytes.decode(entry, targetOffset) as UInt16)
        let targetSize = Int(NativeBytes.decode(entry, target) as UInt16)
        return Int(NativeBytes.decode(entry, nextOffset) as UInt16) == entry.count && target >= size
            && targetSize >= ExtensionHeader.size && target + targetSize <= entry.count
    }

    /// `IFNAMSIZ` (`linux/if.h`).
    static let interfaceSize = 16

    static func layout(of family: AddressFamily) -> EntryLayout { family == .ipv4 ? ipv4 : ipv6 }

    private static let ipv4 = EntryLayout(
        source: 0, destination: 4, sourceMask: 8, destinationMask: 12, inInterface: 16, outInterface: 32,
        inInterfaceMask: 48, outInterfaceMask: 64, proto: 80, flags: 82, inverseFlags: 83, targetOffset: 88,
        nextOffset: 90, packets: 96, bytes: 104, size: 112, protocolFlag: 0)
    private static let ipv6 = EntryLayout(
        source: 0, destination: 16, sourceMask: 32, destinationMask: 48, inInterface: 64, outInterface: 80,
        inInterfaceMask: 96, outInterfaceMask: 112, proto: 128, flags: 131, inverseFlags: 132, targetOffset: 140,
        nextOffset: 142, packets: 152, bytes: 160, size: 168, protocolFlag: 1)

    /// `IPT_INV_VIA_IN` and `IP6T_INV_VIA_IN`.
    static let inverseInInterface: UInt8 = 0x01
    /// `IPT_INV_SRCIP` and `IP6T_INV_SRCIP`.
    static let inverseSource: UInt8 = 0x08
    /// `IPPROTO_TCP`.
    static let tcp: UInt16 = 6
}

/// The header before each match's and target's data: `struct xt_entry_match`, `struct xt_entry_target`
/// (`linux/netfilter/x_tables.h`).
enum ExtensionHeader {
    static let size = 32
    static let nameOffset = 2
    /// `XT_EXTENSION_MAXNAMELEN`.
    static let nameSize = 29
    static let revisionOffset = 31
}

/// Bytes of a kernel structure in this machine's order.
enum NativeBytes {
    static func encode<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number.littleEndian >> Number($0 * 8)) }
    }

    /// The number at an offset; 0 where the bytes end before it.
    static func decode<Number: FixedWidthInteger & UnsignedInteger>(_ bytes: [UInt8], _ offset: Int) -> Number {
        let size = Number.bitWidth / 8
        guard offset >= 0, offset + size <= bytes.count else { return 0 }
        return Number(littleEndian: (0..<size).reduce(0) { $0 | Number(bytes[offset + $1]) << Number($1 * 8) })
    }

    /// A port in network byte order.
    static func bigEndian(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 0xff)] }

    static func port(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
        guard offset + 2 <= bytes.count else { return 0 }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    /// The text up to the NUL in a field; what stands behind the NUL is garbage when read back.
    static func string(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> String {
        String(decoding: bytes.dropFirst(offset).prefix(size).prefix { $0 != 0 }, as: UTF8.self)
    }
}
