import CLibiptc
import Model

/// Reads the bytes of a kernel's entry back into a rule.
struct EntryDecoder {
    /// Why decoding stopped: the words for what was not understood.
    private struct NotOurs: Error { let what: String }

    private let entry: [UInt8]
    private let layout: EntryLayout
    private let family: AddressFamily

    /// Decodes an entry that stands at a place.
    ///
    /// - Parameter entry: all of its bytes, up to its `next_offset`.
    static func decode(_ entry: [UInt8], at place: Place, _ family: AddressFamily) -> InstalledRule.Content {
        let decoder = EntryDecoder(entry: entry, layout: .layout(of: family), family: family)
        do throws(NotOurs) {
            return .rule(try decoder.rule(at: place))
        } catch {
            return .unknown("\"\(comment(of: entry, family) ?? "")\" at \(place.rawValue) has \(error.what)")
        }
    }

    /// The comment of an entry; nil when it has none.
    static func comment(of entry: [UInt8], _ family: AddressFamily) -> String? {
        EntryDecoder(entry: entry, layout: .layout(of: family), family: family).extensions
            .first { $0.name == "comment" }
            .map { NativeBytes.string($0.data, 0, $0.data.count) }
    }

    /// The packet and byte counters of an entry.
    static func counters(of entry: [UInt8], _ family: AddressFamily) -> (packets: UInt64, bytes: UInt64) {
        let layout = EntryLayout.layout(of: family)
        return (NativeBytes.decode(entry, layout.packets), NativeBytes.decode(entry, layout.bytes))
    }

    /// A match or a target.
    private struct Extension {
        let name: String
        let revision: UInt8
        let data: [UInt8]
    }

    private func extensionAt(_ offset: Int) -> Extension? {
        let size: UInt16 = NativeBytes.decode(entry, offset)
        guard size >= ExtensionHeader.size, offset + Int(size) <= entry.count else { return nil }
        return Extension(
            name: NativeBytes.string(entry, offset + ExtensionHeader.nameOffset, ExtensionHeader.nameSize),
            revision: entry[offset + ExtensionHeader.revisionOffset],
            data: Array(entry[offset + ExtensionHeader.size..<offset + Int(size)]))
    }

    private var targetOffset: Int { Int(NativeBytes.decode(entry, layout.targetOffset) as UInt16) }

    private var extensions: [Extension] {
        var found: [Extension] = []
        var offset = layout.size
        while offset < targetOffset, let next = extensionAt(offset) {
            found.append(next)
            offset += ExtensionHeader.size + next.data.count
        }
        return found
    }

    private func rule(at place: Place) throws(NotOurs) -> Rule {
        guard entry.count >= layout.size, NativeBytes.decode(entry, layout.nextOffset) as UInt16 == entry.count else {
            throw NotOurs(what: "another length than it says")
        }
        var matches = try headerMatches()
        let extensions = extensions
        guard extensions.reduce(layout.size, { $0 + ExtensionHeader.size + $1.data.count }) == targetOffset else {
            throw NotOurs(what: "a damaged match")
        }
        var comment: String?
        for (index, found) in extensions.enumerated() {
            if found.name == "comment", found.revision == 0 {
                // Only at the end, where we write it: the stock tool's delete compares the order too.
                guard index == extensions.count - 1 else { throw NotOurs(what: "more behind its comment") }
                comment = NativeBytes.string(found.data, 0, found.data.count)
            } else {
                matches.append(try match(found))
            }
        }
        return Rule(place: place, family: family, matches: matches, action: try action(), comment: comment)
    }

