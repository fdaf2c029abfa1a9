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
    private static let messageSize = 8192

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
        fill: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        subjects.append(subject)
        let sequence = UInt32(subjects.count)
        unsafe appendMessage { buffer in
            let header = unsafe nftnl_nlmsg_build_hdr(
                buffer, UInt16(type.rawValue), family, UInt16(NLM_F_REQUEST | flags), sequence)
            if let header = unsafe header { unsafe fill(header) }
            return unsafe header
        }
    }

    /// Appends the head of a batch, which the kernel refuses with ERESTART unless the ruleset is still of this generation.
    mutating func beginBatch(generation: UInt32) {
        unsafe appendMessage { buffer in
            let header = unsafe nftnl_batch_begin(buffer, 0)
            if let header = unsafe header {
                unsafe mnl_attr_put_u32(header, UInt16(NFNL_BATCH_GENID.rawValue), generation.bigEndian)
            }
            return unsafe header
        }
    }

    /// Appends the head of a batch for which the ruleset may be of any generation.
    mutating func beginBatch() {
        unsafe appendMessage { buffer in unsafe nftnl_batch_begin(buffer, 0) }
    }

    /// Appends the end of a batch.
    mutating func endBatch() {
        unsafe appendMessage { buffer in unsafe nftnl_batch_end(buffer, 0) }
    }

    private mutating func appendMessage(
        _ build: (UnsafeMutablePointer<CChar>) -> UnsafeMutablePointer<nlmsghdr>?
    ) {
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.messageSize, alignment: 8) { scratch in
            guard let start = scratch.baseAddress,
                let header = unsafe build(start.assumingMemoryBound(to: CChar.self))
            else { return }
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
        }
    }
}
