/// What the matches and targets of xtables say, from the bytes that the kernel keeps of them: the same in the tables of
/// legacy iptables and in those expressions of nf_tables that `iptables-nft` carries them in.
package struct XtablesExtension: Sendable {
    package let name: String
    package let revision: UInt8
    package let data: [UInt8]

    package init(name: String, revision: UInt8, data: [UInt8]) {
        self.name = name
        self.revision = revision
        self.data = data
    }

    /// What a match asks for: any one of these lists, of which all conditions hold together.
    package func alternatives(_ family: AddressFamily) -> [[ForeignRule.Condition]] {
        switch (name, revision) {
        case ("comment", _): [[]]
        case ("tcp", 0): [tcp]
        case ("udp", 0): [ports(inverse: byte(8))]
        case ("multiport", 1): multiport
        case ("conntrack", 2), ("conntrack", 3): [conntrack]
        case ("state", 0): [[.state(states(number(0)), negated: false)]]
        case ("addrtype", 0), ("addrtype", 1): [addressType(family)]
        case ("mark", 1): [[.mark(value: number(0), mask: number(4), negated: byte(8) != 0)]]
        default: [[unknown]]
        }
    }

    private var unknown: ForeignRule.Condition { .unknown("-m \(name)") }

    /// `struct xt_tcp` (`linux/netfilter/xt_tcpudp.h`): two ranges of ports, an option, the flags' mask and value, and
    /// what of it is negated (`XT_TCP_INV_*`).
    private var tcp: [ForeignRule.Condition] {
        let inverse = byte(11)
        var conditions = ports(inverse: inverse)
        if byte(8) != 0 { conditions.append(unknown) }
        if byte(9) != 0 || byte(10) != 0 {
            conditions.append(.tcpFlags(value: byte(10), mask: byte(9), negated: inverse & 4 != 0))
        }
        return conditions
    }

    /// The two ranges of ports that TCP and UDP begin with.
    private func ports(inverse: UInt8) -> [ForeignRule.Condition] {
        var conditions: [ForeignRule.Condition] = []
        let (source, destination) = (range(half(0), half(2)), range(half(4), half(6)))
        if source != Self.anyPort || inverse & 1 != 0 {
            conditions.append(source.map { .sourcePort($0, negated: inverse & 1 != 0) } ?? unknown)
        }
        if destination != Self.anyPort || inverse & 2 != 0 {
            conditions.append(destination.map { .destinationPort($0, negated: inverse & 2 != 0) } ?? unknown)
        }
        return conditions
    }

    private static let anyPort: ClosedRange<UInt16>? = 0...UInt16.max

    private func range(_ from: UInt16, _ to: UInt16) -> ClosedRange<UInt16>? { from <= to ? from...to : nil }

    /// `struct xt_multiport_v1` (`linux/netfilter/xt_multiport.h`): which port, how many of 15 numbers count, the numbers,
    /// which of them begin a range, and whether it is negated.
    private var multiport: [[ForeignRule.Condition]] {
        let count = Int(byte(1))
        let isNegated = byte(47) != 0
        guard count > 0, count <= 15, byte(0) < 2 else { return [[unknown]] }
        var conditions: [ForeignRule.Condition] = []
        var index = 0
        while index < count {
            let isRange = byte(32 + index) != 0 && index + 1 < count
            guard let range = range(half(2 + index * 2), half(2 + (isRange ? index + 1 : index) * 2)) else {
                return [[unknown]]
            }
            // `XT_MULTIPORT_SOURCE` is 0, `XT_MULTIPORT_DESTINATION` 1.
            conditions.append(
                byte(0) == 0
                    ? .sourcePort(range, negated: isNegated) : .destinationPort(range, negated: isNegated))
            index += isRange ? 2 : 1
        }
        return isNegated ? [conditions] : conditions.map { [$0] }
    }

    /// `struct xt_conntrack_mtinfo3` (`linux/netfilter/xt_conntrack.h`); revision 2 differs in ports only. Flag
    /// `XT_CONNTRACK_STATE` is 1.
    private var conntrack: [ForeignRule.Condition] {
        let flags = half(146)
        var conditions: [ForeignRule.Condition] = []
        if flags & 1 != 0 {
            conditions.append(.state(states(UInt32(half(150))), negated: half(148) & 1 != 0))
        }
        if flags & ~1 != 0 { conditions.append(unknown) }
        return conditions
    }

    /// `XT_CONNTRACK_STATE_*`; `xt_state` has UNTRACKED where conntrack has SNAT.
    private func states(_ mask: UInt32) -> Set<ConnectionStateName> {
        let bits: [(ConnectionStateName, UInt32)] = [
            (.invalid, 1), (.established, 1 << 1), (.related, 1 << 2), (.new, 1 << 3),
            (name == "state" ? .untracked : .snat, 1 << 6), (.dnat, 1 << 7), (.untracked, 1 << 8),
        ]
        return Set(bits.filter { mask & $0.1 != 0 }.map(\.0))
    }

    /// `struct xt_addrtype_info` and `_v1` (`linux/netfilter/xt_addrtype.h`): bits of the source's and the destination's
    /// type, and what is negated.
    private func addressType(_ family: AddressFamily) -> [ForeignRule.Condition] {
        let isFlagged = revision == 1
        let isNegated = isFlagged ? number(4) & 2 != 0 : number(8) != 0
        let isPlain = half(0) == 0 && (!isFlagged || number(4) & ~2 == 0)
        guard isPlain else { return [unknown] }
        return [ForeignRule.Condition.destinationType(bits: half(2), family, negated: isNegated) ?? unknown]
    }

    /// What a target does.
    package var verdict: ForeignRule.Verdict {
        switch name {
        case "ACCEPT": .accept
        case "DROP": .drop
        case "REJECT": .reject
        case "RETURN": .returns
        case "MARK", "CONNMARK", "CONNSECMARK": .setMark
        case "DNAT", "REDIRECT", "NETMAP": .rewriteDestination(rewritten)
        case "LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "ECN", "TTL", "HL",
            "TCPMSS",
            "SET", "SECMARK", "IDLETIMER", "LED", "RATEEST":
            .none
        default: .unknown("-j \(name)")
        }
    }

    /// Where a DNAT, REDIRECT or NETMAP sends to: `127.0.0.1:51679`, `:51679`. Revision 0 is
    /// `struct nf_nat_ipv4_multi_range_compat`, later ones `struct nf_nat_range` and `_range2` (`linux/netfilter/nf_nat.h`);
    /// flag 1 is an address, 2 a port.
    private var rewritten: String {
        let isCompact = revision == 0 && data.count < 40
        let start = isCompact ? 4 : 0
        let size = isCompact ? 4 : 16
        let flags = number(start)
        let ports = start + 4 + 2 * size
        guard data.count >= ports + 2 else { return "somewhere" }
        var text = ""
        if flags & 1 != 0 {
            let bytes = Array(data[start + 4..<start + 4 + size])
            let isIPv4 = isCompact || bytes[4...].allSatisfy { $0 == 0 }
            let prefix = IPPrefix(bytes: isIPv4 ? Array(bytes.prefix(4)) : bytes, length: isIPv4 ? 32 : 128)
            text = prefix?.address ?? ""
        }
        if flags & 2 != 0 { text += ":\(UInt16(byte(ports)) << 8 | UInt16(byte(ports + 1)))" }
        return text
    }

    private func byte(_ offset: Int) -> UInt8 { offset < data.count ? data[offset] : 0 }

    /// A number in this machine's order, which is little-endian everywhere that ECS runs, and where not, still native.
    private func half(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: UInt16(byte(offset)) | UInt16(byte(offset + 1)) << 8)
    }

    private func number(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: (0..<4).reduce(0) { $0 | UInt32(byte(offset + $1)) << (8 * UInt32($1)) })
    }
}

extension ForeignRule.Condition {
    /// The condition that a destination is of one of these types, whose bits are numbered as `RTN_*`
    /// (`linux/rtnetlink.h`): 1 unicast, 2 local, 3 broadcast, 4 anycast, 5 multicast.
    ///
    /// - Returns: nil where it cannot be said by address alone.
    package static func destinationType(bits: UInt16, _ family: AddressFamily, negated: Bool) -> Self? {
        if bits == 1 << 2 { return .destinationIsLocal(negated: negated) }
        // Neither unicast nor local: nothing that ECS sends to is such a one.
        guard bits != 0, bits & (1 << 1 | 1 << 2) == 0 else { return nil }
        return .destination(multicast(family), negated: negated)
    }

    /// 224.0.0.0/4 (RFC 5771) and ff00::/8 (RFC 4291).
    private static func multicast(_ family: AddressFamily) -> IPPrefix {
        let ipv4 = IPPrefix(224, 0, 0, 0, length: 4)
        if family == .ipv4 { return ipv4 }
        return IPPrefix(bytes: [0xff] + [UInt8](repeating: 0, count: 15), length: 8) ?? ipv4
    }
}
