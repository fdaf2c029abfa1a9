import CLibnftnl
import Glibc
import Model

/// Somebody else's rule from its expressions, as far as it is understood. What is not, is kept as unknown.
struct ForeignDecoder {
    /// What a register holds.
    private enum Field {
        case source
        case destination
        case transport
        case sourcePort
        case destinationPort
        case inInterface
        case outInterface
        case inIndex
        case outIndex
        case mark
        case family
        case etherType
        case state
        case status
        case destinationType
        case tcpFlags
        case data([UInt8])
        case other(String)
    }

    private struct Value {
        let field: Field
        /// The number of bytes that were loaded.
        let size: Int
        var mask: [UInt8]?
        var isIPv6 = false
    }

    /// nil in a table of both families, until the rule names one.
    private let family: AddressFamily?
    private let sets: [String: [SetElement]]

    init(family: AddressFamily?, sets: [String: [SetElement]]) {
        self.family = family
        self.sets = sets
    }

    /// A rule of the kernel's may be several here: whichever condition of a set holds, the verdict is the same.
    func decode(_ row: ForeignRow) -> [ForeignRule] {
        let text = "handle \(row.handle)"
        guard let expressions = row.expressions else {
            return [ForeignRule([.unknown("an expression that libnftnl cannot read")], .unknown("?"), text: text)]
        }
        var state = Reading(family: family, text: text)
        for expression in expressions { take(expression, &state) }
        return state.rules
    }

    /// What has been read of a rule so far.
    private struct Reading {
        var family: AddressFamily?
        let text: String
        var registers: [UInt32: Value] = [:]
        var alternatives: [[ForeignRule.Condition]] = [[]]
        var packets: UInt64?
        var rules: [ForeignRule] = []

        init(family: AddressFamily?, text: String) {
            self.family = family
            self.text = text
        }

        mutating func require(_ conditions: [[ForeignRule.Condition]]) {
            let added = conditions.reduce(0) { $0 + $1.count } * alternatives.count
            let isMany = added > ForeignDecoder.maximumConditions
            alternatives = ForeignRule.product(alternatives, isMany ? [[.unknown("many conditions")]] : conditions)
        }

        mutating func emit(_ verdict: ForeignRule.Verdict) {
            for conditions in alternatives {
                rules.append(ForeignRule(conditions, verdict, text: text, packets: packets))
            }
        }
    }

    private func take(_ expression: ForeignExpression, _ reading: inout Reading) {
        switch expression {
        case .known(let known): take(known, &reading)
        case .jump(let chain, let isGoto): reading.emit(isGoto ? .goTo(chain) : .jump(chain))
        case .lookup(let set, let register, let isMap, let isNegated):
            look(up: reading.registers[register], set, isMap: isMap, isNegated: isNegated, &reading)
        case .range(let register, let from, let to, let isNegated):
            let value = reading.registers[register]
            reading.require(conditions(value, from, to, negated: isNegated, &reading))
        case .destinationType(let register):
            reading.registers[register] = Value(field: .destinationType, size: 4)
        case .rewriteDestination(let number, let address, let port):
            // `nft_nat_inet_eval` passes by packets of the other family.
            if reading.family == nil, let family = Self.family(of: [UInt8(truncatingIfNeeded: number)]) {
                reading.require([[.destination(Self.anywhere(family), negated: false)]])
            }
            reading.emit(.rewriteDestination(target(reading.registers[address], reading.registers[port])))
        case .match(let match):
            guard let family = reading.family else { return reading.require([[.unknown("-m \(match.name)")]]) }
            reading.require(match.alternatives(family))
        case .target(let target): reading.emit(target.verdict)
        case .setMark: reading.emit(.setMark)
        case .harmless: return
        case .condition(let name): reading.require([[.unknown(name)]])
        case .updates: reading.require([[.unknown("dynset")]])
        case .load(let name):
            // Which register it went to is not known.
            reading.registers = reading.registers.mapValues { Value(field: .other(name), size: $0.size) }
            for register in NFT_REG_1.rawValue...NFT_REG_4.rawValue {
                reading.registers[register] = Value(field: .other(name), size: 0)
            }
        case .unknown(let name): reading.emit(.unknown(name))
        }
    }

