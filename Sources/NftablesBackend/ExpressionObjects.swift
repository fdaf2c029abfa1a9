import CLibnftnl
import Model

// libnftnl keeps these in anonymous enums, which arrive as `Int`.
typealias ExpressionAttribute = Int

/// An expression for a rule that is being made, freed when it goes out of scope. The corresponding C type is
/// `struct nftnl_expr`.
///
/// Safe: the object is `nftnl_expr_alloc`'s and not null. Nobody else has it, as it is private in a value that cannot
/// be copied. It is freed once: in `deinit`, or by the rule that it is handed over to. The setters copy what they are
/// given.
@safe struct NewExpression: ~Copyable {
    private let pointer: OpaquePointer

    /// Nil where there is no memory, or libnftnl knows no expression of that name.
    init?(_ name: String) {
        guard let made = unsafe nftnl_expr_alloc(name) else { return nil }
        unsafe self.init(taking: made)
    }

    /// Takes an object that nobody else frees.
    @unsafe init(taking object: OpaquePointer) { unsafe pointer = object }

    deinit { unsafe nftnl_expr_free(pointer) }

    func set(_ attribute: ExpressionAttribute, _ number: UInt32) {
        unsafe nftnl_expr_set_u32(pointer, UInt16(attribute), number)
    }

    func set(_ attribute: ExpressionAttribute, _ number: UInt8) {
        unsafe nftnl_expr_set_u8(pointer, UInt16(attribute), number)
    }

    func set(_ attribute: ExpressionAttribute, _ bytes: [UInt8]) {
        // Safe: libnftnl has room for a value of the kernel's, and some of its versions do not look whether it is
        // enough. An address is the longest that a rule of ours holds.
        precondition(bytes.count <= Int(NFT_DATA_VALUE_MAXLEN))
        _ = unsafe nftnl_expr_set(pointer, UInt16(attribute), bytes, UInt32(bytes.count))
    }

    /// Gives the object up; whoever takes it frees it.
    @unsafe consuming func handOver() -> OpaquePointer {
        let object = unsafe pointer
        discard self
        return unsafe object
    }
}

/// An expression of a rule, lent by it. The corresponding C type is `struct nftnl_expr`.
///
/// Safe: it is made of an expression that is not null, and lent while its rule lives (`RuleObject.map`); it cannot be
/// copied, so that nobody keeps it. The getters look attributes up by number: those that the expression does not have,
/// or that are not set, give 0 or a null pointer. What they point to is copied before they return. Each is asked for
/// with the width in which libnftnl keeps it (`include/libnftnl/expr.h`, and its `expr_*_get`).
@safe struct ReadExpression: ~Copyable {
    private let pointer: OpaquePointer

    @unsafe init(lent pointer: OpaquePointer) { unsafe self.pointer = pointer }

    var name: String {
        let name = text(Int(NFTNL_EXPR_NAME))
        return name.isEmpty ? "?" : name
    }

    func has(_ attribute: ExpressionAttribute) -> Bool { unsafe nftnl_expr_is_set(pointer, UInt16(attribute)) }

    func number(_ attribute: ExpressionAttribute) -> UInt32 { unsafe nftnl_expr_get_u32(pointer, UInt16(attribute)) }

    func long(_ attribute: ExpressionAttribute) -> UInt64 { unsafe nftnl_expr_get_u64(pointer, UInt16(attribute)) }

    func byte(_ attribute: ExpressionAttribute) -> UInt8 { unsafe nftnl_expr_get_u8(pointer, UInt16(attribute)) }

    func text(_ attribute: ExpressionAttribute) -> String {
        unsafe string(nftnl_expr_get_str(pointer, UInt16(attribute)))
    }

    func bytes(_ attribute: ExpressionAttribute) -> [UInt8] {
        var length: UInt32 = 0
        guard let data = unsafe nftnl_expr_get(pointer, UInt16(attribute), &length) else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
    }
}
