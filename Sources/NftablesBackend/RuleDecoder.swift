import CLibnftnl
import Model

/// Reads the expressions of one rule back into a `Rule`, and says what it does not understand.
struct RuleDecoder {
    /// A rule read back, and its counter.
    struct Result: Equatable {
        let content: InstalledRule.Content
        let packets: UInt64
        let bytes: UInt64
    }

    /// What a register holds.
    private enum Value {
        case meta(UInt32)
        case payload(base: UInt32, offset: UInt32, length: UInt32)
        case connection(UInt32)
        indirect case masked(Value, mask: [UInt8])
        case data([UInt8])
    }

    /// The registers that the expressions so far have loaded. A rule of ours uses two.
    private struct Registers {
        private var values: [(register: UInt32, value: Value, isUsed: Bool)] = []

        /// Whether a value was loaded that no expression has asked for. In rules of ours each is asked for at once.
        var holdUnused: Bool { values.contains { !$0.isUsed } }

        /// Loads a value. Only the 16-byte registers, because the 4-byte ones overlap them.
        mutating func load(_ value: Value, into register: UInt32) throws(NotOurs) {
            guard (NFT_REG_1.rawValue...NFT_REG_4.rawValue).contains(register) else {
                throw NotOurs(what: "an unknown register")
            }
            if let index = values.firstIndex(where: { $0.register == register }) {
                if !values[index].isUsed { throw NotOurs(what: "a value that nothing asks for") }
                values[index] = (register, value, false)
            } else {
                values.append((register, value, false))
            }
        }

        /// What a register holds; nil when nothing was loaded into it.
        mutating func use(_ register: UInt32) -> Value? {
            guard let index = values.firstIndex(where: { $0.register == register }) else { return nil }
            values[index].isUsed = true
            return values[index].value
        }
    }

    /// Why decoding stopped: the words for what was not understood.
    private struct NotOurs: Error { let what: String }

    private let place: Place
    private var family: AddressFamily?
    private var registers = Registers()
    private var matches: [Match] = []
    private var action: Action?
    private var counter: (packets: UInt64, bytes: UInt64)?

    /// Decodes the expressions of a rule that stands at a place of a table of this layout.
    static func decode(
        _ expressions: [Expression], at place: Place, in layout: TableLayout, comment: String
    ) -> Result {
        var decoder = RuleDecoder(place: place, layout: layout)
        let content: InstalledRule.Content
        do throws(NotOurs) {
            for expression in expressions { try decoder.take(expression) }
            content = .rule(try decoder.rule(comment: comment))
        } catch {
            content = .unknown("\"\(comment)\" in \(layout.description) \(place.rawValue) has \(error.what)")
        }
        return Result(
            content: content, packets: decoder.counter?.packets ?? 0, bytes: decoder.counter?.bytes ?? 0)
    }

    private init(place: Place, layout: TableLayout) {
        self.place = place
        family = layout.needsFamilyMatch ? nil : layout.ruleFamilies.first
    }

    private func rule(comment: String) throws(NotOurs) -> Rule {
        guard let family else { throw NotOurs(what: "no address family") }
        guard let action else { throw NotOurs(what: "no verdict") }
        if counter == nil { throw NotOurs(what: "no counter") }
        if registers.holdUnused { throw NotOurs(what: "a value that nothing asks for") }
        return Rule(place: place, family: family, matches: matches, action: action, comment: comment)
    }

    private mutating func take(_ expression: Expression) throws(NotOurs) {
        if action != nil { throw NotOurs(what: "more after the verdict") }
        switch expression {
        case .meta(let key, let register): try registers.load(.meta(key), into: register)
        case .payload(let base, let offset, let length, let register):
            try registers.load(.payload(base: base, offset: offset, length: length), into: register)
        case .connection(let key, let register): try registers.load(.connection(key), into: register)
        case .immediate(let register, let data): try registers.load(.data(data), into: register)
        case .bitwise(let source, let destination, let mask, let xor):
            guard let value = registers.use(source), xor.allSatisfy({ $0 == 0 }) else {
                throw NotOurs(what: "unknown bitwise operation")
            }
            try registers.load(.masked(value, mask: mask), into: destination)
        case .compare(let operation, let register, let data):
            if counter != nil { throw NotOurs(what: "a condition behind its counter") }
            try compare(registers.use(register), operation: operation, data: data)
        case .counter(let packets, let bytes):
            if counter != nil { throw NotOurs(what: "two counters") }
            counter = (packets, bytes)
        case .verdict, .nat, .redirect, .reject: action = try decodeAction(expression)
        case .unknown(let name): throw NotOurs(what: "unknown expression '\(name)'")
        }
    }

