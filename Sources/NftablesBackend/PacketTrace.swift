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
        request.append(
            NFT_MSG_NEWTABLE, family: family, flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            subject: "create a table for the trace"
        ) { message in
            message.put(NFTA_TABLE_NAME.rawValue, TraceTable.name)
            message.put(NFTA_TABLE_FLAGS.rawValue, UInt32(NFT_TABLE_F_OWNER.rawValue).bigEndian)
        }
        for chain in TraceTable.chains { append(chain, family, to: &request) }
        append(TraceTable.marking(packet), family, to: &request)
        request.endBatch()
        try owner.send(request.bytes)
        let subjects = request.subjects
        try owner.receiveAll { answer, _ throws(Failure) in
            guard case .result(let sequence, let number) = answer, number != 0 else { return }
            let index = Int(sequence) - 1
            let subject = subjects.indices.contains(index) ? subjects[index]() : "begin a trace"
            throw .system(
                "cannot \(subject)", source: "netlink", errno: number,
                advice: number == EINVAL || number == EOPNOTSUPP ? "tracing needs Linux 5.12 or later" : nil)
        }
    }

    private static func append(_ chain: BaseChain, _ family: UInt16, to request: inout RequestBuilder) {
        request.append(
            NFT_MSG_NEWCHAIN, family: family, flags: NLM_F_CREATE | NLM_F_ACK, subject: "create a chain for the trace"
        ) { message in
            guard let object = ChainObject() else { return }
            object.set(NFTNL_CHAIN_TABLE, TraceTable.name)
            object.set(NFTNL_CHAIN_NAME, chain.name)
            object.set(NFTNL_CHAIN_TYPE, chain.type)
            object.set(NFTNL_CHAIN_HOOKNUM, chain.hook.number)
            object.set(NFTNL_CHAIN_PRIO, UInt32(bitPattern: chain.priority))
            object.write(to: message)
        }
    }

    private static func append(_ expressions: [Expression], _ family: UInt16, to request: inout RequestBuilder) {
        request.append(
            NFT_MSG_NEWRULE, family: family, flags: NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
            subject: "create a rule for the trace"
        ) { message in
            guard let object = RuleObject() else { return }
            object.set(NFTNL_RULE_TABLE, TraceTable.name)
            object.set(NFTNL_RULE_CHAIN, TraceTable.chains[0].name)
            for expression in expressions {
                guard let part = ExpressionTransfer.make(expression) else { return }
                object.add(part)
            }
            guard let mark = NewExpression("meta") else { return }
            mark.set(NFTNL_EXPR_META_KEY, NFT_META_NFTRACE.rawValue)
            mark.set(NFTNL_EXPR_META_SREG, NFT_REG_1.rawValue)
            object.add(mark)
            object.write(to: message)
        }
    }

    /// Everything that the trace has told.
    private static func receive(_ events: borrowing NetlinkSocket) throws(Failure) -> [TraceEvent] {
        var told: [TraceEvent] = []
        try events.receiveAll { answer, message throws(Failure) in
            guard case .object(let type) = answer, type == UInt16(NFT_MSG_TRACE.rawValue) else {
                return
            }
            if let object = TraceObject(message) { told.append(TraceEvent(object)) }
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
