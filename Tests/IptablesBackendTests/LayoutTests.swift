import CLibiptc
import Model
import Testing

@testable import IptablesBackend

@Suite("Offsets and sizes are those of the C headers")
struct LayoutTests {
    @Test("struct ipt_entry")
    func ipv4Entry() throws {
        let layout = EntryLayout.layout(of: .ipv4)
        let ip = try #require(MemoryLayout<ipt_entry>.offset(of: \.ip))
        func offset(_ path: PartialKeyPath<ipt_ip>) -> Int? { MemoryLayout<ipt_ip>.offset(of: path).map { ip + $0 } }
        #expect(layout.source == offset(\.src))
        #expect(layout.destination == offset(\.dst))
        #expect(layout.sourceMask == offset(\.smsk))
        #expect(layout.destinationMask == offset(\.dmsk))
        #expect(layout.inInterface == offset(\.iniface))
        #expect(layout.outInterface == offset(\.outiface))
        #expect(layout.inInterfaceMask == offset(\.iniface_mask))
        #expect(layout.outInterfaceMask == offset(\.outiface_mask))
        #expect(layout.proto == offset(\.proto))
        #expect(layout.flags == offset(\.flags))
        #expect(layout.inverseFlags == offset(\.invflags))
        #expect(layout.targetOffset == MemoryLayout<ipt_entry>.offset(of: \.target_offset))
        #expect(layout.nextOffset == MemoryLayout<ipt_entry>.offset(of: \.next_offset))
        #expect(layout.packets == MemoryLayout<ipt_entry>.offset(of: \.counters.pcnt))
        #expect(layout.bytes == MemoryLayout<ipt_entry>.offset(of: \.counters.bcnt))
        #expect(layout.size == MemoryLayout<ipt_entry>.size)
        #expect(layout.size == 112)
        #expect(layout.protocolFlag == 0)
    }

    @Test("struct ip6t_entry")
    func ipv6Entry() throws {
        let layout = EntryLayout.layout(of: .ipv6)
        let ip = try #require(MemoryLayout<ip6t_entry>.offset(of: \.ipv6))
        func offset(_ path: PartialKeyPath<ip6t_ip6>) -> Int? {
            MemoryLayout<ip6t_ip6>.offset(of: path).map { ip + $0 }
        }
        #expect(layout.source == offset(\.src))
        #expect(layout.destination == offset(\.dst))
        #expect(layout.sourceMask == offset(\.smsk))
        #expect(layout.destinationMask == offset(\.dmsk))
        #expect(layout.inInterface == offset(\.iniface))
        #expect(layout.outInterface == offset(\.outiface))
        #expect(layout.inInterfaceMask == offset(\.iniface_mask))
        #expect(layout.outInterfaceMask == offset(\.outiface_mask))
        #expect(layout.proto == offset(\.proto))
        #expect(layout.flags == offset(\.flags))
        #expect(layout.inverseFlags == offset(\.invflags))
        #expect(layout.targetOffset == MemoryLayout<ip6t_entry>.offset(of: \.target_offset))
        #expect(layout.nextOffset == MemoryLayout<ip6t_entry>.offset(of: \.next_offset))
        #expect(layout.packets == MemoryLayout<ip6t_entry>.offset(of: \.counters.pcnt))
        #expect(layout.bytes == MemoryLayout<ip6t_entry>.offset(of: \.counters.bcnt))
        #expect(layout.size == MemoryLayout<ip6t_entry>.size)
        #expect(layout.protocolFlag == UInt8(IP6T_F_PROTO))
    }

    @Test("the header of a match and of a target")
    func extensionHeader() {
        #expect(ExtensionHeader.size == MemoryLayout<xt_entry_match>.size)
        #expect(ExtensionHeader.size == MemoryLayout<xt_entry_target>.size)
        #expect(ExtensionHeader.size == 32)
        #expect(ExtensionHeader.nameSize == Int(XT_EXTENSION_MAXNAMELEN))
        // The fields stand in a union, of which Swift tells no offsets; so write them and look.
        var match = xt_entry_match()
        match.u.user.name.0 = 1
        match.u.user.revision = 2
        var target = xt_entry_target()
        target.u.user.name.0 = 1
        target.u.user.revision = 2
        for bytes in [withUnsafeBytes(of: match) { Array($0) }, withUnsafeBytes(of: target) { Array($0) }] {
            #expect(bytes.firstIndex(of: 1) == ExtensionHeader.nameOffset)
            #expect(bytes.firstIndex(of: 2) == ExtensionHeader.revisionOffset)
        }
    }

