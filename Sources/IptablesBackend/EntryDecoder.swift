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
        var matches = try headerMatches()
        var comment: String?
        for (index, found) in extensions.enumerated() {
            if found.name == "comment" {
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
        let known = EntryLayout.inverseSource | EntryLayout.inverseInInterface
        guard inverse & ~known == 0, entry[layout.flags] & ~layout.protocolFlag == 0,
            isZero(layout.outInterfaceMask, EntryLayout.interfaceSize)
        else { throw NotOurs(what: "unknown flags or an outgoing interface") }
        var matches: [Match] = []
        let isSourceNegated = inverse & EntryLayout.inverseSource != 0
        if let source = try prefix(layout.source, layout.sourceMask) {
            matches.append(.source(source, negated: isSourceNegated))
        } else if isSourceNegated {
            throw NotOurs(what: "a negated source of nothing")
        }
        if let destination = try prefix(layout.destination, layout.destinationMask) {
            matches.append(.destination(destination))
        }
        let isInterfaceNegated = inverse & EntryLayout.inverseInInterface != 0
        if let pattern = try inInterface() {
            matches.append(.inInterface(pattern, negated: isInterfaceNegated))
        } else if isInterfaceNegated {
            throw NotOurs(what: "a negated interface of nothing")
        }
        switch NativeBytes.decode(entry, layout.proto) as UInt16 {
        case 0: break
        case EntryLayout.tcp: matches.append(.tcp)
        default: throw NotOurs(what: "another protocol than TCP")
        }
        return matches
    }

    private func isZero(_ offset: Int, _ count: Int) -> Bool { entry[offset..<offset + count].allSatisfy { $0 == 0 } }

    private func prefix(_ offset: Int, _ maskOffset: Int) throws(NotOurs) -> IPPrefix? {
        let count = family.addressLength
        if isZero(maskOffset, count) { return nil }
        let prefix = IPPrefix(
            bytes: Array(entry[offset..<offset + count]), mask: Array(entry[maskOffset..<maskOffset + count]))
        guard let prefix else { throw NotOurs(what: "an unknown address mask") }
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
            guard ports[0] == 0, ports[1] == 0xffff, ports[2] == ports[3],
                found.data[8..<12].allSatisfy({ $0 == 0 })
            else { break }
            return .tcpDestinationPort(ports[2])
        case ("conntrack", ConntrackInfo.revision):
            let flags: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.matchFlags)
            let inverse: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.inverseFlags)
            let mask: UInt16 = NativeBytes.decode(found.data, ConntrackInfo.stateMask)
            let known = ConntrackInfo.stateBits.reduce(0) { $0 | $1.1 }
            guard flags == ConntrackInfo.stateFlag, inverse & ~ConntrackInfo.stateFlag == 0, mask & ~known == 0 else {
                break
            }
            let state = ConntrackInfo.stateBits.reduce(into: ConnectionState()) {
                if mask & $1.1 != 0 { $0.insert($1.0) }
            }
            return .connectionState(state, negated: inverse != 0)
        default: break
        }
        throw NotOurs(what: "an unknown match '\(found.name)' revision \(found.revision)")
    }

    private func action() throws(NotOurs) -> Action {
        guard let target = extensionAt(targetOffset) else { throw NotOurs(what: "no target") }
        let name = StandardVerdict.name(of: target.data, targetName: target.name) ?? target.name
        switch (name, target.revision) {
        case ("ACCEPT", _): return .accept
        case ("DROP", _): return .drop
        case ("REJECT", 0):
            let code: UInt32 = NativeBytes.decode(target.data, 0)
            for rejection in [Rejection.tcpReset, .adminProhibited] where RejectCode.code(rejection, family) == code {
                return .reject(rejection)
            }
        case ("DNAT", DnatRevision.range2.rawValue):
            return try nat(target.data, flags: 0, first: 4, second: 20, ports: 36, size: family.addressLength)
        case ("DNAT", DnatRevision.ranges.rawValue) where family == .ipv4:
            return try nat(target.data, flags: 4, first: 8, second: 12, ports: 16, size: 4)
        case ("REDIRECT", 0) where family == .ipv4:
            return try nat(target.data, flags: 4, first: 8, second: 12, ports: 16, size: 4)
        default: break
        }
        throw NotOurs(what: "an unknown target '\(name)' revision \(target.revision)")
    }

    /// Reads a NAT range whose two ends are the same; with an address it is a DNAT, without a REDIRECT.
    private func nat(
        _ data: [UInt8], flags: Int, first: Int, second: Int, ports: Int, size: Int
    ) throws(NotOurs) -> Action {
        let both = UInt32(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)
        let number: UInt32 = NativeBytes.decode(data, flags)
        let port = NativeBytes.port(data, ports)
        guard data.count >= ports + 4, port == NativeBytes.port(data, ports + 2),
            data[first..<first + size] == data[second..<second + size]
        else { throw NotOurs(what: "a range of addresses or ports") }
        if number == UInt32(NF_NAT_RANGE_PROTO_SPECIFIED) { return .redirect(port: port) }
        guard number == both, let address = IPPrefix(bytes: Array(data[first..<first + size]), length: size * 8) else {
            throw NotOurs(what: "unknown NAT flags")
        }
        return .dnat(to: address, port: port)
    }
}

/// The verdicts that the kernel keeps as numbers under an empty target name (`struct xt_standard_target`,
/// `linux/netfilter/x_tables.h`): the netfilter verdict's negative, less one.
enum StandardVerdict {
    private static let names: [(verdict: Int32, name: String)] = [(-NF_DROP - 1, "DROP"), (-NF_ACCEPT - 1, "ACCEPT")]

    /// The verdict's name; nil for other targets, and for jumps.
    static func name(of data: [UInt8], targetName: String) -> String? {
        guard targetName.isEmpty else { return nil }
        let verdict = Int32(bitPattern: NativeBytes.decode(data, 0))
        return names.first { $0.verdict == verdict }?.name
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
