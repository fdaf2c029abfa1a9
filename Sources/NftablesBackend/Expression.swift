import CLibnftnl
import Model

/// One expression of an nf_tables rule, as far as this program knows them.
enum Expression: Hashable {
    /// Loads a property of the packet (`NFT_META_*`) into a register.
    case meta(key: UInt32, register: UInt32)
    /// Loads bytes of a header (`NFT_PAYLOAD_*`) into a register.
    case payload(base: UInt32, offset: UInt32, length: UInt32, register: UInt32)
    /// Loads a property of the connection (`NFT_CT_*`) into a register.
    case connection(key: UInt32, register: UInt32)
    case bitwise(source: UInt32, destination: UInt32, mask: [UInt8], xor: [UInt8])
    /// Compares a register (`NFT_CMP_*`).
    case compare(operation: UInt32, register: UInt32, data: [UInt8])
    case counter(packets: UInt64, bytes: UInt64)
    case immediate(register: UInt32, data: [UInt8])
    /// `NF_DROP`, `NF_ACCEPT`.
    case verdict(Int32)
    /// `type` is `NFT_NAT_*`; the registers hold the address and the port.
    case nat(type: UInt32, family: UInt32, address: UInt32, port: UInt32, flags: UInt32)
    case redirect(port: UInt32, flags: UInt32)
    /// `NFT_REJECT_*`.
    case reject(type: UInt32, code: UInt8)
    /// Anything else, by its name, or one of the above with fields that this program never sets.
    case unknown(String)
}

/// Rules to expressions and back. Pure: no kernel, no library object.
enum ExpressionCodec {
    private static let data: UInt32 = NFT_REG_1.rawValue
    private static let port: UInt32 = NFT_REG_2.rawValue
    static let equal: UInt32 = NFT_CMP_EQ.rawValue
    static let notEqual: UInt32 = NFT_CMP_NEQ.rawValue
    private static let tcpProtocol: UInt8 = 6

    /// `IPS_DST_NAT` (`linux/netfilter/nf_conntrack_common.h`): the connection's destination was rewritten.
    static let destinationNat: UInt32 = 1 << 5

    /// Where the addresses of an IP header stand, from its beginning (RFC 791, RFC 8200).
    static func addressOffset(_ family: AddressFamily, source: Bool) -> UInt32 {
        switch family {
        case .ipv4: source ? 12 : 16
        case .ipv6: source ? 8 : 24
        }
    }

    /// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
    static func protocolNumber(_ family: AddressFamily) -> UInt8 { family == .ipv4 ? 2 : 10 }

    /// The expressions of a rule in a table of this layout.
    static func encode(_ rule: Rule, in layout: TableLayout) -> [Expression] {
        var expressions: [Expression] = []
        if layout.needsFamilyMatch {
            expressions += [
                .meta(key: NFT_META_NFPROTO.rawValue, register: data),
                .compare(operation: equal, register: data, data: [protocolNumber(rule.family)]),
            ]
        }
        expressions += rule.matches.flatMap(encode)
        expressions.append(.counter(packets: 0, bytes: 0))
        return expressions + encode(rule.action, family: rule.family)
    }

    private static func encode(_ match: Match) -> [Expression] {
        switch match {
        case .destination(let prefix): encode(prefix)
        case .inInterface(let pattern, let negated):
            [
                .meta(key: NFT_META_IIFNAME.rawValue, register: data),
                .compare(operation: negated ? notEqual : equal, register: data, data: interfaceData(pattern)),
            ]
        case .tcp:
            [
                .meta(key: NFT_META_L4PROTO.rawValue, register: data),
                .compare(operation: equal, register: data, data: [tcpProtocol]),
            ]
        case .tcpDestinationPort(let number):
            [
                .payload(base: NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, offset: 2, length: 2, register: data),
                .compare(operation: equal, register: data, data: bigEndian(number)),
            ]
        case .destinationTranslated:
            [
                .connection(key: NFT_CT_STATUS.rawValue, register: data),
                .bitwise(source: data, destination: data, mask: native(destinationNat), xor: native(0)),
                .compare(operation: notEqual, register: data, data: native(0)),
            ]
        }
    }

    /// Whole bytes are loaded as such, which is also how nft writes them; other lengths are masked.
    private static func encode(_ prefix: IPPrefix) -> [Expression] {
        let offset = addressOffset(prefix.family, source: false)
        let base = NFT_PAYLOAD_NETWORK_HEADER.rawValue
        if prefix.length % 8 == 0, prefix.length > 0 {
            let count = prefix.length / 8
            return [
                .payload(base: base, offset: offset, length: UInt32(count), register: data),
                .compare(operation: equal, register: data, data: Array(prefix.bytes.prefix(count))),
            ]
        }
        return [
            .payload(base: base, offset: offset, length: UInt32(prefix.bytes.count), register: data),
            .bitwise(
                source: data, destination: data, mask: prefix.mask,
                xor: [UInt8](repeating: 0, count: prefix.bytes.count)),
            .compare(operation: equal, register: data, data: prefix.bytes),
        ]
    }

    private static func encode(_ action: Action, family: AddressFamily) -> [Expression] {
        switch action {
        case .accept: [.verdict(NF_ACCEPT)]
        case .drop: [.verdict(NF_DROP)]
        case .reject(.tcpReset): [.reject(type: NFT_REJECT_TCP_RST.rawValue, code: 0)]
        case .reject(.adminProhibited):
            [.reject(type: NFT_REJECT_ICMP_UNREACH.rawValue, code: prohibitedCode(family))]
        case .dnat(let address, let number):
            [
                .immediate(register: data, data: address.bytes),
                .immediate(register: port, data: bigEndian(number)),
                .nat(
                    type: NFT_NAT_DNAT.rawValue, family: UInt32(protocolNumber(family)), address: data, port: port,
                    flags: natFlags),
            ]
        case .redirect(let number):
            [
                .immediate(register: data, data: bigEndian(number)),
                .redirect(port: data, flags: redirectFlags),
            ]
        }
    }

    /// `ICMP_PKT_FILTERED` (`linux/icmp.h`) and `ICMPV6_ADM_PROHIBITED` (`linux/icmpv6.h`).
    static func prohibitedCode(_ family: AddressFamily) -> UInt8 { family == .ipv4 ? 13 : 1 }

    /// The flags that nf_tables itself adds for an address and a port (`NF_NAT_RANGE_*`).
    static let natFlags = UInt32(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)
    static let redirectFlags = UInt32(NF_NAT_RANGE_PROTO_SPECIFIED)

    /// A name is compared with its NULs up to `IFNAMSIZ`; a wildcard only as far as it goes.
    private static func interfaceData(_ pattern: InterfacePattern) -> [UInt8] {
        let name = Array(pattern.name.utf8)
        return pattern.isWildcard ? name : name + [UInt8](repeating: 0, count: Int(IFNAMSIZ) - name.count)
    }

    static func bigEndian(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    /// A register's bytes in this machine's order.
    static func native(_ number: UInt32) -> [UInt8] {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number.littleEndian >> (8 * UInt32($0))) }
        return bytes
    }
}
