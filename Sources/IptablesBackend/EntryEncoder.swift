import CLibiptc
import Model

/// The revision of the DNAT target that the kernel knows.
enum DnatRevision: UInt8 {
    /// `struct nf_nat_ipv4_multi_range_compat`, before kernel 4.18.
    case ranges = 0
    /// `struct nf_nat_range2`.
    case range2 = 2
}

/// Writes a rule as the bytes of the kernel's entry, as the stock tools do.
struct EntryEncoder {
    let dnatRevision: DnatRevision

    /// The entry with its matches and its target.
    func encode(_ rule: Rule) -> [UInt8] {
        let layout = EntryLayout.layout(of: rule.family)
        var entry = [UInt8](repeating: 0, count: layout.size)
        var extensions: [UInt8] = []
        for match in rule.matches {
            switch match {
            case .destination(let prefix):
                put(prefix.bytes, into: &entry, at: layout.destination)
                put(prefix.mask, into: &entry, at: layout.destinationMask)
            case .inInterface(let pattern, let negated):
                put(Array(pattern.description.utf8), into: &entry, at: layout.inInterface)
                put(Self.mask(of: pattern), into: &entry, at: layout.inInterfaceMask)
                if negated { entry[layout.inverseFlags] |= EntryLayout.inverseInInterface }
            case .tcp:
                put(NativeBytes.encode(EntryLayout.tcp), into: &entry, at: layout.proto)
                entry[layout.flags] |= layout.protocolFlag
            case .tcpDestinationPort(let port): extensions += Self.tcpMatch(port)
            case .destinationTranslated: extensions += Self.conntrackMatch
            }
        }
        if let comment = rule.comment { extensions += Self.commentMatch(comment) }
        let target = target(rule)
        put(NativeBytes.encode(UInt16(layout.size + extensions.count)), into: &entry, at: layout.targetOffset)
        put(
            NativeBytes.encode(UInt16(layout.size + extensions.count + target.count)), into: &entry,
            at: layout.nextOffset)
        return entry + extensions + target
    }

    private func put(_ bytes: [UInt8], into entry: inout [UInt8], at offset: Int) {
        entry.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    /// A name counts with its NUL, a wildcard up to the `+`.
    private static func mask(of pattern: InterfacePattern) -> [UInt8] {
        [UInt8](repeating: 0xff, count: pattern.name.utf8.count + (pattern.isWildcard ? 0 : 1))
    }

    /// A header and its data, padded to eight bytes (`XT_ALIGN`).
    private static func makeExtension(_ name: String, revision: UInt8, data: [UInt8]) -> [UInt8] {
        let size = ExtensionHeader.size + (data.count + 7) / 8 * 8
        var bytes = NativeBytes.encode(UInt16(size)) + Array(name.utf8)
        bytes += [UInt8](repeating: 0, count: ExtensionHeader.revisionOffset - bytes.count) + [revision] + data
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }

    /// `struct xt_tcp` (`linux/netfilter/xt_tcpudp.h`).
    private static func tcpMatch(_ port: UInt16) -> [UInt8] {
        let ports: [UInt16] = [0, 0xffff, port, port]
        return makeExtension("tcp", revision: 0, data: ports.flatMap(NativeBytes.encode) + [0, 0, 0, 0])
    }

    /// `struct xt_comment_info` (`linux/netfilter/xt_comment.h`): `XT_MAX_COMMENT_LEN` bytes.
    private static func commentMatch(_ comment: String) -> [UInt8] {
        let text = Array(comment.utf8.prefix(255))
        return makeExtension(
            "comment", revision: 0, data: text + [UInt8](repeating: 0, count: 256 - text.count))
    }

    /// `struct xt_conntrack_mtinfo3` (`linux/netfilter/xt_conntrack.h`).
    private static var conntrackMatch: [UInt8] {
        var data = [UInt8](repeating: 0, count: ConntrackInfo.size)
        let flag = NativeBytes.encode(ConntrackInfo.stateFlag)
        data.replaceSubrange(ConntrackInfo.matchFlags..<ConntrackInfo.matchFlags + 2, with: flag)
        let mask = NativeBytes.encode(ConntrackInfo.destinationNat)
        data.replaceSubrange(ConntrackInfo.stateMask..<ConntrackInfo.stateMask + 2, with: mask)
        return makeExtension("conntrack", revision: ConntrackInfo.revision, data: data)
    }

    private func target(_ rule: Rule) -> [UInt8] {
        switch rule.action {
        // libiptc turns these names into verdicts. An empty name with a verdict would be taken and do nothing.
        case .accept: return Self.makeExtension("ACCEPT", revision: 0, data: [0, 0, 0, 0])
        case .drop: return Self.makeExtension("DROP", revision: 0, data: [0, 0, 0, 0])
        case .reject(let rejection):
            let code = RejectCode.code(rejection, rule.family)
            return Self.makeExtension("REJECT", revision: 0, data: NativeBytes.encode(code))
        case .dnat(let address, let port):
            let flags = UInt32(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)
            let data =
                dnatRevision == .range2
                ? Self.range2(flags: flags, address: address.bytes, port: port)
                : Self.ranges(flags: flags, address: address.bytes, port: port)
            return Self.makeExtension("DNAT", revision: dnatRevision.rawValue, data: data)
        case .redirect(let port):
            let data = Self.ranges(
                flags: UInt32(NF_NAT_RANGE_PROTO_SPECIFIED), address: [0, 0, 0, 0], port: port)
            return Self.makeExtension("REDIRECT", revision: 0, data: data)
        }
    }

    /// `struct nf_nat_range2` (`linux/netfilter/nf_nat.h`): flags, two addresses of 16 bytes, three ports.
    private static func range2(flags: UInt32, address: [UInt8], port: UInt16) -> [UInt8] {
        let padded = address + [UInt8](repeating: 0, count: 16 - address.count)
        let port = NativeBytes.bigEndian(port)
        return NativeBytes.encode(flags) + padded + padded + port + port + [0, 0, 0, 0]
    }

    /// `struct nf_nat_ipv4_multi_range_compat` with one range: count, flags, two addresses, two ports.
    private static func ranges(flags: UInt32, address: [UInt8], port: UInt16) -> [UInt8] {
        let port = NativeBytes.bigEndian(port)
        return NativeBytes.encode(UInt32(1)) + NativeBytes.encode(flags) + address + address + port + port
    }
}

/// The fields of `struct xt_conntrack_mtinfo3` that our rules use. Offsets in bytes.
enum ConntrackInfo {
    static let revision: UInt8 = 3
    static let size = 164
    static let matchFlags = 146
    static let inverseFlags = 148
    static let stateMask = 150
    /// `XT_CONNTRACK_STATE`.
    static let stateFlag: UInt16 = 1

    /// `XT_CONNTRACK_STATE_DNAT`, two above `IP_CT_NUMBER` (5).
    static let destinationNat: UInt16 = 1 << 7
}

/// The codes of the REJECT target, `enum ipt_reject_with` and `enum ip6t_reject_with`.
enum RejectCode {
    static func code(_ rejection: Rejection, _ family: AddressFamily) -> UInt32 {
        switch (rejection, family) {
        case (.tcpReset, .ipv4): IPT_TCP_RESET.rawValue
        case (.tcpReset, .ipv6): IP6T_TCP_RESET.rawValue
        case (.adminProhibited, .ipv4): IPT_ICMP_ADMIN_PROHIBITED.rawValue
        case (.adminProhibited, .ipv6): IP6T_ICMP6_ADM_PROHIBITED.rawValue
        }
    }
}