    private func take(_ expression: Expression, _ reading: inout Reading) {
        switch expression {
        case .meta(let key, let register): reading.registers[register] = Self.meta(key)
        case .payload(let base, let offset, let length, let register):
            reading.registers[register] = payload(base, offset, length, reading.family)
        case .connection(let key, let register): reading.registers[register] = Self.connection(key)
        case .immediate(let register, let data):
            reading.registers[register] = Value(field: .data(data), size: data.count)
        case .bitwise(let source, let destination, let mask, let xor):
            var value = reading.registers[source]
            if value?.mask != nil || xor.contains(where: { $0 != 0 }) {
                value = Value(field: .other("a bitwise operation"), size: mask.count)
            } else {
                value?.mask = mask
            }
            reading.registers[destination] = value
        case .compare(let operation, let register, let data):
            let value = reading.registers[register]
            reading.require(compare(value, operation, data, &reading))
        case .counter(let packets, _): reading.packets = packets
        case .verdict(let number): reading.emit(Self.verdict(number, chain: ""))
        case .nat(_, _, let address, let port, _):
            reading.emit(.rewriteDestination(target(reading.registers[address], reading.registers[port])))
        case .redirect(let port, _): reading.emit(.rewriteDestination(target(nil, reading.registers[port])))
        case .reject: reading.emit(.reject)
        case .unknown(let name): reading.require([[.unknown(name)]])
        }
    }

    /// The verdict with a number (`NF_*`, `enum nft_verdicts`).
    static func verdict(_ number: Int32, chain: String) -> ForeignRule.Verdict {
        switch number {
        case NF_ACCEPT: .accept
        case NF_DROP: .drop
        case NFT_CONTINUE.rawValue: .none
        case NFT_RETURN.rawValue: .returns
        case NFT_JUMP.rawValue: .jump(chain)
        case NFT_GOTO.rawValue: .goTo(chain)
        default: .unknown("verdict \(number)")
        }
    }

    private func target(_ address: Value?, _ port: Value?) -> String {
        var text = ""
        if let address {
            guard case .data(let bytes) = address.field, let prefix = IPPrefix(bytes: bytes, length: bytes.count * 8)
            else { return "somewhere" }
            text = prefix.address
        }
        if let port {
            guard case .data(let bytes) = port.field, bytes.count >= 2 else { return "somewhere" }
            text += ":\(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))"
        }
        return text
    }

    private static func meta(_ key: UInt32) -> Value {
        switch key {
        case NFT_META_L4PROTO.rawValue: Value(field: .transport, size: 1)
        case NFT_META_NFPROTO.rawValue: Value(field: .family, size: 1)
        case NFT_META_PROTOCOL.rawValue: Value(field: .etherType, size: 2)
        case NFT_META_IIFNAME.rawValue: Value(field: .inInterface, size: 16)
        case NFT_META_OIFNAME.rawValue: Value(field: .outInterface, size: 16)
        case NFT_META_IIF.rawValue: Value(field: .inIndex, size: 4)
        case NFT_META_OIF.rawValue: Value(field: .outIndex, size: 4)
        case NFT_META_MARK.rawValue: Value(field: .mark, size: 4)
        default: Value(field: .other("meta key \(key)"), size: 4)
        }
    }

    private static func connection(_ key: UInt32) -> Value {
        switch key {
        case NFT_CT_STATE.rawValue: Value(field: .state, size: 4)
        case NFT_CT_STATUS.rawValue: Value(field: .status, size: 4)
        default: Value(field: .other("ct key \(key)"), size: 4)
        }
    }

