import CLibnftnl
import Glibc
import Model

// What libnftnl promises for each type in this file: its getters look attributes up by number, and give 0 or a null
// pointer for those that the object does not have, or that are not set (`ObjectTests`). What they point to belongs to
// the object, and is copied here before they return. Its setters copy what they are given.

/// A table as libnftnl holds it. The corresponding C type is `struct nftnl_table`.
///
/// Safe: the pointer is not null, and is a table that libnftnl made for this value alone: it is private in a value that
/// cannot be copied, and freed once, in `deinit`. The getters and setters are such as said above.
@safe struct TableObject: ~Copyable {
    private let pointer: OpaquePointer

    /// Reads a message; nil where libnftnl cannot. The corresponding C function is `nftnl_table_nlmsg_parse`.
    init?(_ message: borrowing ReceivedMessage) {
        guard let made = unsafe nftnl_table_alloc() else { return nil }
        guard unsafe nftnl_table_nlmsg_parse(message.header, made) >= 0 else {
            unsafe nftnl_table_free(made)
            return nil
        }
        unsafe pointer = made
    }

    deinit { unsafe nftnl_table_free(pointer) }

    func number(_ attribute: nftnl_table_attr) -> UInt32 {
        unsafe nftnl_table_get_u32(pointer, UInt16(attribute.rawValue))
    }

    func text(_ attribute: nftnl_table_attr) -> String {
        unsafe string(nftnl_table_get_str(pointer, UInt16(attribute.rawValue)))
    }
}

/// A chain as libnftnl holds it. The corresponding C type is `struct nftnl_chain`.
///
/// Safe: the pointer is not null, and is a chain that libnftnl made for this value alone: it is private in a value that
/// cannot be copied, and freed once, in `deinit`. The getters and setters are such as said above.
@safe struct ChainObject: ~Copyable {
    private let pointer: OpaquePointer

    /// An empty one; nil where there is no memory.
    init?() {
        guard let made = unsafe nftnl_chain_alloc() else { return nil }
        unsafe pointer = made
    }

    /// Reads a message; nil where libnftnl cannot. The corresponding C function is `nftnl_chain_nlmsg_parse`.
    init?(_ message: borrowing ReceivedMessage) {
        guard let made = unsafe nftnl_chain_alloc() else { return nil }
        guard unsafe nftnl_chain_nlmsg_parse(message.header, made) >= 0 else {
            unsafe nftnl_chain_free(made)
            return nil
        }
        unsafe pointer = made
    }

    deinit { unsafe nftnl_chain_free(pointer) }

    func has(_ attribute: nftnl_chain_attr) -> Bool { unsafe nftnl_chain_is_set(pointer, UInt16(attribute.rawValue)) }

    func number(_ attribute: nftnl_chain_attr) -> UInt32 {
        unsafe nftnl_chain_get_u32(pointer, UInt16(attribute.rawValue))
    }

    func text(_ attribute: nftnl_chain_attr) -> String {
        unsafe string(nftnl_chain_get_str(pointer, UInt16(attribute.rawValue)))
    }

    func set(_ attribute: nftnl_chain_attr, _ text: String) {
        _ = unsafe nftnl_chain_set_str(pointer, UInt16(attribute.rawValue), text)
    }

    func set(_ attribute: nftnl_chain_attr, _ number: UInt32) {
        unsafe nftnl_chain_set_u32(pointer, UInt16(attribute.rawValue), number)
    }

    /// Writes it into a message. The corresponding C function is `nftnl_chain_nlmsg_build_payload`.
    func write(to message: borrowing MessageWriter) {
        // Safe: the function does not look where the message ends. A chain's names and numbers, all of them this
        // program's own, take some 100 bytes of `RequestBuilder.messageSize`.
        unsafe nftnl_chain_nlmsg_build_payload(message.header, pointer)
    }
}

/// A rule as libnftnl holds it. The corresponding C type is `struct nftnl_rule`.
///
/// Safe: the pointer is not null, and is a rule that libnftnl made for this value alone: it is private in a value that
/// cannot be copied, and freed once, in `deinit`. The getters and setters are such as said above.
@safe struct RuleObject: ~Copyable {
    private let pointer: OpaquePointer

    /// An empty one; nil where there is no memory.
    init?() {
        guard let made = unsafe nftnl_rule_alloc() else { return nil }
        unsafe pointer = made
    }

