import CLibmnl
import CLibnftnl
import Glibc
package import Model

/// Follows a packet with the kernel's own trace: a rule of a table that lasts as long as the trace marks it, and
/// nf_tables tells every rule that it met. The corresponding nft command is `nft monitor trace`.
extension NftablesBackend: PacketTracer {
    package func trace(_ packet: TracedPacket, _ send: () -> Void) throws(Failure) -> [TraceStep] {
        // Asking would load the module; one that is not loaded holds no rules.
        guard KernelModule.isPresent else { return [] }
        let events = try NetlinkSocket()
        try events.subscribe(to: NFNLGRP_NFTRACE.rawValue)
        let owner = try NetlinkSocket()
        try Self.makeTable(packet, on: owner)
        send()
        return TracePath(try Self.receive(events), packet).steps
    }

    /// Makes the table that marks the packet. It belongs to the socket and goes with it, whatever ends this process:
    /// `NFT_TABLE_F_OWNER`, kernel 5.12.
    private static func makeTable(_ packet: TracedPacket, on owner: borrowing NetlinkSocket) throws(Failure) {
        var request = RequestBuilder()
        request.beginBatch()
        let family = TraceTable.family(packet.destination.family)
        unsafe request.append(
            NFT_MSG_NEWTABLE, family: family, flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            subject: "create a table for the trace"
        ) { header in
            unsafe mnl_attr_put_strz(header, UInt16(NFTA_TABLE_NAME.rawValue), TraceTable.name)
            unsafe mnl_attr_put_u32(
                header, UInt16(NFTA_TABLE_FLAGS.rawValue), UInt32(NFT_TABLE_F_OWNER.rawValue).bigEndian)
        }
        for chain in TraceTable.chains { append(chain, family, to: &request) }
        append(TraceTable.marking(packet), family, to: &request)
        request.endBatch()
        try owner.send(request.bytes)
        let subjects = request.subjects
        unsafe try owner.receiveAll { message throws(Failure) in
            guard case .result(let sequence, let number) = unsafe message, number != 0 else { return }
            let index = Int(sequence) - 1
            let subject = subjects.indices.contains(index) ? subjects[index]() : "begin a trace"
            throw .system(
                "cannot \(subject)", source: "netlink", errno: number,
                advice: number == EINVAL || number == EOPNOTSUPP ? "tracing needs Linux 5.12 or later" : nil)
        }
    }

    private static func append(_ chain: BaseChain, _ family: UInt16, to request: inout RequestBuilder) {
        unsafe request.append(
            NFT_MSG_NEWCHAIN, family: family, flags: NLM_F_CREATE | NLM_F_ACK, subject: "create a chain for the trace"
        ) { header in
            guard let object = unsafe nftnl_chain_alloc() else { return }
            defer { unsafe nftnl_chain_free(object) }
            _ = unsafe nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue), TraceTable.name)
            _ = unsafe nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue), chain.name)
            _ = unsafe nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue), chain.type)
            unsafe nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), chain.hook.number)
            unsafe nftnl_chain_set_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue), chain.priority)
            unsafe nftnl_chain_nlmsg_build_payload(header, object)
        }
    }

    private static func append(_ expressions: [Expression], _ family: UInt16, to request: inout RequestBuilder) {
        unsafe request.append(
            NFT_MSG_NEWRULE, family: family, flags: NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
            subject: "create a rule for the trace"
        ) { header in
            guard let object = unsafe nftnl_rule_alloc() else { return }
            defer { unsafe nftnl_rule_free(object) }
            _ = unsafe nftnl_rule_set_str(object, UInt16(NFTNL_RULE_TABLE.rawValue), TraceTable.name)
            _ = unsafe nftnl_rule_set_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue), TraceTable.chains[0].name)
            for expression in expressions {
                guard let part = unsafe ExpressionTransfer.make(expression) else { return }
                unsafe nftnl_rule_add_expr(object, part)
            }
            guard let mark = unsafe nftnl_expr_alloc("meta") else { return }
            unsafe nftnl_expr_set_u32(mark, UInt16(NFTNL_EXPR_META_KEY), NFT_META_NFTRACE.rawValue)
            unsafe nftnl_expr_set_u32(mark, UInt16(NFTNL_EXPR_META_SREG), NFT_REG_1.rawValue)
            unsafe nftnl_rule_add_expr(object, mark)
            unsafe nftnl_rule_nlmsg_build_payload(header, object)
        }
    }

    /// Everything that the trace has told.
    private static func receive(_ events: borrowing NetlinkSocket) throws(Failure) -> [TraceEvent] {
        var told: [TraceEvent] = []
        unsafe try events.receiveAll { message throws(Failure) in
            guard case .object(let type, let header) = unsafe message, type == UInt16(NFT_MSG_TRACE.rawValue) else {
                return
            }
            guard let object = unsafe nftnl_trace_alloc() else { return }
            defer { unsafe nftnl_trace_free(object) }
            if unsafe nftnl_trace_nlmsg_parse(header, object) >= 0 {
                told.append(unsafe TraceEvent(object: object))
            }
        }
        return told
    }
}

extension TraceTable {
    /// Both in prerouting: the first marks the packet before anybody sees it; the last shows what its destination has
    /// become, because nf_tables tells a packet's headers once in each chain.
    static let chains = [
        BaseChain("first", type: "filter", hook: .prerouting, priority: Int32.min + 1000),
        BaseChain("last", type: "filter", hook: .prerouting, priority: Int32.max - 1000),
    ]

    static func family(_ family: AddressFamily) -> UInt16 { UInt16(ExpressionCodec.protocolNumber(family)) }

    /// `ip saddr X meta nftrace set 1`, but for the last expression: TCP from the source.
    static func marking(_ packet: TracedPacket) -> [Expression] {
        let register = NFT_REG_1.rawValue
        return [
            .payload(
                base: NFT_PAYLOAD_NETWORK_HEADER.rawValue,
                offset: ExpressionCodec.addressOffset(packet.source.family, source: true),
                length: UInt32(packet.source.bytes.count), register: register),
            .compare(operation: ExpressionCodec.equal, register: register, data: packet.source.bytes),
            .immediate(register: register, data: [1]),
        ]
    }
}
