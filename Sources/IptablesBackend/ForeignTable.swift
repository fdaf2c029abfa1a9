import Model

/// A stock table as a packet sees it: its chains with everybody's rules, as far as they are understood.
struct ForeignTable {
    /// The stock tables in the order in which their chains are asked (`NF_IP_PRI_*`, `linux/netfilter_ipv4.h`).
    static let priorities: [(table: String, priority: Int32)] = [
        ("raw", -300), ("mangle", -150), ("nat", -100), ("filter", 0), ("security", 50),
    ]

    /// The hooks that packets from containers come through, and credential requests of the host.
    private static let hooks: [(chain: String, hook: Hook)] = [
        ("PREROUTING", .prerouting), ("INPUT", .input), ("FORWARD", .forward), ("OUTPUT", .output),
    ]

    /// How many rules of a table are looked at. More than that take longer than anybody waits for an answer.
    private static let maximumRules = 50_000

    private(set) var chains: [ForeignChain] = []
    private let name: TableName
    private let layout: EntryLayout
    /// Where each chain's first rule is, which is how a jump names its chain.
    private var starts: [Int: String] = [:]

    /// Walks the entries twice: jumps may go to chains further on.
    ///
    /// Safe: the entries are lent for the call; what is kept of them is copied.
    init(_ name: TableName, _ info: TableSnapshot.Info, _ entries: UnsafeRawBufferPointer) {
        self.name = name
        layout = .layout(of: name.family)
        let places = unsafe places(info, entries)
        starts = Dictionary(places.compactMap { place in place.chain.map { (place.offset, $0) } }) { first, _ in first }
        unsafe makeChains(places, info, entries)
    }

    /// An entry: the name of a chain that begins with it, or nil; whether it is a rule.
    private struct Place {
        let offset: Int
        let size: Int
        var chain: String?
        var isRule = true
    }

    /// Safe: an entry's head is looked at where a whole head is left, and the entry taken where it is whole, and not
    /// shorter than a head.
    private func places(_ info: TableSnapshot.Info, _ entries: UnsafeRawBufferPointer) -> [Place] {
        let builtIn = info.chains
        var places: [Place] = []
        /// The name of a chain whose first entry comes next.
        var pending: String?
        var offset = 0
        while offset + layout.size <= entries.count {
            let size = unsafe Int(entries.loadUnaligned(fromByteOffset: offset + layout.nextOffset, as: UInt16.self))
            guard size >= layout.size, offset + size <= entries.count else { break }
            var place = Place(offset: offset, size: size)
            let entry = unsafe UnsafeRawBufferPointer(rebasing: entries[offset..<offset + size])
            if let name = unsafe TableSnapshot.chainName(entry, layout) {
                // What stands before a chain's name is the return that ends the chain before it, unless that is built in.
                if let last = places.indices.last, !builtIn.contains(where: { $0.policy == places[last].offset }) {
                    places[last].isRule = false
                }
                pending = name
                place.isRule = false
            } else {
                place.chain = pending ?? builtIn.first { $0.start == offset }?.name
                pending = nil
                if builtIn.contains(where: { $0.policy == offset }) { place.isRule = false }
            }
            places.append(place)
            offset += size
        }
        return places
    }

    private mutating func makeChains(
        _ places: [Place], _ info: TableSnapshot.Info, _ entries: UnsafeRawBufferPointer
    ) {
        var position = 0
        for (index, place) in places.enumerated() {
            if let chain = place.chain {
                // Safe: the entries are lent to this function's caller.
                chains.append(makeChain(chain, unsafe policy(of: chain, info, entries)))
                position = 0
            }
            guard place.isRule, let last = chains.indices.last else { continue }
            position += 1
            if index > Self.maximumRules {
                chains[last].rules.append(
                    ForeignRule([], .unknown("more than \(Self.maximumRules) rules"), text: "rule \(position)"))
                return
            }
            // Safe: `places` has found this entry within the entries.
            let bytes = unsafe Array(entries[place.offset..<place.offset + place.size])
            let entry = ForeignEntry(bytes, layout: layout, family: name.family, offset: place.offset)
            chains[last].rules += entry.rules(position: position, chains: starts)
        }
    }