    @Test("struct xt_conntrack_mtinfo3")
    func conntrack() {
        #expect(ConntrackInfo.size == MemoryLayout<xt_conntrack_mtinfo3>.size)
        #expect(ConntrackInfo.size == 164)
        #expect(ConntrackInfo.matchFlags == MemoryLayout<xt_conntrack_mtinfo3>.offset(of: \.match_flags))
        #expect(ConntrackInfo.inverseFlags == MemoryLayout<xt_conntrack_mtinfo3>.offset(of: \.invert_flags))
        #expect(ConntrackInfo.stateMask == MemoryLayout<xt_conntrack_mtinfo3>.offset(of: \.state_mask))
    }

    @Test("the bit of a rewritten destination: XT_CONNTRACK_STATE_DNAT, two above the kernel's states")
    func conntrackBit() {
        #expect(UInt32(ConntrackInfo.destinationNat) == 1 << (IP_CT_NUMBER.rawValue + 2))
    }

    @Test("inversion flags, of both families")
    func inversion() {
        #expect(EntryLayout.inverseInInterface == UInt8(IPT_INV_VIA_IN))
        #expect(EntryLayout.inverseInInterface == UInt8(IP6T_INV_VIA_IN))
        #expect(EntryLayout.inverseSource == UInt8(IPT_INV_SRCIP))
        #expect(EntryLayout.inverseSource == UInt8(IP6T_INV_SRCIP))
        #expect(EntryLayout.interfaceSize == Int(IFNAMSIZ))
        #expect(Int(EntryLayout.tcp) == Int(IPPROTO_TCP))
    }

    @Test("codes of REJECT, as --reject-with has them")
    func reject() {
        #expect(RejectCode.code(.tcpReset, .ipv4) == 7)
        #expect(RejectCode.code(.adminProhibited, .ipv4) == 8)
        #expect(RejectCode.code(.tcpReset, .ipv6) == 6)
        #expect(RejectCode.code(.adminProhibited, .ipv6) == 1)
    }

    @Test("the sizes of the written matches and targets are the kernel's, padded to eight")
    func writtenSizes() {
        func padded(_ size: Int) -> Int { 32 + (size + 7) / 8 * 8 }
        let sizes = [
            "tcp": padded(MemoryLayout<xt_tcp>.size), "comment": padded(MemoryLayout<xt_comment_info>.size),
            "conntrack": padded(MemoryLayout<xt_conntrack_mtinfo3>.size), "ACCEPT": 40, "DROP": 40,
            "REJECT": padded(MemoryLayout<ipt_reject_info>.size),
            "REDIRECT": padded(MemoryLayout<nf_nat_ipv4_multi_range_compat>.size),
        ]
        for placed in PlacedRule.all {
            for part in EntryParts(placed.entry, placed.rule.family).extensions {
                let nat = placed.revision == .range2 ? MemoryLayout<nf_nat_range2>.size : 20
                #expect(part.range.count == sizes[part.name] ?? padded(nat), "\(part.name)")
            }
        }
        #expect(MemoryLayout<xt_tcp>.size == 12)
        #expect(MemoryLayout<xt_comment_info>.size == 256)
        #expect(MemoryLayout<nf_nat_range2>.size == 44)
        #expect(MemoryLayout<nf_nat_ipv4_multi_range_compat>.size == 20)
        #expect(MemoryLayout<xt_standard_target>.size == 40)
    }

    @Test("numbers are read in this machine's order, ports in the network's, and nothing beyond the end")
    func nativeBytes() {
        #expect(NativeBytes.decode(NativeBytes.encode(0x0102_0304 as UInt32), 0) as UInt32 == 0x0102_0304)
        #expect(NativeBytes.encode(6 as UInt16) == withUnsafeBytes(of: 6 as UInt16) { Array($0) })
        #expect(NativeBytes.decode([1, 2, 3], 0) as UInt32 == 0)
        #expect(NativeBytes.decode([1, 2, 3], -1) as UInt16 == 0)
        #expect(NativeBytes.port([0xc9, 0xdf], 0) == 51679)
        #expect(NativeBytes.port([0xc9, 0xdf], 1) == 0)
        #expect(NativeBytes.bigEndian(51679) == [0xc9, 0xdf])
        #expect(NativeBytes.string([0x61, 0x62, 0, 0x63], 1, 3) == "b")
        #expect(NativeBytes.string([0x61], 5, 3) == "")
    }
}
