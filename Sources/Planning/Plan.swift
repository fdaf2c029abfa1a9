package import Model

/// The desired state of a host.
package struct Plan: Hashable, Sendable {
    package let backend: BackendKind
    /// In the order in which they stand in their chains, IPv4 before IPv6.
    package let rules: [PlannedRule]
    /// Whether `net.ipv4.conf.all.route_localnet` has to be 1. Where not, it goes back to what it was.
    package let needsRouteLocalnet: Bool
    /// What the user should know about these settings, a sentence each.
    package let notes: [String]

    /// The plan that takes everything back.
    package static func empty(_ backend: BackendKind) -> Plan {
        Plan(backend: backend, rules: [], needsRouteLocalnet: false, notes: [])
    }

    /// The plan for these settings on this backend.
    ///
    /// - Parameters:
    ///   - hasIPv6: whether the kernel has IPv6 at all; where not, the stock tables of IPv6 do not exist.
    ///   - isRaisedElsewhere: whether a file that stays as it is raises `route_localnet` at boot and with every
    ///     `sysctl --system`, so that the guard has to stay too.
    /// - Throws: a usage failure for settings that the backend cannot fulfil.
    package init(
        settings: Settings, backend: BackendKind, hasIPv6: Bool, isRaisedElsewhere: Bool = false
    ) throws(Failure) {
        if backend == .iptables, settings.metadataAction == .reject, settings.metadataPlacement == .early,
            settings.modes.contains(.bridge), !settings.allowsMetadata
        {
            throw .usage(
                "--imds-action reject needs --imds-placement documented with the iptables backend, whose REJECT exists in table filter only",
                advice: "add --imds-placement documented, or use --backend nftables")
        }
        let context = RuleContext(settings: settings, backend: backend, isRaisedElsewhere: isRaisedElsewhere)
        let unsorted = Catalogue.entries.flatMap { $0(context) }
        let rules = AddressFamily.allCases.flatMap { family in unsorted.filter { $0.rule.family == family } }
        let lacksTables = backend == .iptables && !hasIPv6
        self.init(
            backend: backend, rules: lacksTables ? rules.filter { $0.rule.family == .ipv4 } : rules,
            needsRouteLocalnet: context.needsLocalnet,
            notes: Self.notes(settings)
                + (isRaisedElsewhere && !context.needsLocalnet ? [Self.guardStays] : [])
                + (lacksTables ? ["this kernel has no IPv6: its rules are left out"] : []))
    }

    private init(backend: BackendKind, rules: [PlannedRule], needsRouteLocalnet: Bool, notes: [String]) {
        self.backend = backend
        self.rules = rules
        self.needsRouteLocalnet = needsRouteLocalnet
        self.notes = notes
    }

    private static let guardStays =
        "the localhost guard stays, as \(HostPath.sysctl) raises \(Endpoint.routeLocalnet) at boot; take that file away and apply again, without --persist none"

    private static func notes(_ settings: Settings) -> [String] {
        var notes: [String] = []
        if settings.modes.contains(.bridge), settings.allowsMetadata {
            notes.append(
                "containers get the instance's own credentials: the rules against it are left out, by --allow-imds or ALLOW_IMDS in \(HostPath.settings)"
            )
        }
        if settings.modes.contains(.host) {
            notes.append(
                "tasks in host mode reach IMDS like the host itself; no rule on forwarded traffic can stop them")
        }
        if settings.modes.contains(.awsvpc), settings.persistence == Mechanism.none || settings.allowsMetadata {
            notes.append(
                "tasks in awsvpc mode are kept from IMDS by the agent alone, where ecs.config has ECS_AWSVPC_BLOCK_IMDS=true"
            )
        }
        if settings.modes.contains(.bridge) || settings.modes.contains(.awsvpc), !settings.guardsLocalhost {
            notes.append("without the localhost guard, neighbours reach services bound to 127.0.0.1 (CVE-2020-8558)")
        }
        return notes
    }

    /// What must be told about other people's chains that drop the redirected request, where only their owner can
    /// let it in.
    package func notes(droppingInputChains chains: [DroppingChain]) -> [String] {
        guard needsRouteLocalnet else { return [] }
        // Legacy filter INPUT has a rule of ours, if our rules are there.
        let own = DroppingChain(.iptables, "filter INPUT", isStock: true)
        return chains.filter { backend == .nftables || $0 != own }.map { chain in
            let line =
                switch (chain.backend, chain.isStock) {
                case (.iptables, _):
                    CredentialsRules.acceptByLegacyIptables(table: String(chain.name.prefix { $0 != " " }))
                case (.nftables, true): CredentialsRules.acceptByIptables()
                case (.nftables, false): CredentialsRules.acceptByNft(chain.name)
                }
            return
                "\(chain.description) drops by policy, and no other table can overrule it; add, if it is not there: \(line)"
        }
    }
}