    private func makeChain(_ chain: String, _ policy: String?) -> ForeignChain {
        var made = ForeignChain(.iptables, name.family == .ipv4 ? .ip : .ip6, table: name.table, name: chain)
        let priority = Self.priorities.first { $0.table == name.table }?.priority
        if let policy, let priority, let hook = Self.hooks.first(where: { $0.chain == chain })?.hook {
            made.base = BaseChain(chain, type: name.table == "nat" ? "nat" : "filter", hook: hook, priority: priority)
            made.dropsByPolicy = policy == "DROP"
        }
        return made
    }

    /// The policy of a built-in chain; nil for others.
    ///
    /// Safe: `verdict` looks itself whether there is an entry at the offset.
    private func policy(of chain: String, _ info: TableSnapshot.Info, _ entries: UnsafeRawBufferPointer) -> String? {
        guard let found = info.chains.first(where: { $0.name == chain }) else { return nil }
        return unsafe TableSnapshot.verdict(entries, found.policy, name.family) ?? "ACCEPT"
    }
}

/// A rule of anybody's, from the bytes of its entry.
private struct ForeignEntry {
    private let bytes: [UInt8]
    private let layout: EntryLayout
    private let family: AddressFamily
    private let offset: Int

    /// - Parameter offset: where the entry stands in its table.
    init(_ bytes: [UInt8], layout: EntryLayout, family: AddressFamily, offset: Int) {
        self.bytes = bytes
        self.layout = layout
        self.family = family
        self.offset = offset
    }

    // The flags of `struct ipt_ip` and `struct ip6t_ip6` (`linux/netfilter_ipv4/ip_tables.h` and
    // `linux/netfilter_ipv6/ip6_tables.h`): `IPT_INV_*`, which IPv6 shares, and the goto and fragment flags.
    private static let inverseOut: UInt8 = 0x02
    private static let inverseDestination: UInt8 = 0x10
    private static let inverseProtocol: UInt8 = 0x40
    /// Of the type of service and of fragments.
    private static let inverseOther: UInt8 = 0x24

    /// More than one where a match asks for any of several things: whichever holds, the verdict is the same.
    func rules(position: Int, chains: [Int: String]) -> [ForeignRule] {
        let verdict = verdict(chains)
        var alternatives = [header]
        var isOurs = false
        for part in extensions {
            if part.name == "comment" {
                isOurs = isOurs || Rule.isMark(part.data)
                continue
            }
            alternatives = ForeignRule.product(alternatives, part.alternatives(family))
        }
        let packets: UInt64 = NativeBytes.decode(bytes, layout.packets)
        return alternatives.map { conditions in
            var rule = ForeignRule(conditions, verdict, text: "rule \(position)", packets: packets)
            rule.isOurs = isOurs
            return rule
        }
    }

    private var header: [ForeignRule.Condition] {
        let inverse = bytes[layout.inverseFlags]
        var conditions: [ForeignRule.Condition] = []
        let isNegated = { (bit: UInt8) in inverse & bit != 0 }
        let (fromElsewhere, toElsewhere) = (isNegated(EntryLayout.inverseSource), isNegated(Self.inverseDestination))
        if let prefix = prefix(layout.source, layout.sourceMask, negated: fromElsewhere) {
            conditions.append(prefix.map { .source($0, negated: fromElsewhere) } ?? .unknown("-s"))
        }
        if let prefix = prefix(layout.destination, layout.destinationMask, negated: toElsewhere) {
            conditions.append(prefix.map { .destination($0, negated: toElsewhere) } ?? .unknown("-d"))
        }
        let (byAnother, outByAnother) = (isNegated(EntryLayout.inverseInInterface), isNegated(Self.inverseOut))
        if let pattern = interface(layout.inInterface, layout.inInterfaceMask, negated: byAnother) {
            conditions.append(.inInterface(pattern, negated: byAnother))
        }
        if let pattern = interface(layout.outInterface, layout.outInterfaceMask, negated: outByAnother) {
            conditions.append(.outInterface(pattern, negated: outByAnother))
        }
        let proto: UInt16 = NativeBytes.decode(bytes, layout.proto)
        if proto != 0, layout.protocolFlag == 0 || bytes[layout.flags] & layout.protocolFlag != 0 {
            conditions.append(
                .transport(UInt8(truncatingIfNeeded: proto), negated: inverse & Self.inverseProtocol != 0))
        }
        if inverse & Self.inverseOther != 0 || bytes[layout.flags] & otherFlags != 0 {
            conditions.append(.unknown("-f or --tos"))
        }
        return conditions
    }