    private func headerMatches() throws(NotOurs) -> [Match] {
        let inverse = entry[layout.inverseFlags]
        let proto: UInt16 = NativeBytes.decode(entry, layout.proto)
        // Without its flag, the kernel does not look at the protocol.
        guard inverse & ~EntryLayout.inverseInInterface == 0,
            entry[layout.flags] == (proto == 0 ? 0 : layout.protocolFlag),
            isZero(layout.source, family.addressLength), isZero(layout.sourceMask, family.addressLength),
            isZero(layout.outInterfaceMask, EntryLayout.interfaceSize)
        else { throw NotOurs(what: "unknown flags, a source or an outgoing interface") }
        var matches: [Match] = []
        if let destination = try prefix(layout.destination, layout.destinationMask) {
            matches.append(.destination(destination))
        }
        let isInterfaceNegated = inverse & EntryLayout.inverseInInterface != 0
        if let pattern = try inInterface() {
            matches.append(.inInterface(pattern, negated: isInterfaceNegated))
        } else if isInterfaceNegated {
            throw NotOurs(what: "a negated interface of nothing")
        }
        switch proto {
        case 0: break
        case EntryLayout.tcp: matches.append(.tcp)
        default: throw NotOurs(what: "another protocol than TCP")
        }
        return matches
    }

    private func isZero(_ offset: Int, _ count: Int) -> Bool { entry[offset..<offset + count].allSatisfy { $0 == 0 } }

    private func prefix(_ offset: Int, _ maskOffset: Int) throws(NotOurs) -> IPPrefix? {
        let count = family.addressLength
        // An address under an empty mask would match nothing.
        if isZero(offset, count), isZero(maskOffset, count) { return nil }
        let prefix = IPPrefix(
            bytes: Array(entry[offset..<offset + count]), mask: Array(entry[maskOffset..<maskOffset + count]))
        guard let prefix, prefix.length > 0 else { throw NotOurs(what: "an unknown address mask") }
        return prefix
    }

    private func inInterface() throws(NotOurs) -> InterfacePattern? {
        let mask = entry[layout.inInterfaceMask..<layout.inInterfaceMask + EntryLayout.interfaceSize]
        let counted = mask.prefix { $0 == 0xff }.count
        if mask.allSatisfy({ $0 == 0 }) { return nil }
        guard mask.dropFirst(counted).allSatisfy({ $0 == 0 }) else { throw NotOurs(what: "an unknown interface mask") }
        let name = NativeBytes.string(entry, layout.inInterface, EntryLayout.interfaceSize)
        if counted == name.utf8.count + 1 { return InterfacePattern(name: name, isWildcard: false) }
        guard counted == name.utf8.count - 1, name.hasSuffix("+") else {
            throw NotOurs(what: "an unknown interface mask")
        }
        return InterfacePattern(name: String(name.dropLast()), isWildcard: true)
    }

    private func match(_ found: Extension) throws(NotOurs) -> Match {
        switch (found.name, found.revision) {
        case ("tcp", 0):
            let ports = stride(from: 0, to: 8, by: 2).map { NativeBytes.decode(found.data, $0) as UInt16 }
            guard found.data.count >= 12, ports[0] == 0, ports[1] == 0xffff, ports[2] == ports[3],
                found.data[8..<12].allSatisfy({ $0 == 0 })
            else { break }
            return .tcpDestinationPort(ports[2])
        case ("conntrack", ConntrackInfo.revision):
            let flags: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.matchFlags)
            let inverse: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.inverseFlags)
            let mask: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.stateMask)
            guard flags == ConntrackInfo.stateFlag, inverse == 0, mask == ConntrackInfo.destinationNat else { break }
            return .destinationTranslated
        default: break
        }
        throw NotOurs(what: "an unknown match '\(found.name)'")
    }

    private func action() throws(NotOurs) -> Action {
        guard let target = extensionAt(targetOffset),
            targetOffset + ExtensionHeader.size + target.data.count == entry.count
        else { throw NotOurs(what: "no target") }
        let name = StandardVerdict.name(of: target.data, targetName: target.name) ?? target.name
        switch (name, target.revision) {
        case ("ACCEPT", 0): return .accept
        case ("DROP", 0): return .drop
        case ("REJECT", 0):
            let code: UInt32 = NativeBytes.decode(target.data, 0)
            for rejection in [Rejection.tcpReset, .adminProhibited] where RejectCode.code(rejection, family) == code {
                return .reject(rejection)
            }
        case ("DNAT", DnatRevision.range2.rawValue): return try dnat(NatRange(range2: target.data))
        case ("DNAT", DnatRevision.ranges.rawValue) where family == .ipv4:
            return try dnat(NatRange(ranges: target.data))
        case ("REDIRECT", 0) where family == .ipv4:
            guard let range = NatRange(ranges: target.data), range.flags == UInt32(NF_NAT_RANGE_PROTO_SPECIFIED) else {
                throw NotOurs(what: "an unknown NAT range")
            }
            return .redirect(port: range.port)
        default: break
        }
        throw NotOurs(what: "an unknown target '\(name)'")
    }

    private func dnat(_ range: NatRange?) throws(NotOurs) -> Action {
        let count = family.addressLength
        guard let range, range.flags == UInt32(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED),
            range.address.dropFirst(count).allSatisfy({ $0 == 0 }),
            let address = IPPrefix(bytes: Array(range.address.prefix(count)), length: count * 8)
        else { throw NotOurs(what: "an unknown NAT range") }
        return .dnat(to: address, port: range.port)
    }
}

