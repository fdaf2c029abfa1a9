package import Model

/// The first packet of a connection, as far as it is known.
package struct Packet: Hashable, Sendable {
    package let destination: IPPrefix
    /// Whether the destination is an address of the host itself.
    package let isLocal: Bool
    /// TCP.
    package let transport: UInt8 = 6
    package let destinationPort: UInt16
    /// nil for what the host itself sends.
    package let inInterface: InterfacePattern?
    /// The network that it comes from; nil where only that it is not the loopback network is known.
    package var source: IPPrefix?
    /// nil at hooks before the way out is settled. Where only known not to be a bridge of containers, `uplink`.
    package var outInterface: OutInterface?
    package var states: Set<ConnectionStateName> = [.new]
    /// Whether a rule on its way may have set its mark, which is 0 at first.
    package var mayBeMarked = false

    package enum OutInterface: Hashable, Sendable {
        case named(String)
        /// Towards IMDS: no bridge of containers, and not the interface that it came in by.
        case uplink
    }

    package init(to destination: IPPrefix, isLocal: Bool, port: UInt16, from inInterface: InterfacePattern? = nil) {
        self.destination = destination
        self.isLocal = isLocal
        destinationPort = port
        self.inInterface = inInterface
    }
}

/// What can be said of a condition.
package enum Truth: Sendable {
    case holds
    case fails
    case unknown

    init(_ holds: Bool) { self = holds ? .holds : .fails }

    func negated(_ isNegated: Bool) -> Truth {
        switch self {
        case .holds where isNegated: .fails
        case .fails where isNegated: .holds
        default: self
        }
    }
}

/// Conditions held against a packet in one chain.
struct PacketMatcher {
    var packet: Packet
    /// What the connection's states are in this chain; nil for not known.
    let states: Set<ConnectionStateName>?

    /// `NF_IP_PRI_CONNTRACK` (`linux/netfilter_ipv4.h`). Ahead of it every packet counts as invalid (`nft_ct.c`,
    /// `xt_conntrack.c`); at the same priority the order is that of registration.
    private static let conntrack: Int32 = -200

    init(_ packet: Packet, in base: BaseChain) {
        self.packet = packet
        let isEarly = (base.hook == .prerouting || base.hook == .output) && base.priority <= Self.conntrack
        states = isEarly ? (base.priority < Self.conntrack ? [.invalid] : nil) : packet.states
    }

    /// Whether all conditions of a rule hold; and if that is not known, the first that is not.
    func match(_ rule: ForeignRule) -> (Truth, ForeignRule.Condition?) {
        var doubtful: ForeignRule.Condition?
        for condition in rule.conditions {
            switch truth(of: condition) {
            case .fails: return (.fails, nil)
            case .unknown: doubtful = doubtful ?? condition
            case .holds: continue
            }
        }
        return (doubtful == nil ? .holds : .unknown, doubtful)
    }

    func truth(of condition: ForeignRule.Condition) -> Truth {
        switch condition {
        case .source(let prefix, let negated):
            prefix.family == packet.destination.family ? source(prefix).negated(negated) : .fails
        case .destination(let prefix, let negated):
            // Asking for an address of a family asks for the family too.
            prefix.family == packet.destination.family
                ? Truth(prefix.contains(packet.destination)).negated(negated) : .fails
        case .inInterface(let pattern, let negated):
            // What asks for the name of a way in that there is not does not hold, negated or not.
            packet.inInterface.map { $0.truth(within: pattern).negated(negated) } ?? .fails
        case .outInterface(let pattern, let negated): outInterface(pattern, negated: negated)
        case .transport(let number, let negated): Truth(number == packet.transport).negated(negated)
        case .destinationPort(let range, let negated):
            Truth(range.contains(packet.destinationPort)).negated(negated)
        case .sourcePort(let range, let negated):
            range == 0...UInt16.max ? Truth.holds.negated(negated) : .unknown
        case .state(let asked, let negated):
            state(asked, negated: negated)
        case .destinationIsLocal(let negated): Truth(packet.isLocal).negated(negated)
        case .mark(let value, let mask, let negated):
            packet.mayBeMarked && mask != 0 ? .unknown : Truth(value == 0).negated(negated)
        case .tcpFlags(let value, let mask, let negated): Truth(Self.syn & mask == value).negated(negated)
        case .unknown: .unknown
        }
    }

    /// Where connections are not known yet, `ct status` does not hold whatever it asks for, but `-m conntrack` negated
    /// does; both look the same here.
    private func state(_ asked: Set<ConnectionStateName>, negated: Bool) -> Truth {
        guard let states else { return .unknown }
        if states == [.invalid], negated, asked.isSubset(of: [.dnat, .snat]) { return .unknown }
        return Truth(!states.isDisjoint(with: asked)).negated(negated)
    }

    /// The flag of a connection's first packet.
    private static let syn: UInt8 = 2

    private func source(_ prefix: IPPrefix) -> Truth {
        if prefix.length == 0 { return .holds }
        guard let source = packet.source else {
            // The kernel lets nobody send from there but itself.
            return packet.destination.family == .ipv4 && Endpoint.loopback.contains(prefix) ? .fails : .unknown
        }
        if prefix.contains(source) { return .holds }
        return source.contains(prefix) ? .unknown : .fails
    }

    /// A packet that is not forwarded has no way out, and what asks for its name does not hold, negated or not.
    private func outInterface(_ pattern: InterfacePattern, negated: Bool) -> Truth {
        switch packet.outInterface {
        case nil: .fails
        case .named(let name):
            InterfacePattern(name: name, isWildcard: false).truth(within: pattern).negated(negated)
        case .uplink:
            if pattern.isWildcard, pattern.name.isEmpty {
                Truth.holds.negated(negated)
            } else if Self.isContainers(pattern) || pattern == packet.inInterface {
                Truth.fails.negated(negated)
            } else {
                .unknown
            }
        }
    }

    /// Docker's and the agent's bridges, the containers' ends, and the loopback interface.
    private static func isContainers(_ pattern: InterfacePattern) -> Bool {
        pattern == Endpoint.loopbackInterface
            || ["docker", "ecs-", "veth"].contains { pattern.name.hasPrefix($0) }
            || (pattern.isWildcard ? pattern.name == "br-" : BridgeChecks.isUserDefined(pattern.name))
    }
}

extension IPPrefix {
    /// Whether every address of another prefix is one of this.
    package func contains(_ other: IPPrefix) -> Bool {
        guard family == other.family, length <= other.length else { return false }
        return zip(zip(bytes, other.bytes), mask).allSatisfy { pair, mask in pair.0 & mask == pair.1 & mask }
    }
}

extension InterfacePattern {
    /// Whether what this pattern names is also named by another.
    func truth(within other: InterfacePattern) -> Truth {
        if other.isWildcard, name.hasPrefix(other.name) { return .holds }
        if !isWildcard { return Truth(!other.isWildcard && name == other.name) }
        return other.name.hasPrefix(name) ? .unknown : .fails
    }
}
