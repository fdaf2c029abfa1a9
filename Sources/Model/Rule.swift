/// Where a rule hangs. Each backend maps these places to chains of its own.
package enum Place: String, Sendable, CaseIterable {
    /// What enters the host, as it was sent, before anybody rewrites it: legacy `mangle PREROUTING`.
    case earlyPrerouting = "early-prerouting"
    /// Requests that enter the host, before their destination is settled: legacy `nat PREROUTING`.
    case prerouting
    /// The host's own requests, before their destination is settled: legacy `nat OUTPUT`.
    case output
    /// What is delivered to the host, before anybody's filter sees it: legacy `mangle INPUT`.
    case input
    /// What is delivered to the host, among the filter rules: legacy `filter INPUT`.
    case filterInput = "filter-input"
    /// What the host forwards, before anybody's filter sees it: legacy `mangle FORWARD`.
    case forward
    /// What the host forwards, where Amazon's manual puts its rule: legacy `filter FORWARD`, position 1.
    case filterForward = "filter-forward"

    /// Whether a rule of somebody else ahead of ours could undo it, so that being present is not enough.
    ///
    /// Not so in the nat chains, where other tools come first for their own destinations, nor in `filter INPUT`,
    /// where the ECS agent inserts its own rules above at every start.
    package var mustComeFirst: Bool {
        switch self {
        case .earlyPrerouting, .input, .forward, .filterForward: true
        case .prerouting, .output, .filterInput: false
        }
    }
}

extension Place {
    /// The stock table and chain of legacy iptables.
    package var stockChain: (table: String, chain: String) {
        switch self {
        case .earlyPrerouting: ("mangle", "PREROUTING")
        case .prerouting: ("nat", "PREROUTING")
        case .output: ("nat", "OUTPUT")
        case .input: ("mangle", "INPUT")
        case .filterInput: ("filter", "INPUT")
        case .forward: ("mangle", "FORWARD")
        case .filterForward: ("filter", "FORWARD")
        }
    }
}

/// A netfilter hook, as nft spells it.
package enum Hook: String, Sendable {
    case prerouting
    case input
    case forward
    case output
    case postrouting
}

/// A chain of nf_tables that hangs on a hook.
package struct BaseChain: Hashable, Sendable {
    package let name: String
    /// `nat` or `filter`.
    package let type: String
    package let hook: Hook
    /// Lower runs first.
    package let priority: Int32

    package init(_ name: String, type: String, hook: Hook, priority: Int32) {
        self.name = name
        self.type = type
        self.hook = hook
        self.priority = priority
    }
}

extension Place {
    /// `NF_IP_PRI_MANGLE` (`linux/netfilter_ipv4.h`): before everybody's filter rules and translation, after connection
    /// tracking.
    private static let early: Int32 = -150
    /// `NF_IP_PRI_FILTER`.
    private static let filter: Int32 = 0
    /// One before `NF_IP_PRI_NAT_DST`. At equal priority the chain registered last would win.
    private static let beforeDestinationNat: Int32 = -101

    /// The chain in our own table of nf_tables.
    package var baseChain: BaseChain {
        switch self {
        case .earlyPrerouting: BaseChain(rawValue, type: "filter", hook: .prerouting, priority: Self.early)
        case .prerouting:
            BaseChain(rawValue, type: "nat", hook: .prerouting, priority: Self.beforeDestinationNat)
        case .output: BaseChain(rawValue, type: "nat", hook: .output, priority: Self.beforeDestinationNat)
        case .input: BaseChain(rawValue, type: "filter", hook: .input, priority: Self.early)
        case .filterInput: BaseChain(rawValue, type: "filter", hook: .input, priority: Self.filter)
        case .forward: BaseChain(rawValue, type: "filter", hook: .forward, priority: Self.early)
        case .filterForward: BaseChain(rawValue, type: "filter", hook: .forward, priority: Self.filter)
        }
    }
}

/// One condition of a rule. A rule's conditions hold together, and stand in the order of the cases here.
package enum Match: Hashable, Sendable {
    case destination(IPPrefix)
    case inInterface(InterfacePattern, negated: Bool)
    /// The transport protocol is TCP.
    case tcp
    /// The TCP destination port; always after `.tcp`.
    case tcpDestinationPort(UInt16)
    /// The connection's destination was rewritten (`IPS_DST_NAT`), which iptables calls a state.
    case destinationTranslated
}

/// How a refused packet is answered.
package enum Rejection: String, Sendable {
    case tcpReset = "tcp-reset"
    /// ICMP "communication administratively prohibited", of the packet's own family.
    case adminProhibited = "admin-prohibited"
}

/// What a rule does with a packet.
package enum Action: Hashable, Sendable {
    case accept
    case drop
    case reject(Rejection)
    /// Rewrites the destination to this address and port.
    case dnat(to: IPPrefix, port: UInt16)
    /// Rewrites the destination to the host itself and this port.
    case redirect(port: UInt16)
}

/// One rule, independent of the backend that installs it.
package struct Rule: Hashable, Sendable {
    /// What every comment of ours begins with. In the stock tables it is the sign that a rule is ours.
    package static let mark = "ecs-netsetup: "

    package let place: Place
    package let family: AddressFamily
    /// In the order of the cases of `Match`.
    package let matches: [Match]
    package let action: Action
    /// The whole comment, mark included; nil for a rule read back without one. At most 127 bytes, so that nft
    /// takes it too (`NFTNL_UDATA_COMMENT_MAXLEN`).
    package let comment: String?

    /// A rule with its whole comment, as read back from a kernel.
    package init(place: Place, family: AddressFamily, matches: [Match], action: Action, comment: String?) {
        self.place = place
        self.family = family
        self.matches = matches
        self.action = action
        self.comment = comment
    }

    /// Whether a comment's bytes begin with our mark.
    package static func isMark(_ comment: [UInt8]) -> Bool { comment.starts(with: mark.utf8) }

    /// The comment without our mark.
    package var title: String {
        guard let comment else { return "a rule without a comment" }
        return comment.hasPrefix(Self.mark) ? String(comment.dropFirst(Self.mark.count)) : comment
    }
}

/// A rule of the plan, with the reason for it.
package struct PlannedRule: Hashable, Sendable {
    package let rule: Rule
    /// Why ECS needs it: a sentence without a full stop.
    package let why: String

    package init(_ rule: Rule, why: String) {
        self.rule = rule
        self.why = why
    }
}
