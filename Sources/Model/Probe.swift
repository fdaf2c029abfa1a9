/// A way that a task's packet takes, or must not take.
package enum ProbeWay: String, Sendable, CaseIterable {
    /// To the ECS agent, by the credentials' address.
    case credentials
    /// To the instance metadata service.
    case metadata
    /// The same over IPv6.
    case metadata6
    /// To a service on the host's 127.0.0.1.
    case localhost

    /// The check that it decides.
    package var kind: CheckKind {
        switch self {
        case .credentials: .probeCredentials
        case .metadata: .probeMetadata
        case .metadata6: .probeMetadata6
        case .localhost: .probeLocalhost
        }
    }
}

/// A bridge of the host.
package struct HostBridge: Hashable, Sendable {
    package let index: Int32
    package let name: String
    package let isUp: Bool
    /// The largest packet. A port with another would change the bridge's own.
    package let mtu: UInt32
    /// Whether a new port has to wait for the spanning tree protocol, for seconds.
    package let delaysNewPorts: Bool
    /// Its addresses, with the lengths of its subnets.
    package var addresses: [IPPrefix] = []
    /// The addresses that the host has met behind it.
    package var neighbours: Set<[UInt8]> = []

    package init(index: Int32, name: String, isUp: Bool, mtu: UInt32, delaysNewPorts: Bool) {
        self.index = index
        self.name = name
        self.isUp = isUp
        self.mtu = mtu
        self.delaysNewPorts = delaysNewPorts
    }
}

/// A packet to send, and what is expected to count it.
package struct ProbeTarget: Hashable, Sendable {
    package let way: ProbeWay
    package let address: IPPrefix
    package let port: UInt16
    /// Our rules, any of which may take it.
    package let rules: [Rule]

    package init(_ way: ProbeWay, _ address: IPPrefix, port: UInt16, rules: [Rule]) {
        self.way = way
        self.address = address
        self.port = port
        self.rules = rules
    }

    /// Whether a rule of ours answers the packet instead of dropping it.
    fileprivate var isRejected: Bool {
        rules.contains { if case .reject = $0.action { true } else { false } }
    }
}

/// A bridge to join, and what to send from there.
package struct ProbeJoin: Sendable {
    package let bridge: HostBridge
    package let targets: [ProbeTarget]

    package init(_ bridge: HostBridge, _ targets: [ProbeTarget]) {
        self.bridge = bridge
        self.targets = targets
    }
}

/// What came back.
package enum ProbeAnswer: Hashable, Sendable {
    /// Nothing.
    case silence
    /// Somebody accepted the connection; nothing was asked, or nothing was said.
    case connected
    /// Somebody accepted the connection and said this.
    case answered([UInt8])
    /// A TCP reset.
    case refused
    /// An ICMP error, as this errno.
    case unreachable(CInt)
    /// There is no way that it could take; the text says why.
    case noWay(String)
    /// It could not be sent, which says nothing; the text says why.
    case unsent(String)
}

/// One packet that was sent, and what came of it.
package struct ProbeAttempt: Sendable {
    package let target: ProbeTarget
    package let answer: ProbeAnswer
    /// How many packets our rules for it counted meanwhile.
    package let counted: UInt64
    /// How long it took until this was known.
    package let microseconds: Int
    /// Where something was wrong: the rules that decided on a second packet, in the order in which it met them.
    package var steps: [TraceStep] = []
    /// Why there are no steps of nf_tables; nil where there are, or none was looked for.
    package var traceFailure: String?

    package init(_ target: ProbeTarget, _ answer: ProbeAnswer, counted: UInt64, microseconds: Int) {
        self.target = target
        self.answer = answer
        self.counted = counted
        self.microseconds = microseconds
    }

    /// What the agent says when it is asked for no task's credentials: amazon-ecs-agent, `ErrNoIDInRequest`.
    private static let agentsAnswer = "NoIdInRequest"

    /// Whether it is that answer, with the status that belongs to it.
    private static func isAgents(_ answer: [UInt8]) -> Bool {
        let text = String(decoding: answer, as: UTF8.self)
        let status = text.utf8.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
            .split(separator: UInt8(ascii: " "))
        return status.count > 1 && status[1].elementsEqual("400".utf8) && text.contains(agentsAnswer)
    }

    /// Whether all is as it should be, so that nothing needs an explanation.
    package var isGood: Bool {
        switch (target.way, answer) {
        case (.credentials, .answered(let bytes)): Self.isAgents(bytes)
        case (.credentials, _): false
        case (_, .noWay): true
        case (_, .unsent): false
        case (_, .silence): counted > 0
        case (_, .refused), (_, .unreachable): counted > 0 && target.isRejected
        case (_, .connected), (_, .answered): false
        }
    }
}