    /// Reads a message; nil where libnftnl cannot. The corresponding C function is `nftnl_rule_nlmsg_parse`.
    init?(_ message: borrowing ReceivedMessage) {
        guard let made = unsafe nftnl_rule_alloc() else { return nil }
        guard unsafe nftnl_rule_nlmsg_parse(message.header, made) >= 0 else {
            unsafe nftnl_rule_free(made)
            return nil
        }
        unsafe pointer = made
    }

    deinit { unsafe nftnl_rule_free(pointer) }

    func text(_ attribute: nftnl_rule_attr) -> String {
        unsafe string(nftnl_rule_get_str(pointer, UInt16(attribute.rawValue)))
    }

    var handle: UInt64 { unsafe nftnl_rule_get_u64(pointer, UInt16(NFTNL_RULE_HANDLE.rawValue)) }

    /// What whoever made the rule left with it; nil where there is nothing.
    var userData: [UInt8]? {
        var length: UInt32 = 0
        // Safe: where it is not null, `length` bytes are there.
        guard let data = unsafe nftnl_rule_get_data(pointer, UInt16(NFTNL_RULE_USERDATA.rawValue), &length) else {
            return nil
        }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
    }

    /// What `transform` makes of each expression. The corresponding C function is `nftnl_expr_iter_next`.
    func map<Value>(_ transform: (borrowing ReadExpression) -> Value) -> [Value] {
        // Safe: the expressions are the rule's, which lives longer than the iterator; they are lent to `transform` for
        // a call.
        guard let iterator = unsafe nftnl_expr_iter_create(pointer) else { return [] }
        defer { unsafe nftnl_expr_iter_destroy(iterator) }
        var values: [Value] = []
        while let next = unsafe nftnl_expr_iter_next(iterator) {
            values.append(transform(unsafe ReadExpression(lent: next)))
        }
        return values
    }

    func set(_ attribute: nftnl_rule_attr, _ text: String) {
        _ = unsafe nftnl_rule_set_str(pointer, UInt16(attribute.rawValue), text)
    }

    func setUserData(_ data: [UInt8]) {
        _ = unsafe nftnl_rule_set_data(pointer, UInt16(NFTNL_RULE_USERDATA.rawValue), data, UInt32(data.count))
    }

    /// Adds an expression at the end. The corresponding C function is `nftnl_rule_add_expr`.
    func add(_ expression: consuming NewExpression) {
        // Safe: the rule frees the expression from now on; the value that did so is gone.
        unsafe nftnl_rule_add_expr(pointer, expression.handOver())
    }

    /// Writes it into a message. The corresponding C function is `nftnl_rule_nlmsg_build_payload`.
    func write(to message: borrowing MessageWriter) {
        // Safe: the function does not look where the message ends. A rule of ours takes 1 KiB at most (`LibnftnlTests`)
        // of `RequestBuilder.messageSize`, which is eight times that; nobody else's rule is ever written.
        unsafe nftnl_rule_nlmsg_build_payload(message.header, pointer)
    }
}

/// A set with its elements as libnftnl holds it. The corresponding C type is `struct nftnl_set`.
///
/// Safe: the pointer is not null, and is a set that libnftnl made for this value alone: it is private in a value that
/// cannot be copied, and freed once, in `deinit`. The getters and setters are such as said above.
@safe struct SetObject: ~Copyable {
    private let pointer: OpaquePointer

    /// Reads a message of elements; nil where libnftnl cannot. The corresponding C function is
    /// `nftnl_set_elems_nlmsg_parse`.
    init?(_ message: borrowing ReceivedMessage) {
        guard let made = unsafe nftnl_set_alloc() else { return nil }
        guard unsafe nftnl_set_elems_nlmsg_parse(message.header, made) >= 0 else {
            unsafe nftnl_set_free(made)
            return nil
        }
        unsafe pointer = made
    }

    deinit { unsafe nftnl_set_free(pointer) }

    /// Gives each element to `body`. The corresponding C function is `nftnl_set_elems_iter_next`.
    func forEachElement(_ body: (borrowing ElementObject) -> Void) {
        // Safe: the elements are the set's, which lives longer than the iterator; they are lent to `body` for a call.
        guard let iterator = unsafe nftnl_set_elems_iter_create(pointer) else { return }
        defer { unsafe nftnl_set_elems_iter_destroy(iterator) }
        while let next = unsafe nftnl_set_elems_iter_next(iterator) { body(unsafe ElementObject(lent: next)) }
    }
}