    private mutating func compare(_ value: Value?, operation: UInt32, data: [UInt8]) throws(NotOurs) {
        guard operation == ExpressionCodec.equal || operation == ExpressionCodec.notEqual else {
            throw NotOurs(what: "unknown comparison")
        }
        let negated = operation == ExpressionCodec.notEqual
        switch value {
        case .meta(NFT_META_NFPROTO.rawValue) where !negated:
            let named = AddressFamily.allCases.first { [ExpressionCodec.protocolNumber($0)] == data }
            guard let named, family == nil || family == named else { throw NotOurs(what: "unknown family") }
            family = named
        case .meta(NFT_META_L4PROTO.rawValue) where !negated && data == [6]: matches.append(.tcp)
        case .meta(NFT_META_IIFNAME.rawValue):
            matches.append(.inInterface(try interface(data), negated: negated))
        case .payload(NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 2, 2) where !negated && data.count == 2:
            matches.append(.tcpDestinationPort(Self.number(data)))
        case .payload(NFT_PAYLOAD_NETWORK_HEADER.rawValue, let offset, let length)
        where !negated && data.count == length:
            try destination(offset: offset, bytes: data, bits: data.count * 8)
        case .masked(.payload(NFT_PAYLOAD_NETWORK_HEADER.rawValue, let offset, let length), let mask)
        where !negated && mask.count == length:
            guard let prefix = IPPrefix(bytes: data, mask: mask) else { throw NotOurs(what: "unknown address mask") }
            try destination(offset: offset, bytes: data, bits: prefix.length)
        case .masked(.connection(NFT_CT_STATUS.rawValue), ExpressionCodec.native(ExpressionCodec.destinationNat))
        where negated && data == ExpressionCodec.native(0):
            matches.append(.destinationTranslated)
        default: throw NotOurs(what: "unknown condition")
        }
    }

    private mutating func destination(offset: UInt32, bytes: [UInt8], bits: Int) throws(NotOurs) {
        guard let family else { throw NotOurs(what: "an address without its family") }
        let padding = [UInt8](repeating: 0, count: max(family.addressLength - bytes.count, 0))
        guard let prefix = IPPrefix(bytes: bytes + padding, length: bits), prefix.family == family else {
            throw NotOurs(what: "unknown address")
        }
        if offset != ExpressionCodec.addressOffset(family, source: false) {
            throw NotOurs(what: "unknown header field")
        }
        matches.append(.destination(prefix))
    }

    /// A name stands with NULs up to `IFNAMSIZ`, a wildcard without any.
    private func interface(_ data: [UInt8]) throws(NotOurs) -> InterfacePattern {
        let name = data.prefix { $0 != 0 }
        let isWildcard = name.count == data.count
        guard !name.isEmpty, isWildcard || data.count == Int(IFNAMSIZ) && data[name.count...].allSatisfy({ $0 == 0 })
        else { throw NotOurs(what: "no interface name") }
        return InterfacePattern(name: String(decoding: name, as: UTF8.self), isWildcard: isWildcard)
    }

    private mutating func decodeAction(_ expression: Expression) throws(NotOurs) -> Action {
        switch expression {
        case .verdict(NF_ACCEPT): return .accept
        case .verdict(NF_DROP): return .drop
        case .reject(NFT_REJECT_TCP_RST.rawValue, 0): return .reject(.tcpReset)
        case .reject(NFT_REJECT_ICMP_UNREACH.rawValue, let code):
            guard let family, code == ExpressionCodec.prohibitedCode(family) else { break }
            return .reject(.adminProhibited)
        case .nat(NFT_NAT_DNAT.rawValue, let number, let address, let port, ExpressionCodec.natFlags):
            guard let family, number == UInt32(ExpressionCodec.protocolNumber(family)),
                case .data(let bytes)? = registers.use(address), case .data(let portBytes)? = registers.use(port),
                let prefix = IPPrefix(bytes: bytes, length: bytes.count * 8), portBytes.count == 2
            else { break }
            return .dnat(to: prefix, port: Self.number(portBytes))
        case .redirect(let port, ExpressionCodec.redirectFlags):
            guard case .data(let bytes)? = registers.use(port), bytes.count == 2 else { break }
            return .redirect(port: Self.number(bytes))
        default: break
        }
        throw NotOurs(what: "unknown verdict")
    }

    private static func number(_ bytes: [UInt8]) -> UInt16 { UInt16(bytes[0]) << 8 | UInt16(bytes[1]) }
}
