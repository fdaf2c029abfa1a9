/// Somebody else's chain, as far as a packet's way through it can be told, whatever it was read from.
package struct ForeignChain: Hashable, Sendable {
    /// The packets that a chain sees.
    package enum Family: String, Sendable {
        case inet
        case ip
        case ip6
        case bridge
        case netdev
    }

    package let backend: BackendKind
    package let family: Family
    package let table: String
    package let name: String
    /// The hook and the priority; nil for a chain that is only jumped to. A built-in chain of legacy iptables has the
    /// priority of its table (`NF_IP_PRI_*`).
    package var base: BaseChain?
    /// Whether a packet that no rule decided on is dropped.
    package var dropsByPolicy = false
    package var rules: [ForeignRule] = []
    /// Whether it hangs on a hook for frames, and its rules are not followed.
    package private(set) var isOfFrames = false

    package init(
        _ backend: BackendKind, _ family: Family, table: String, name: String, base: BaseChain? = nil
    ) {
        self.backend = backend
        self.family = family
        self.table = table
        self.name = name
        self.base = base
    }

    /// How its owner names it: `ip filter INPUT`.
    package var description: String { "\(family.rawValue) \(table) \(name)" }

    /// Whether it is a chain of the stock tools, to which an operator writes with `iptables`.
    package var isStock: Bool {
        backend == .iptables || family != .inet && Place.allCases.contains { $0.stockChain == (table, name) }
    }
}

extension ForeignChain.Family {
    /// The family of the packets that it sees; nil where it is not one of them alone.
    package var addressFamily: AddressFamily? {
        switch self {
        case .inet, .bridge, .netdev: nil
        case .ip: .ipv4
        case .ip6: .ipv6
        }
    }
}

extension ForeignChain {
    /// A chain on a hook for frames, of a bridge or of an interface: ahead of every hook for packets. What it does there
    /// is not followed, as none of what is known of a packet later is known of a frame: its rules are `unfollowed`.
    package static func ofFrames(
        _ family: Family, table: String, name: String, type: String, dropsByPolicy: Bool
    ) -> ForeignChain {
        let base = BaseChain(name, type: type, hook: .prerouting, priority: .min)
        var chain = ForeignChain(.nftables, family, table: table, name: name, base: base)
        chain.isOfFrames = true
        if dropsByPolicy { chain.rules.append(.unfollowed("policy")) }
        return chain
    }
}

/// Somebody else's rule, as far as it is understood.
package struct ForeignRule: Hashable, Sendable {
    /// One condition. All of a rule's hold together.
    package enum Condition: Hashable, Sendable {
        case source(IPPrefix, negated: Bool)
        case destination(IPPrefix, negated: Bool)
        case inInterface(InterfacePattern, negated: Bool)
        case outInterface(InterfacePattern, negated: Bool)
        /// The transport protocol's number (IANA): 6 is TCP.
        case transport(UInt8, negated: Bool)
        case destinationPort(ClosedRange<UInt16>, negated: Bool)
        case sourcePort(ClosedRange<UInt16>, negated: Bool)
        /// Any of these states of the connection.
        case state(Set<ConnectionStateName>, negated: Bool)
        /// The destination is an address of the host itself (`-m addrtype --dst-type LOCAL`, `fib daddr type local`).
        case destinationIsLocal(negated: Bool)
        /// The packet's mark under a mask has this value. A packet begins with mark 0.
        case mark(value: UInt32, mask: UInt32, negated: Bool)
        /// The flags of the TCP header under a mask have this value (RFC 9293 section 3.1): 2 is SYN.
        case tcpFlags(value: UInt8, mask: UInt8, negated: Bool)
        /// Anything else: whether it holds is not known. The text is the tool's spelling, or a name.
        case unknown(String)
    }

    /// What it does with a packet for which its conditions hold.
    package enum Verdict: Hashable, Sendable {
        case accept
        case drop
        case reject
        case returns
        case jump(String)
        case goTo(String)
        /// Rewrites the destination; the text says to what.
        case rewriteDestination(String)
        /// Nothing that decides: counts, logs, no verdict.
        case none
        case setMark
        /// Anything else, such as a queue: what becomes of the packet is not known.
        case unknown(String)
    }

    package let conditions: [Condition]
    package let verdict: Verdict
    /// How to name it to its owner: `-A INPUT -p tcp -j DROP`, or the handle in its chain.
    package let text: String
    /// How many packets it has counted; nil where it does not count.
    package var packets: UInt64?
    /// Whether it is one of ours in a stock table, where it counts who stands ahead of whom.
    package var isOurs = false
    /// Whether it has a match or a target of the stock tools of which no more than the name is known: nft's JSON has no
    /// more.
    package var isUntold = false

    package init(_ conditions: [Condition], _ verdict: Verdict, text: String, packets: UInt64? = nil) {
        self.conditions = conditions
        self.verdict = verdict
        self.text = text
        self.packets = packets
    }
}

/// A connection's state, as iptables names it; `dnat` and `snat` are status bits.
package enum ConnectionStateName: String, Sendable, CaseIterable {
    case invalid = "INVALID"
    case new = "NEW"
    case established = "ESTABLISHED"
    case related = "RELATED"
    case untracked = "UNTRACKED"
    case dnat = "DNAT"
    case snat = "SNAT"
}

extension ForeignRule {
    /// A rule for frames, of which only is told where it stands.
    package static func unfollowed(_ text: String) -> ForeignRule {
        ForeignRule([], .unknown("not read, as it sees frames"), text: text)
    }

    /// The lists of conditions of which any holds, joined with more such lists. Beyond what is worth looking at, one list
    /// that says so.
    package static func product(_ left: [[Condition]], _ right: [[Condition]]) -> [[Condition]] {
        if right.count == 1 { return left.map { $0 + right[0] } }
        guard left.count * right.count <= 128 else { return left.map { $0 + [.unknown("a set of \(right.count)")] } }
        return left.flatMap { first in right.map { first + $0 } }
    }
}
