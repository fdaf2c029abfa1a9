import CLibnftnl
import Model

/// Carries expressions into libnftnl's objects and out of them.
enum ExpressionTransfer {
    /// Libnftnl's object for an expression.
    ///
    /// - Returns: nil for an unknown expression, or when there is no memory.
    static func make(_ expression: Expression) -> NewExpression? {
        switch expression {
        case .meta(let key, let register):
            make("meta", [(NFTNL_EXPR_META_KEY, key), (NFTNL_EXPR_META_DREG, register)])
        case .payload(let base, let offset, let length, let register):
            make(
                "payload",
                [
                    (NFTNL_EXPR_PAYLOAD_BASE, base), (NFTNL_EXPR_PAYLOAD_OFFSET, offset),
                    (NFTNL_EXPR_PAYLOAD_LEN, length), (NFTNL_EXPR_PAYLOAD_DREG, register),
                ])
        case .connection(let key, let register):
            make("ct", [(NFTNL_EXPR_CT_KEY, key), (NFTNL_EXPR_CT_DREG, register)])
        case .bitwise(let source, let destination, let mask, let xor):
            make(
                "bitwise",
                [
                    (NFTNL_EXPR_BITWISE_SREG, source), (NFTNL_EXPR_BITWISE_DREG, destination),
                    (NFTNL_EXPR_BITWISE_LEN, UInt32(mask.count)),
                ],
                data: [(NFTNL_EXPR_BITWISE_MASK, mask), (NFTNL_EXPR_BITWISE_XOR, xor)])
        case .compare(let operation, let register, let bytes):
            make(
                "cmp", [(NFTNL_EXPR_CMP_OP, operation), (NFTNL_EXPR_CMP_SREG, register)],
                data: [(NFTNL_EXPR_CMP_DATA, bytes)])
        case .counter: make("counter", [])
        case .immediate(let register, let bytes):
            make("immediate", [(NFTNL_EXPR_IMM_DREG, register)], data: [(NFTNL_EXPR_IMM_DATA, bytes)])
        case .verdict(let verdict):
            make(
                "immediate",
                [
                    (NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT.rawValue),
                    (NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict)),
                ])
        case .nat(let type, let family, let address, let port, _):
            // The kernel works the flags out by itself, and older ones do not know them.
            make(
                "nat",
                [
                    (NFTNL_EXPR_NAT_TYPE, type), (NFTNL_EXPR_NAT_FAMILY, family),
                    (NFTNL_EXPR_NAT_REG_ADDR_MIN, address), (NFTNL_EXPR_NAT_REG_PROTO_MIN, port),
                ])
        case .redirect(let port, _): make("redir", [(NFTNL_EXPR_REDIR_REG_PROTO_MIN, port)])
        case .reject(let type, let code): makeReject(type: type, code: code)
        case .unknown: nil
        }
    }

    private static func make(
        _ name: String, _ numbers: [(ExpressionAttribute, UInt32)], data: [(ExpressionAttribute, [UInt8])] = []
    ) -> NewExpression? {
        guard let made = NewExpression(name) else { return nil }
        for (attribute, number) in numbers { made.set(attribute, number) }
        for (attribute, bytes) in data { made.set(attribute, bytes) }
        return made
    }

    private static func makeReject(type: UInt32, code: UInt8) -> NewExpression? {
        guard let made = make("reject", [(NFTNL_EXPR_REJECT_TYPE, type)]) else { return nil }
        made.set(NFTNL_EXPR_REJECT_CODE, code)
        return made
    }

    static func read(_ object: borrowing ReadExpression) -> Expression {
        let name = object.name
        switch name {
        case "meta" where object.has(NFTNL_EXPR_META_DREG):
            return .meta(key: object.number(NFTNL_EXPR_META_KEY), register: object.number(NFTNL_EXPR_META_DREG))
        case "payload" where object.has(NFTNL_EXPR_PAYLOAD_DREG):
            return .payload(
                base: object.number(NFTNL_EXPR_PAYLOAD_BASE), offset: object.number(NFTNL_EXPR_PAYLOAD_OFFSET),
                length: object.number(NFTNL_EXPR_PAYLOAD_LEN), register: object.number(NFTNL_EXPR_PAYLOAD_DREG))
        case "ct" where object.has(NFTNL_EXPR_CT_DREG) && !object.has(NFTNL_EXPR_CT_DIR):
            return .connection(key: object.number(NFTNL_EXPR_CT_KEY), register: object.number(NFTNL_EXPR_CT_DREG))
        case "bitwise" where object.number(NFTNL_EXPR_BITWISE_OP) == NFT_BITWISE_MASK_XOR.rawValue:
            return .bitwise(
                source: object.number(NFTNL_EXPR_BITWISE_SREG),
                destination: object.number(NFTNL_EXPR_BITWISE_DREG),
                mask: object.bytes(NFTNL_EXPR_BITWISE_MASK), xor: object.bytes(NFTNL_EXPR_BITWISE_XOR))
        case "cmp":
            return .compare(
                operation: object.number(NFTNL_EXPR_CMP_OP), register: object.number(NFTNL_EXPR_CMP_SREG),
                data: object.bytes(NFTNL_EXPR_CMP_DATA))
        case "counter":
            return .counter(packets: object.long(NFTNL_EXPR_CTR_PACKETS), bytes: object.long(NFTNL_EXPR_CTR_BYTES))
        case "immediate": return readImmediate(object)
        case "nat": return readNat(object)
        case "redir": return readRedirect(object)
        case "reject":
            return .reject(type: object.number(NFTNL_EXPR_REJECT_TYPE), code: object.byte(NFTNL_EXPR_REJECT_CODE))
        default: return .unknown(name)
        }
    }

    private static func readImmediate(_ object: borrowing ReadExpression) -> Expression {
        if object.has(NFTNL_EXPR_IMM_CHAIN) { return .unknown("jump") }
        if object.has(NFTNL_EXPR_IMM_VERDICT) {
            return .verdict(Int32(bitPattern: object.number(NFTNL_EXPR_IMM_VERDICT)))
        }
        return .immediate(register: object.number(NFTNL_EXPR_IMM_DREG), data: object.bytes(NFTNL_EXPR_IMM_DATA))
    }

    /// The kernel reads back an upper end for each register, equal to the lower, and flags for what is given.
    private static func readNat(_ object: borrowing ReadExpression) -> Expression {
        let address = object.number(NFTNL_EXPR_NAT_REG_ADDR_MIN)
        let port = object.number(NFTNL_EXPR_NAT_REG_PROTO_MIN)
        guard object.has(NFTNL_EXPR_NAT_REG_ADDR_MIN), object.has(NFTNL_EXPR_NAT_REG_PROTO_MIN),
            isSame(object, NFTNL_EXPR_NAT_REG_ADDR_MAX, address), isSame(object, NFTNL_EXPR_NAT_REG_PROTO_MAX, port)
        else { return .unknown("nat") }
        return .nat(
            type: object.number(NFTNL_EXPR_NAT_TYPE), family: object.number(NFTNL_EXPR_NAT_FAMILY),
            address: address, port: port,
            flags: object.number(NFTNL_EXPR_NAT_FLAGS) | ExpressionCodec.natFlags)
    }

    private static func readRedirect(_ object: borrowing ReadExpression) -> Expression {
        let port = object.number(NFTNL_EXPR_REDIR_REG_PROTO_MIN)
        guard object.has(NFTNL_EXPR_REDIR_REG_PROTO_MIN), isSame(object, NFTNL_EXPR_REDIR_REG_PROTO_MAX, port) else {
            return .unknown("redir")
        }
        return .redirect(
            port: port, flags: object.number(NFTNL_EXPR_REDIR_FLAGS) | ExpressionCodec.redirectFlags)
    }

    private static func isSame(_ object: borrowing ReadExpression, _ attribute: ExpressionAttribute, _ register: UInt32)
        -> Bool
    {
        !object.has(attribute) || object.number(attribute) == register
    }
}