/// A NAT range whose two ends are the same.
private struct NatRange {
    let flags: UInt32
    /// 4 or 16 bytes, zeroes behind an IPv4 address.
    let address: [UInt8]
    let port: UInt16

    /// Reads `struct nf_nat_range2`: flags, two addresses, two ports and the base port of a shift, which is 0.
    init?(range2 data: [UInt8]) {
        self.init(data, flags: 0, addresses: 4, size: 16)
        guard data.count >= 44, NativeBytes.decode(data, 40) as UInt32 == 0 else { return nil }
    }

    /// Reads `struct nf_nat_ipv4_multi_range_compat` with one range: count, flags, two addresses, two ports.
    init?(ranges data: [UInt8]) {
        guard NativeBytes.decode(data, 0) as UInt32 == 1 else { return nil }
        self.init(data, flags: 4, addresses: 8, size: 4)
    }

    private init?(_ data: [UInt8], flags: Int, addresses: Int, size: Int) {
        let ports = addresses + 2 * size
        guard data.count >= ports + 4, NativeBytes.port(data, ports) == NativeBytes.port(data, ports + 2) else {
            return nil
        }
        let (first, second) = (data[addresses..<addresses + size], data[addresses + size..<ports])
        guard first == second else { return nil }
        self.flags = NativeBytes.decode(data, flags)
        address = Array(first)
        port = NativeBytes.port(data, ports)
    }
}

/// The verdicts that the kernel keeps as numbers under an empty target name (`struct xt_standard_target`,
/// `linux/netfilter/x_tables.h`): the netfilter verdict's negative, less one.
enum StandardVerdict {
    private static let names: [(verdict: Int32, name: String)] = [
        (-NF_DROP - 1, "DROP"), (-NF_ACCEPT - 1, "ACCEPT"), (-NF_REPEAT - 1, "RETURN"),
    ]

    /// The verdict's name; nil for other targets, and for jumps.
    static func name(of data: [UInt8], targetName: String) -> String? {
        guard targetName.isEmpty else { return nil }
        let verdict = Int32(bitPattern: NativeBytes.decode(data, 0))
        return names.first { $0.verdict == verdict }?.name
    }

    /// Whether libiptc would take the entry for what it is: not so a jump, whose chain only the kernel's offset names.
    static func isNamed(_ entry: [UInt8], _ family: AddressFamily) -> Bool {
        let target = Int(NativeBytes.decode(entry, EntryLayout.layout(of: family).targetOffset) as UInt16)
        return !NativeBytes.string(entry, target + ExtensionHeader.nameOffset, ExtensionHeader.nameSize).isEmpty
    }

    /// An entry as libiptc takes it: with the verdict's name, for a name left empty would be taken and do nothing.
    static func named(_ entry: [UInt8], _ family: AddressFamily) -> [UInt8] {
        let target = Int(NativeBytes.decode(entry, EntryLayout.layout(of: family).targetOffset) as UInt16)
        let nameStart = target + ExtensionHeader.nameOffset
        let targetName = NativeBytes.string(entry, nameStart, ExtensionHeader.nameSize)
        let data = Array(entry.dropFirst(target + ExtensionHeader.size))
        guard let name = name(of: data, targetName: targetName) else { return entry }
        var named = entry
        named.replaceSubrange(nameStart..<nameStart + name.utf8.count + 1, with: Array(name.utf8) + [0])
        return named
    }
}
