import CLibmnl
import CLibnftnl
import Glibc
import Model

/// Builds netlink messages, one after the other, into an array of bytes.
struct RequestBuilder {
    private(set) var bytes: [UInt8] = []
    /// What each sequence number asked for, counted from 1; spelled out only for errors.
    private(set) var subjects: [() -> String] = []

    /// A message of nf_tables never needs more: the longest is a rule, some 700 bytes.
    fileprivate static let messageSize = 8192

    /// Appends a message.
    ///
    /// - Parameters:
    ///   - type: `NFT_MSG_*`.
    ///   - family: `NFPROTO_*`.
    ///   - flags: `NLM_F_*`, to which `NLM_F_REQUEST` is added.
    ///   - subject: what the message asks for: "create chain inet ecs-netsetup input".
    ///   - fill: writes the attributes.
    mutating func append(
        _ type: nf_tables_msg_types, family: UInt16, flags: CInt, subject: @escaping @autoclosure () -> String,
        fill: (borrowing MessageWriter) -> Void
    ) {
        subjects.append(subject)
        let sequence = UInt32(subjects.count)
        // Safe: the message's head is the first in a buffer of `messageSize` bytes.
        unsafe appendMessage(
            { buffer in
                unsafe nftnl_nlmsg_build_hdr(
                    buffer, UInt16(type.rawValue), family, UInt16(NLM_F_REQUEST | flags), sequence)
            }, fill: fill)
    }

    /// Appends the head of a batch, which the kernel refuses with ERESTART unless the ruleset is still of this generation.
    mutating func beginBatch(generation: UInt32) {
        // Safe: the message's head is all that is written here, into a buffer that has room for any message.
        unsafe appendMessage({ buffer in unsafe nftnl_batch_begin(buffer, 0) }) { message in
            message.put(NFNL_BATCH_GENID.rawValue, generation.bigEndian)
        }
    }

    /// Appends the head of a batch for which the ruleset may be of any generation.
    mutating func beginBatch() {
        // Safe: the message's head is all that is written here, into a buffer that has room for any message.
        unsafe appendMessage({ buffer in unsafe nftnl_batch_begin(buffer, 0) })
    }

    /// Appends the end of a batch.
    mutating func endBatch() {
        // Safe: the message's head is all that is written here, into a buffer that has room for any message.
        unsafe appendMessage({ buffer in unsafe nftnl_batch_end(buffer, 0) })
    }

    /// Appends what `build` begins, in a buffer that is there for this call, and `fill` goes on with.
    ///
    /// Safe: the buffer's memory is aligned for a head, and bound to nothing else. The head, which `build` returns, is
    /// its beginning; its length is that of what was written, all of it in the buffer, as `MessageWriter` sees to it.
    private mutating func appendMessage(
        _ build: (UnsafeMutablePointer<CChar>) -> UnsafeMutablePointer<nlmsghdr>?,
        fill: (borrowing MessageWriter) -> Void = { _ in }
    ) {
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.messageSize, alignment: 8) { scratch in
            guard let start = scratch.baseAddress,
                let header = unsafe build(start.assumingMemoryBound(to: CChar.self))
            else { return }
            fill(unsafe MessageWriter(lent: header))
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
        }
    }
}

/// A message that is being written. The corresponding C type is `struct nlmsghdr`.
///
/// Safe: only `RequestBuilder` makes one, of a message at the beginning of a buffer of `messageSize` bytes, and lends
/// it for a call; it cannot be copied, so that nobody keeps it. An attribute for which there is no room is not written.
@safe struct MessageWriter: ~Copyable {
    /// For libnftnl.
    @unsafe let header: UnsafeMutablePointer<nlmsghdr>

    fileprivate init(lent header: UnsafeMutablePointer<nlmsghdr>) { unsafe self.header = header }

    /// Writes an attribute (`NFTA_*`). The corresponding C function is `mnl_attr_put_strz_check`.
    func put(_ attribute: UInt32, _ text: String) {
        _ = unsafe mnl_attr_put_strz_check(header, RequestBuilder.messageSize, UInt16(attribute), text)
    }

    /// Writes an attribute (`NFTA_*`). The corresponding C function is `mnl_attr_put_u32_check`.
    func put(_ attribute: UInt32, _ number: UInt32) {
        _ = unsafe mnl_attr_put_u32_check(header, RequestBuilder.messageSize, UInt16(attribute), number)
    }
}