    /// What stands at an offset of a header: RFC 791, RFC 8200, RFC 9293.
    private func payload(_ base: UInt32, _ offset: UInt32, _ length: UInt32, _ family: AddressFamily?) -> Value {
        let isIPv6 = family == .ipv6
        func value(_ field: Field) -> Value { Value(field: field, size: Int(length), isIPv6: isIPv6) }
        let other = value(.other("payload \(offset) of \(length) bytes"))
        switch (base, offset, length) {
        case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 0, 2): return value(.sourcePort)
        case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 2, 2): return value(.destinationPort)
        case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 13, 1): return value(.tcpFlags)
        case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, _, _):
            guard let family, length <= family.addressLength else { return other }
            if offset == ExpressionCodec.addressOffset(family, source: true) { return value(.source) }
            if offset == ExpressionCodec.addressOffset(family, source: false) { return value(.destination) }
            // The protocol, and the next header.
            if length == 1, offset == (isIPv6 ? 6 : 9) { return value(.transport) }
            return other
        default: return other
        }
    }
}

extension ForeignDecoder {
    private typealias Conditions = [[ForeignRule.Condition]]

    /// Sets of more elements count as unknown: a rule is looked at once for each.
    private static let maximumAlternatives = 64
    /// Maps that make more rules of one count as unknown, and so do conditions that add more than these to one.
    private static let maximumBranches = 4096
    private static let maximumConditions = 16_384

    private func unknown(_ value: Value?) -> Conditions {
        guard let value else { return [[.unknown("an unknown register")]] }
        if case .other(let name) = value.field { return [[.unknown(name)]] }
        return [[.unknown("a comparison of \(value.field)")]]
    }

    private func compare(
        _ value: Value?, _ operation: UInt32, _ data: [UInt8], _ reading: inout Reading
    ) -> Conditions {
        let zeroes = [UInt8](repeating: 0, count: data.count)
        let ones = [UInt8](repeating: 0xff, count: data.count)
        switch operation {
        case NFT_CMP_EQ.rawValue: return conditions(value, data, nil, negated: false, &reading)
        case NFT_CMP_NEQ.rawValue: return conditions(value, data, nil, negated: true, &reading)
        // The opposites of what is above and below.
        case NFT_CMP_LTE.rawValue: return conditions(value, zeroes, data, negated: false, &reading)
        case NFT_CMP_GTE.rawValue: return conditions(value, data, ones, negated: false, &reading)
        case NFT_CMP_LT.rawValue: return conditions(value, data, ones, negated: true, &reading)
        case NFT_CMP_GT.rawValue: return conditions(value, zeroes, data, negated: true, &reading)
        default: return unknown(value)
        }
    }

    private func look(
        up value: Value?, _ set: String, isMap: Bool, isNegated: Bool, _ reading: inout Reading
    ) {
        guard let value, let elements = sets[set],
            // More than one value joined together.
            elements.allSatisfy({ $0.isCatchAll || $0.key.count <= (value.size + 3) / 4 * 4 })
        else {
            reading.require([[.unknown("set \(set)")]])
            if isMap { reading.emit(.unknown("map \(set)")) }
            return
        }
        if isMap { return branch(value, set, elements, &reading) }
        if elements.contains(where: \.isCatchAll) { return reading.require([[.unknown("set \(set)")]]) }
        let parts = elements.map { conditions(value, $0.key, $0.last, negated: isNegated, &reading) }
        if isNegated {
            reading.require([parts.flatMap { $0.flatMap { $0 } }])
        } else if parts.isEmpty {
            // No packet has protocol 0 and is one of ours: nothing is in an empty set.
            reading.require([[.transport(0, negated: false)]])
        } else if parts.count > Self.maximumAlternatives {
            reading.require([[.unknown("set \(set)")]])
        } else {
            reading.require(parts.flatMap { $0 })
        }
    }