/// What became of one bridge.
package struct BridgeProbe: Sendable {
    package enum Course: Sendable {
        case joined([ProbeAttempt])
        /// Not tried; the text says why that says nothing.
        case skipped(String)
        /// Could not be tried; the text says why.
        case failed(String)
    }

    package let bridge: String
    package let targets: [ProbeTarget]
    package let course: Course

    package init(_ join: ProbeJoin, _ course: Course) {
        bridge = join.bridge.name
        targets = join.targets
        self.course = course
    }
}

/// Everything that the probe found out.
package struct ProbeReport: Sendable {
    package let bridges: [BridgeProbe]
    /// Why nothing was tried at all; nil where something was.
    package let obstacle: String?
    /// The families of which the host forwards packets.
    private let forwarding: Set<AddressFamily>
    /// The addresses that the host has no route to.
    private let unrouted: Set<IPPrefix>

    package init(
        bridges: [BridgeProbe] = [], obstacle: String? = nil,
        forwarding: Set<AddressFamily> = Set(AddressFamily.allCases), unrouted: Set<IPPrefix> = []
    ) {
        self.bridges = bridges
        self.obstacle = obstacle
        self.forwarding = forwarding
        self.unrouted = unrouted
    }

    /// Why no packet to an address gets through the host, whatever the rules; nil where it forwards them.
    package func forwardingReason(_ address: IPPrefix) -> String? {
        if !forwarding.contains(address.family) {
            return "the host forwards no such packets: \(Self.parameter(address.family)) is 0"
        }
        return unrouted.contains(address) ? "the host has no route to \(address.address)" : nil
    }

    /// The kernel parameter that lets the host forward packets. Kernel documentation, `ip-sysctl`.
    package static func parameter(_ family: AddressFamily) -> String {
        family == .ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding"
    }
}

/// Sends packets from a namespace of its own that is joined to a bridge for a moment, and dies with this process.
package protocol PacketProbe: Sendable {
    /// The host's bridges. Changes nothing.
    func bridges() throws(Failure) -> [HostBridge]

    /// Joins each bridge, sends the packets and leaves it again.
    ///
    /// - Parameters:
    ///   - milliseconds: how long to wait for an answer or for a rule to count.
    ///   - counters: reads our rules' packet counters.
    ///   - tracers: what names the rule that a packet met, where something is wrong.
    func probe(
        _ joins: [ProbeJoin], milliseconds: Int, counters: () throws(Failure) -> [Rule: UInt64],
        tracers: [any PacketTracer]
    ) throws(Failure) -> [BridgeProbe]
}

/// The packet to follow: TCP, from a source that nobody else has.
package struct TracedPacket: Sendable {
    package let source: IPPrefix
    package let destination: IPPrefix

    package init(source: IPPrefix, destination: IPPrefix) {
        self.source = source
        self.destination = destination
    }
}

/// A rule or a policy that a packet met.
package struct TraceStep: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        case accept
        case drop
        /// Rewrote the destination; the text says to what, where that is known.
        case rewrite(String)
    }

    package let backend: BackendKind
    /// `inet`, `ip` or `ip6`.
    package let family: String
    package let table: String
    package let chain: String
    /// How its owner names it: `handle 7`, `rule 3`; nil for the chain's policy.
    package let rule: String?
    package let verdict: Verdict

    package init(
        _ backend: BackendKind, family: String, table: String, chain: String, rule: String?, _ verdict: Verdict
    ) {
        self.backend = backend
        self.family = family
        self.table = table
        self.chain = chain
        self.rule = rule
        self.verdict = verdict
    }
}

/// A backend that can tell which rules a packet met.
package protocol PacketTracer: Sendable {
    /// Follows a packet that `send` sends and waits for. Where there are no rules, nothing is sent.
    ///
    /// - Returns: the rules and policies that decided something, in the order in which the packet met them.
    func trace(_ packet: TracedPacket, _ send: () -> Void) throws(Failure) -> [TraceStep]
}

/// The table of nf_tables that a trace makes for its duration, so that nobody takes it for somebody's rules.
package enum TraceTable {
    package static let name = "ecs-netsetup-probe"
}