    /// `IPT_F_FRAG`, and `IP6T_F_TOS`.
    private var otherFlags: UInt8 { family == .ipv4 ? 1 : 2 }
    /// `IPT_F_GOTO` and `IP6T_F_GOTO`.
    private var gotoFlag: UInt8 { family == .ipv4 ? 2 : 4 }

    /// An address with its mask; nil where every address is meant, and a prefix of nil where the mask is no prefix. No
    /// address at all, which negated is that of none, is a condition like others.
    private func prefix(_ offset: Int, _ maskOffset: Int, negated: Bool) -> IPPrefix?? {
        let count = family.addressLength
        let mask = Array(bytes[maskOffset..<maskOffset + count])
        if !negated, mask.allSatisfy({ $0 == 0 }) { return nil }
        return .some(IPPrefix(bytes: Array(bytes[offset..<offset + count]), mask: mask))
    }

    /// A name counts as far as its mask does: with its NUL, it is the whole name.
    private func interface(_ offset: Int, _ maskOffset: Int, negated: Bool) -> InterfacePattern? {
        let counted = bytes[maskOffset..<maskOffset + EntryLayout.interfaceSize].prefix { $0 == 0xff }.count
        if !negated, counted == 0 { return nil }
        let name = NativeBytes.string(bytes, offset, counted)
        return InterfacePattern(name: name, isWildcard: name.utf8.count == counted)
    }

    private var targetOffset: Int { Int(NativeBytes.decode(bytes, layout.targetOffset) as UInt16) }

    private func extensionAt(_ offset: Int) -> XtablesExtension? {
        let size = Int(NativeBytes.decode(bytes, offset) as UInt16)
        guard size >= ExtensionHeader.size, offset + size <= bytes.count else { return nil }
        return XtablesExtension(
            name: NativeBytes.string(bytes, offset + ExtensionHeader.nameOffset, ExtensionHeader.nameSize),
            revision: bytes[offset + ExtensionHeader.revisionOffset],
            data: Array(bytes[offset + ExtensionHeader.size..<offset + size]))
    }

    private var extensions: [XtablesExtension] {
        var found: [XtablesExtension] = []
        var offset = layout.size
        while offset < targetOffset, let next = extensionAt(offset) {
            found.append(next)
            offset += ExtensionHeader.size + next.data.count
        }
        return found
    }

    private func verdict(_ chains: [Int: String]) -> ForeignRule.Verdict {
        guard let target = extensionAt(targetOffset) else { return .unknown("a damaged target") }
        guard target.name.isEmpty else { return target.verdict }
        let number = Int32(bitPattern: NativeBytes.decode(target.data, 0))
        if let name = StandardVerdict.name(of: target.data, targetName: "") {
            return XtablesExtension(name: name, revision: 0, data: []).verdict
        }
        // A rule without a target goes on to the next one.
        if Int(number) == offset + bytes.count { return .none }
        guard let chain = chains[Int(number)] else { return .unknown("verdict \(number)") }
        return bytes[layout.flags] & gotoFlag != 0 ? .goTo(chain) : .jump(chain)
    }
}
