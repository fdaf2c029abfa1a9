import CLibnftnl
import Glibc
import Model

/// One message of the kernel's trace, as far as it is needed. The corresponding C type is `struct nftnl_trace`.
struct TraceEvent: Hashable {
    enum Kind: Hashable {
        /// A rule's verdict (`NF_*`, `NFT_*`).
        case rule(handle: UInt64, verdict: Int32)
        /// The chain's policy.
        case policy(Int32)
        /// Anything else.
        case other
    }

    /// Tells packets apart, at one hook. The kernel may give the same packet another number at the next.
    var packet: UInt32 = 0
    /// `NFPROTO_*` of the table.
    var family: UInt16 = 0
    var table = ""
    var chain = ""
    let kind: Kind
    /// The packet's addresses at that time; nil where the message has no headers, as only the first in a chain does.
    var source: IPPrefix?
    var destination: IPPrefix?
}

extension TraceEvent {
    /// Copies what is needed out of libnftnl's object.
    init(_ object: borrowing TraceObject) {
        kind = Self.kind(object)
        packet = object.number(NFTNL_TRACE_ID)
        family = UInt16(truncatingIfNeeded: object.number(NFTNL_TRACE_FAMILY))
        table = object.text(NFTNL_TRACE_TABLE)
        chain = object.text(NFTNL_TRACE_CHAIN)
        if let header = object.networkHeader {
            (source, destination) = (Self.address(header, at: 0), Self.address(header, at: 1))
        }
    }

    private static func kind(_ object: borrowing TraceObject) -> Kind {
        switch nft_trace_types(object.number(NFTNL_TRACE_TYPE)) {
        case NFT_TRACETYPE_RULE where object.has(NFTNL_TRACE_VERDICT):
            .rule(handle: object.ruleHandle, verdict: Int32(bitPattern: object.number(NFTNL_TRACE_VERDICT)))
        case NFT_TRACETYPE_POLICY where object.has(NFTNL_TRACE_POLICY):
            .policy(Int32(bitPattern: object.number(NFTNL_TRACE_POLICY)))
        default: .other
        }
    }

    /// The source (0) or the destination (1) in an IP header (RFC 791, RFC 8200).
    static func address(_ header: [UInt8], at position: Int) -> IPPrefix? {
        let (start, count) = header.first.map { $0 >> 4 } == 6 ? (8, 16) : (12, 4)
        guard header.count >= start + 2 * count else { return nil }
        let bytes = Array(header[(start + position * count)...].prefix(count))
        return IPPrefix(bytes: bytes, length: count * 8)
    }
}

/// What the events say of one packet. Pure.
struct TracePath {
    let steps: [TraceStep]

    /// - Parameter packet: what was followed; other traces may run at the same time.
    init(_ events: [TraceEvent], _ packet: TracedPacket) {
        let ours = Set(events.filter { $0.source?.bytes == packet.source.bytes }.map(\.packet))
        let followed = events.filter { ours.contains($0.packet) }
        // The last rule that ended a chain before the destination was seen to be another.
        let changed = followed.firstIndex { event in
            event.destination.map { $0.bytes != packet.destination.bytes } ?? false
        }
        let rewriter = changed.flatMap { end in
            followed[..<end].lastIndex { $0.table != TraceTable.name && $0.endsByRule }
        }
        steps = followed.indices.compactMap { index in
            let destination = index == rewriter ? changed.flatMap { followed[$0].destination } : nil
            return followed[index].step(rewrittenTo: destination)
        }
    }
}

extension TraceEvent {
    /// Whether a rule ended the chain.
    fileprivate var endsByRule: Bool {
        if case .rule(_, let verdict) = kind { verdict == NF_ACCEPT || verdict == NF_DROP } else { false }
    }

    fileprivate func step(rewrittenTo destination: IPPrefix?) -> TraceStep? {
        if table == TraceTable.name { return nil }
        let verdict: TraceStep.Verdict
        var rule: String?
        switch kind {
        case .rule(let handle, NF_DROP): (rule, verdict) = ("rule \(handle)", .drop)
        case .rule(let handle, NF_ACCEPT):
            (rule, verdict) = ("rule \(handle)", destination.map { .rewrite($0.address) } ?? .accept)
        case .policy(NF_DROP): verdict = .drop
        default: return nil
        }
        return TraceStep(
            .nftables, family: NftFamily.name(family), table: table, chain: chain, rule: rule, verdict)
    }
}