    /// A verdict for each element.
    private func branch(_ value: Value, _ set: String, _ elements: [SetElement], _ reading: inout Reading) {
        if elements.count * reading.alternatives.count > Self.maximumBranches {
            reading.require([[.unknown("map \(set)")]])
            return reading.emit(.unknown("map \(set)"))
        }
        guard elements.allSatisfy({ $0.verdict != nil }) else {
            // A map of data: whether there is an element, and what it holds, is not known.
            reading.require([[.unknown("map \(set)")]])
            for register in NFT_REG_1.rawValue...NFT_REG_4.rawValue {
                reading.registers[register] = Value(field: .other("map \(set)"), size: 0)
            }
            return
        }
        let before = reading.alternatives
        for element in elements where !element.isCatchAll {
            reading.alternatives = before
            reading.require(conditions(value, element.key, element.last, negated: false, &reading))
            reading.emit(element.verdict ?? .none)
        }
        reading.alternatives = before
        if let verdict = elements.first(where: \.isCatchAll)?.verdict {
            for element in elements where !element.isCatchAll {
                let parts = conditions(value, element.key, element.last, negated: true, &reading)
                reading.require([parts.flatMap { $0 }])
            }
            reading.emit(verdict)
        }
        reading.alternatives = before
    }

    /// The condition that a value is `key`, or between that and `last`.
    private func conditions(
        _ value: Value?, _ key: [UInt8], _ last: [UInt8]?, negated: Bool, _ reading: inout Reading
    ) -> Conditions {
        guard let value else { return unknown(nil) }
        let isRange = last.map { $0 != key } ?? false
        switch value.field {
        case .source, .destination: return addresses(value, key, isRange ? last : nil, negated: negated)
        case .sourcePort, .destinationPort: return [[port(value, key, last ?? key, negated: negated)]]
        case .family, .etherType:
            guard value.mask == nil, !isRange, !negated, let family = Self.family(of: key) else {
                return unknown(value)
            }
            reading.family = family
            return [[.destination(Self.anywhere(family), negated: false)]]
        case .inInterface, .outInterface, .inIndex, .outIndex:
            guard value.mask == nil, !isRange, let pattern = interface(value, key) else { return unknown(value) }
            if case .inInterface = value.field { return [[.inInterface(pattern, negated: negated)]] }
            if case .inIndex = value.field { return [[.inInterface(pattern, negated: negated)]] }
            return [[.outInterface(pattern, negated: negated)]]
        case .transport where !isRange && value.mask == nil && !key.isEmpty:
            return [[.transport(key[0], negated: negated)]]
        case .tcpFlags where !isRange && !key.isEmpty:
            return [[.tcpFlags(value: key[0], mask: value.mask?.first ?? 0xff, negated: negated)]]
        case .mark where !isRange:
            return [[.mark(value: Self.native(key), mask: value.mask.map(Self.native) ?? .max, negated: negated)]]
        case .state where !isRange, .status where !isRange: return connection(value, key, negated: negated)
        case .destinationType where !isRange && value.mask == nil:
            let type = Self.native(key)
            let condition =
                type < 16
                ? ForeignRule.Condition.destinationType(
                    bits: 1 << UInt16(type), reading.family ?? .ipv4, negated: negated) : nil
            return condition.map { [[$0]] } ?? unknown(value)
        default: return unknown(value)
        }
    }

    private static func family(of key: [UInt8]) -> AddressFamily? {
        switch key {
        case [2], [0x08, 0x00]: .ipv4
        case [10], [0x86, 0xdd]: .ipv6
        default: nil
        }
    }

    private static func anywhere(_ family: AddressFamily) -> IPPrefix {
        let none = [UInt8](repeating: 0, count: family.addressLength)
        return IPPrefix(bytes: none, length: 0) ?? IPPrefix(0, 0, 0, 0, length: 0)
    }

