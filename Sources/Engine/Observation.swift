import Host
package import Model
package import Planning

/// What was found on the host.
package struct Observation: Sendable {
    package let nftables: InstalledRuleset
    package let iptables: InstalledRuleset
    /// `net.ipv4.conf.all.route_localnet`.
    package let routeLocalnet: String
    /// Its value from before this program changed it; nil when it did not.
    package let earlierRouteLocalnet: String?
    package let hasIPv6: Bool

    /// Gives up what the backends hold.
    func release() {
        nftables.reservation?.release()
        iptables.reservation?.release()
    }

    /// What one backend found.
    package subscript(kind: BackendKind) -> InstalledRuleset { kind == .nftables ? nftables : iptables }
}

/// What follows from settings and an observation.
package struct Decision: Sendable {
    package let choice: BackendChoice
    package let plan: Plan
    /// The rule changes, the chosen backend's first.
    package let changes: [BackendChanges]
    package let sysctl: SysctlChange?
    /// What the user should know, a sentence each.
    package let notes: [String]
    package let observed: Observation

    /// Whether the host is as desired.
    package var isFulfilled: Bool { sysctl == nil && changes.allSatisfy(\.changes.isEmpty) }

    /// What stands in our tables and only its owner can take away.
    package var obstacles: [Obstacle] {
        changes.flatMap(\.changes).compactMap { change in
            if case .obstacle(let obstacle) = change { obstacle } else { nil }
        }
    }

    /// The number of differences.
    package var changeCount: Int { changes.reduce(sysctl == nil ? 0 : 1) { $0 + $1.changes.count } }

    /// What the settings ask for on this host.
    ///
    /// - Throws: `Failure` when no backend can do it, or the settings contradict each other.
    package init(settings: Settings, observed: Observation) throws(Failure) {
        let choice = try BackendChoice.choose(
            requested: settings.backend, nftables: observed.nftables, iptables: observed.iptables)
        let plan = try Plan(settings: settings, backend: choice.backend, hasIPv6: observed.hasIPv6)
        self.init(choice: choice, plan: plan, observed: observed)
    }

    /// What taking everything back asks for on this host.
    package init(removing observed: Observation) {
        let choice = BackendChoice.holding(observed.nftables, observed.iptables)
        self.init(choice: choice, plan: .empty(choice.backend), observed: observed)
    }

    private init(choice: BackendChoice, plan: Plan, observed: Observation) {
        self.choice = choice
        self.plan = plan
        self.observed = observed
        changes = [choice.backend, choice.backend.other].map { kind in
            let rules = kind == choice.backend ? plan.rules : []
            return BackendChanges(backend: kind, changes: Diff.changes(from: observed[kind], to: rules))
        }
        sysctl = Diff.sysctlChange(
            current: observed.routeLocalnet, earlier: observed.earlierRouteLocalnet, plan: plan)
        let dropping = observed.nftables.foreign.droppingInputChains + observed.iptables.foreign.droppingInputChains
        notes =
            plan.notes + plan.notes(droppingInputChains: dropping)
            + (changes.contains { $0.backend == .iptables && !$0.changes.isEmpty } ? [Self.legacyTool] : [])
            + (plan.needsRouteLocalnet ? [] : Self.leftOver(observed))
    }

    private static let legacyTool =
        "iptables and ip6tables mean the legacy tools here: type iptables-legacy and ip6tables-legacy where iptables --version says nf_tables"

    /// What a plan that does not need it leaves.
    private static func leftOver(_ observed: Observation) -> [String] {
        guard observed.routeLocalnet != "0", observed.earlierRouteLocalnet == nil else { return [] }
        return [
            "\(Endpoint.routeLocalnet) stays \(observed.routeLocalnet): it was not this program that set it; without the guard, neighbours reach services bound to 127.0.0.1"
        ]
    }
}