/// An element of a set, lent by it. The corresponding C type is `struct nftnl_set_elem`.
///
/// Safe: only `SetObject` makes one, of an element that is not null, and lends it while the set lives; it cannot be
/// copied, so that nobody keeps it. Unlike others, libnftnl reads an element's number through the null pointer where it
/// is not set: whether it is, is asked first.
@safe struct ElementObject: ~Copyable {
    private let pointer: OpaquePointer

    fileprivate init(lent pointer: OpaquePointer) { unsafe self.pointer = pointer }

    func has(_ attribute: Int) -> Bool { unsafe nftnl_set_elem_is_set(pointer, UInt16(attribute)) }

    func number(_ attribute: Int) -> UInt32 {
        has(attribute) ? unsafe nftnl_set_elem_get_u32(pointer, UInt16(attribute)) : 0
    }

    func text(_ attribute: Int) -> String {
        has(attribute) ? unsafe string(nftnl_set_elem_get_str(pointer, UInt16(attribute))) : ""
    }

    func bytes(_ attribute: Int) -> [UInt8] {
        var length: UInt32 = 0
        guard has(attribute), let data = unsafe nftnl_set_elem_get(pointer, UInt16(attribute), &length) else {
            return []
        }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
    }
}

/// The generation of the ruleset. The corresponding C type is `struct nftnl_gen`.
enum Generation {
    /// Reads a message; nil where libnftnl cannot.
    static func number(_ message: borrowing ReceivedMessage) -> UInt32? {
        // Safe: libnftnl's object is this function's alone, and freed at its end; the message is lent for longer.
        guard let object = unsafe nftnl_gen_alloc() else { return nil }
        defer { unsafe nftnl_gen_free(object) }
        guard unsafe nftnl_gen_nlmsg_parse(message.header, object) >= 0 else { return nil }
        return unsafe nftnl_gen_get_u32(object, UInt16(NFTNL_GEN_ID))
    }
}

/// What the kernel's trace told. The corresponding C type is `struct nftnl_trace`.
///
/// Safe: the pointer is not null, and is a trace that libnftnl made for this value alone: it is private in a value that
/// cannot be copied, and freed once, in `deinit`. The getters and setters are such as said above.
@safe struct TraceObject: ~Copyable {
    private let pointer: OpaquePointer

    /// Reads a message; nil where libnftnl cannot. The corresponding C function is `nftnl_trace_nlmsg_parse`.
    init?(_ message: borrowing ReceivedMessage) {
        guard let made = unsafe nftnl_trace_alloc() else { return nil }
        guard unsafe nftnl_trace_nlmsg_parse(message.header, made) >= 0 else {
            unsafe nftnl_trace_free(made)
            return nil
        }
        unsafe pointer = made
    }

    deinit { unsafe nftnl_trace_free(pointer) }

    func has(_ attribute: nftnl_trace_attr) -> Bool { unsafe nftnl_trace_is_set(pointer, UInt16(attribute.rawValue)) }

    func number(_ attribute: nftnl_trace_attr) -> UInt32 {
        unsafe nftnl_trace_get_u32(pointer, UInt16(attribute.rawValue))
    }

    var ruleHandle: UInt64 { unsafe nftnl_trace_get_u64(pointer, UInt16(NFTNL_TRACE_RULE_HANDLE.rawValue)) }

    func text(_ attribute: nftnl_trace_attr) -> String {
        unsafe string(nftnl_trace_get_str(pointer, UInt16(attribute.rawValue)))
    }

    /// The packet's network header; nil where the message has none.
    var networkHeader: [UInt8]? {
        var length: UInt32 = 0
        let attribute = UInt16(NFTNL_TRACE_NETWORK_HEADER.rawValue)
        // Safe: where it is not null, `length` bytes are there.
        guard let data = unsafe nftnl_trace_get_data(pointer, attribute, &length) else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(length)))
    }
}

/// A C string, or nothing.
///
/// Safe: those of libnftnl's objects and of the kernel's attributes end with a NUL. The callers' object or message
/// lives until this has copied it.
@unsafe func string(_ text: UnsafePointer<CChar>?) -> String {
    guard let text = unsafe text else { return "" }
    return unsafe String(cString: text)
}