    private func port(_ value: Value, _ from: [UInt8], _ to: [UInt8], negated: Bool) -> ForeignRule.Condition {
        guard value.mask == nil, from.count >= 2, to.count >= 2 else { return .unknown("a masked port") }
        let (first, last) = (UInt16(from[0]) << 8 | UInt16(from[1]), UInt16(to[0]) << 8 | UInt16(to[1]))
        guard first <= last else { return .unknown("a range of ports") }
        if case .sourcePort = value.field { return .sourcePort(first...last, negated: negated) }
        return .destinationPort(first...last, negated: negated)
    }

    /// A name with its NULs up to `IFNAMSIZ`, or the beginning of one; or an interface's number.
    private func interface(_ value: Value, _ key: [UInt8]) -> InterfacePattern? {
        if value.size == 4 {
            var name = [CChar](repeating: 0, count: Int(IFNAMSIZ))
            // Safe: if_indextoname(3) writes at most IF_NAMESIZE bytes, which is IFNAMSIZ.
            guard unsafe if_indextoname(Self.native(key), &name) != nil else { return nil }
            let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            return InterfacePattern(name: String(decoding: bytes, as: UTF8.self), isWildcard: false)
        }
        let name = key.prefix { $0 != 0 }
        return InterfacePattern(name: String(decoding: name, as: UTF8.self), isWildcard: name.count == key.count)
    }

    private func connection(_ value: Value, _ key: [UInt8], negated: Bool) -> Conditions {
        // The bits of `ct state` (`NF_CT_STATE_BIT`, `NF_CT_STATE_INVALID_BIT`, `NF_CT_STATE_UNTRACKED_BIT`) and of
        // `ct status` (`IPS_SRC_NAT`, `IPS_DST_NAT`), `linux/netfilter/nf_conntrack_common.h`.
        let isState = if case .state = value.field { true } else { false }
        let names: [(ConnectionStateName, UInt32)] =
            isState
            ? [(.invalid, 1), (.established, 2), (.related, 4), (.new, 8), (.untracked, 64)]
            : [(.snat, 16), (.dnat, 32)]
        let known = names.reduce(0) { $0 | $1.1 }
        let asked = value.mask.map(Self.native) ?? Self.native(key)
        let number = Self.native(key)
        guard asked != 0, asked & ~known == 0 else { return unknown(value) }
        let states = Set(names.filter { asked & $0.1 != 0 }.map(\.0))
        if value.mask != nil, number == 0 { return [[.state(states, negated: !negated)]] }
        // A packet has one state, but may have both kinds of NAT.
        guard asked == number, asked.nonzeroBitCount == 1, isState || value.mask != nil else { return unknown(value) }
        return [[.state(states, negated: negated)]]
    }

    private static func native(_ bytes: [UInt8]) -> UInt32 {
        UInt32(
            littleEndian: bytes.prefix(4).enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * UInt32($1.offset)) })
    }

    private func addresses(_ value: Value, _ key: [UInt8], _ last: [UInt8]?, negated: Bool) -> Conditions {
        let length = value.isIPv6 ? 16 : 4
        let isSource = if case .source = value.field { true } else { false }
        func condition(_ prefix: IPPrefix) -> ForeignRule.Condition {
            isSource ? .source(prefix, negated: negated) : .destination(prefix, negated: negated)
        }
        func padded(_ bytes: [UInt8], with byte: UInt8 = 0) -> [UInt8] {
            Array(bytes.prefix(length)) + [UInt8](repeating: byte, count: max(length - bytes.count, 0))
        }
        if let mask = value.mask {
            guard last == nil, let prefix = IPPrefix(bytes: padded(key), mask: padded(mask)) else {
                return unknown(value)
            }
            return [[condition(prefix)]]
        }
        guard let last else {
            // Whole bytes are loaded as such.
            let bits = min(value.size, length) * 8
            return IPPrefix(bytes: padded(key), length: bits).map { [[condition($0)]] } ?? unknown(value)
        }
        guard value.size == length else { return unknown(value) }
        let prefixes = IPPrefix.covering(from: padded(key), to: padded(last))
        return negated ? [prefixes.map(condition)] : prefixes.map { [condition($0)] }
    }
}
