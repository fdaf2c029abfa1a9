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
    /// What is on disk; only which host this is, where no more was asked for.
    package let disk: PersistenceFacts
    /// Set where the rules are captured ones, and no kernel was looked at.
    package var captured: CapturedRules?

    /// What was found on a running host.
    init(
        nftables: InstalledRuleset, iptables: InstalledRuleset, routeLocalnet: String, earlierRouteLocalnet: String?,
        hasIPv6: Bool, disk: PersistenceFacts
    ) {
        self.nftables = nftables
        self.iptables = iptables
        self.routeLocalnet = routeLocalnet
        self.earlierRouteLocalnet = earlierRouteLocalnet
        self.hasIPv6 = hasIPv6
        self.disk = disk
    }

    /// What was found in an image, which has no kernel. The one that it will boot has IPv6, as far as anybody can tell.
    init(image disk: PersistenceFacts) {
        self.init(
            nftables: InstalledRuleset(backend: .nftables), iptables: InstalledRuleset(backend: .iptables),
            routeLocalnet: "", earlierRouteLocalnet: nil, hasIPv6: true, disk: disk)
    }

    /// The value of `route_localnet` without this program: as recorded in this boot, else, where a file of ours set it
    /// when the machine started, as that start would have left it. nil when it was not this program that set it.
    var valueToReturnTo: String? { earlierRouteLocalnet ?? disk.routeLocalnetWithoutUs }

    /// What was looked at.
    var scope: CheckContext.Scope {
        if let captured { return .offline(rules: true, files: captured.hasFiles) }
        return disk.isImage ? .offline(rules: false, files: true) : .host
    }

    /// Gives up what the backends hold.
    func release() {
        nftables.reservation?.release()
        iptables.reservation?.release()
    }

    /// Our rules, wherever they are.
    package var rules: [InstalledRule] { nftables.rules + iptables.rules }

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
    package let persistence: PersistencePlan
    /// The families of which there are rules in the plan, but no captured ones to compare them with.
    package let uncaptured: [AddressFamily]
    /// What the user should know, a sentence each.
    package let notes: [String]
    /// Those of the notes that tell of chains which drop redirected requests, by their policies alone.
    let droppingNotes: [String]
    package let observed: Observation

    /// Whether the host is as desired.
    package var isFulfilled: Bool { isKernelFulfilled && persistence.isFulfilled }

    /// Whether the running kernel is as desired.
    var isKernelFulfilled: Bool { sysctl == nil && changes.allSatisfy(\.changes.isEmpty) }

    /// What stands in our tables and only its owner can take away.
    package var obstacles: [Obstacle] {
        let inKernel = changes.flatMap(\.changes).compactMap { change in
            if case .obstacle(let obstacle) = change { obstacle } else { nil as Obstacle? }
        }
        return inKernel + persistence.obstacles
    }

    /// The number of differences.
    package var changeCount: Int {
        changes.reduce(persistence.steps.count + (sysctl == nil ? 0 : 1)) { $0 + $1.changes.count }
    }

    /// What the settings ask for on this host.
    ///
    /// - Parameter saved: what of them goes into the settings file.
    /// - Throws: `Failure` when no backend can do it, the settings contradict each other, or this host is refused.
    package init(
        settings: Settings, saved: [PersistencePlan.SavedSetting] = [], observed: Observation
    ) throws(Failure) {
        if let distribution = observed.disk.distribution, let reason = distribution.refusal {
            throw Failure(
                .trouble, "\(distribution.name) is not for this program: \(reason)",
                advice: "leave this host as it is")
        }
        let choice = try BackendChoice.choose(requested: settings.backend, observed)
        let plans = { (isRaisedElsewhere: Bool) throws(Failure) -> (Plan, PersistencePlan) in
            let plan = try Plan(
                settings: settings, backend: choice.backend, hasIPv6: observed.hasIPv6,
                isRaisedElsewhere: isRaisedElsewhere)
            if settings.persistence == Mechanism.none { return (plan, .untouched) }
            return (plan, try PersistencePlan(settings: settings, saved: saved, plan: plan, facts: observed.disk))
        }
        var (plan, persistence) = try plans(false)
        if !plan.needsRouteLocalnet, persistence.keepsRaising(observed.disk) { (plan, persistence) = try plans(true) }
        self.init(choice: choice, plan: plan, persistence: persistence, observed: observed)
    }

    /// What taking everything back asks for on this host.
    package init(removing observed: Observation) {
        let choice = BackendChoice.holding(observed)
        self.init(
            choice: choice, plan: .empty(choice.backend), persistence: PersistencePlan(removing: observed.disk),
            observed: observed)
    }

    private init(choice: BackendChoice, plan: Plan, persistence: PersistencePlan, observed: Observation) {
        self.choice = choice
        self.plan = plan
        self.persistence = persistence
        self.observed = observed
        let uncaptured = observed.uncaptured(in: plan.backend)
        self.uncaptured = uncaptured.filter { family in plan.rules.contains { $0.rule.family == family } }
        guard observed.scope.hasRules else {
            changes = []
            sysctl = nil
            droppingNotes = []
            notes = plan.notes + persistence.notes
            return
        }
        changes = [choice.backend, choice.backend.other].map { kind in
            let rules = kind == choice.backend ? plan.rules.filter { !uncaptured.contains($0.rule.family) } : []
            return BackendChanges(backend: kind, changes: Diff.changes(from: observed[kind], to: rules))
        }
        sysctl =
            observed.scope.isHost
            ? Diff.sysctlChange(
                current: observed.routeLocalnet, earlier: observed.valueToReturnTo, plan: plan) : nil
        let dropping = observed.nftables.foreign.droppingInputChains + observed.iptables.foreign.droppingInputChains
        droppingNotes = plan.notes(droppingInputChains: dropping)
        notes =
            plan.notes + droppingNotes
            + (changes.contains { $0.backend == .iptables && !$0.changes.isEmpty } ? [Self.legacyTool] : [])
            + (plan.needsRouteLocalnet || !observed.scope.isHost ? [] : Self.leftOver(observed))
            + observed.captureNotes(plan) + persistence.notes
    }

    private static let legacyTool =
        "iptables and ip6tables mean the legacy tools here: type iptables-legacy and ip6tables-legacy where iptables --version says nf_tables"

    /// What a plan that does not need it leaves.
    private static func leftOver(_ observed: Observation) -> [String] {
        guard observed.routeLocalnet != "0", observed.valueToReturnTo == nil else { return [] }
        return [
            "\(Endpoint.routeLocalnet) stays \(observed.routeLocalnet), as no record says that this program set it; without the guard, neighbours reach services bound to 127.0.0.1: if nothing needs it, sysctl -w \(Endpoint.routeLocalnet)=0"
        ]
    }
}
