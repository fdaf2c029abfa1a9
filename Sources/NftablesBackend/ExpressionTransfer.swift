import CLibnftnl
import Model

/// Carries expressions into libnftnl's objects and out of them. The corresponding C type is `struct nftnl_expr`.
enum ExpressionTransfer {
    // libnftnl keeps these in anonymous enums, which arrive as `Int`.
    typealias Attribute = Int

    /// Allocates libnftnl's object for an expression; the caller gives it to a rule, which frees it.
    ///
    /// - Returns: nil for an unknown expression, or when there is no memory.
    static func make(_ expression: Expression) -> OpaquePointer? {
        switch expression {
        case .meta(let key, let register):
            unsafe make("meta", [(NFTNL_EXPR_META_KEY, key), (NFTNL_EXPR_META_DREG, register)])
        case .payload(let base, let offset, let length, let register):
            unsafe make(
                "payload",
                [
                    (NFTNL_EXPR_PAYLOAD_BASE, base), (NFTNL_EXPR_PAYLOAD_OFFSET, offset),
                    (NFTNL_EXPR_PAYLOAD_LEN, length), (NFTNL_EXPR_PAYLOAD_DREG, register),
                ])
        case .connection(let key, let register):
            unsafe make("ct", [(NFTNL_EXPR_CT_KEY, key), (NFTNL_EXPR_CT_DREG, register)])
        case .bitwise(let source, let destination, let mask, let xor):
            unsafe make(
                "bitwise",
                [
                    (NFTNL_EXPR_BITWISE_SREG, source), (NFTNL_EXPR_BITWISE_DREG, destination),
                    (NFTNL_EXPR_BITWISE_LEN, UInt32(mask.count)),
                ],
                data: [(NFTNL_EXPR_BITWISE_MASK, mask), (NFTNL_EXPR_BITWISE_XOR, xor)])
        case .compare(let operation, let register, let bytes):
            unsafe make(
                "cmp", [(NFTNL_EXPR_CMP_OP, operation), (NFTNL_EXPR_CMP_SREG, register)],
                data: [(NFTNL_EXPR_CMP_DATA, bytes)])
        case .counter: unsafe make("counter", [])
        case .immediate(let register, let bytes):
            unsafe make("immediate", [(NFTNL_EXPR_IMM_DREG, register)], data: [(NFTNL_EXPR_IMM_DATA, bytes)])
        case .verdict(let verdict):
            unsafe make(
                "immediate",
                [
                    (NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT.rawValue),
                    (NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict)),
                ])
        case .nat(let type, let family, let address, let port, _):
            // The kernel works the flags out by itself, and older ones do not know them.
            unsafe make(
                "nat",
                [
                    (NFTNL_EXPR_NAT_TYPE, type), (NFTNL_EXPR_NAT_FAMILY, family),
                    (NFTNL_EXPR_NAT_REG_ADDR_MIN, address), (NFTNL_EXPR_NAT_REG_PROTO_MIN, port),
                ])
        case .redirect(let port, _): unsafe make("redir", [(NFTNL_EXPR_REDIR_REG_PROTO_MIN, port)])
        case .reject(let type, let code): unsafe makeReject(type: type, code: code)
        case .unknown: nil
        }
    }

    private static func make(
        _ name: String, _ numbers: [(Attribute, UInt32)], data: [(Attribute, [UInt8])] = []
    ) -> OpaquePointer? {
        guard let object = unsafe nftnl_expr_alloc(name) else { return nil }
        for (attribute, number) in numbers { unsafe nftnl_expr_set_u32(object, UInt16(attribute), number) }
        for (attribute, bytes) in data {
            _ = unsafe nftnl_expr_set(object, UInt16(attribute), bytes, UInt32(bytes.count))
        }
        return unsafe object
    }

    private static func makeReject(type: UInt32, code: UInt8) -> OpaquePointer? {
        guard let object = unsafe make("reject", [(NFTNL_EXPR_REJECT_TYPE, type)]) else { return nil }
        unsafe nftnl_expr_set_u8(object, UInt16(NFTNL_EXPR_REJECT_CODE), code)
        return unsafe object
    }

    /// All expressions of a rule. The corresponding C function is `nftnl_expr_iter_next`.
    static func read(rule: OpaquePointer) -> [Expression] { unsafe map(rule) { read($0) } }

    /// What `transform` makes of each expression of a rule.
    static func map<Value>(_ rule: OpaquePointer, _ transform: (Object) -> Value) -> [Value] {
        guard let iterator = unsafe nftnl_expr_iter_create(rule) else { return [] }
        defer { unsafe nftnl_expr_iter_destroy(iterator) }
        var values: [Value] = []
        while let object = unsafe nftnl_expr_iter_next(iterator) {
            values.append(transform(unsafe Object(pointer: object)))
        }
        return values
    }

    /// An expression of libnftnl's, borrowed while its rule lives.
    @safe struct Object {
        fileprivate let pointer: OpaquePointer

        fileprivate init(pointer: OpaquePointer) { unsafe self.pointer = pointer }

        var name: String {
            let name = text(Int(NFTNL_EXPR_NAME))
            return name.isEmpty ? "?" : name
        }

        func has(_ attribute: Attribute) -> Bool { unsafe nftnl_expr_is_set(pointer, UInt16(attribute)) }
        func number(_ attribute: Attribute) -> UInt32 { unsafe nftnl_expr_get_u32(pointer, UInt16(attribute)) }

        func text(_ attribute: Attribute) -> String {
            guard let text = unsafe nftnl_expr_get_str(pointer, UInt16(attribute)) else { return "" }
            return unsafe String(cString: text)
        }

        func bytes(_ attribute: Attribute) -> [UInt8] {
            var length: UInt32 = 0
            guard let data = unsafe nftnl_expr_get(pointer, UInt16(attribute), &length) else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
        }
    }

    static func read(_ object: Object) -> Expression {
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
            return unsafe .counter(
                packets: nftnl_expr_get_u64(object.pointer, UInt16(NFTNL_EXPR_CTR_PACKETS)),
                bytes: nftnl_expr_get_u64(object.pointer, UInt16(NFTNL_EXPR_CTR_BYTES)))
        case "immediate": return readImmediate(object)
        case "nat": return readNat(object)
        case "redir": return readRedirect(object)
        case "reject":
            return unsafe .reject(
                type: object.number(NFTNL_EXPR_REJECT_TYPE),
                code: nftnl_expr_get_u8(object.pointer, UInt16(NFTNL_EXPR_REJECT_CODE)))
        default: return .unknown(name)
        }
    }

    private static func readImmediate(_ object: Object) -> Expression {
        if object.has(NFTNL_EXPR_IMM_CHAIN) { return .unknown("jump") }
        if object.has(NFTNL_EXPR_IMM_VERDICT) {
            return .verdict(Int32(bitPattern: object.number(NFTNL_EXPR_IMM_VERDICT)))
        }
        return .immediate(register: object.number(NFTNL_EXPR_IMM_DREG), data: object.bytes(NFTNL_EXPR_IMM_DATA))
    }

    /// The kernel reads back an upper end for each register, equal to the lower, and flags for what is given.
    private static func readNat(_ object: Object) -> Expression {
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

    private static func readRedirect(_ object: Object) -> Expression {
        let port = object.number(NFTNL_EXPR_REDIR_REG_PROTO_MIN)
        guard object.has(NFTNL_EXPR_REDIR_REG_PROTO_MIN), isSame(object, NFTNL_EXPR_REDIR_REG_PROTO_MAX, port) else {
            return .unknown("redir")
        }
        return .redirect(
            port: port, flags: object.number(NFTNL_EXPR_REDIR_FLAGS) | ExpressionCodec.redirectFlags)
    }

    private static func isSame(_ object: Object, _ attribute: Attribute, _ register: UInt32) -> Bool {
        !object.has(attribute) || object.number(attribute) == register
    }
}
