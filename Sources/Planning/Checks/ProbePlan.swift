package import Model

/// Which packets prove the settings, and from which bridges.
package struct ProbePlan: Sendable {
    /// The bridges to join.
    package let joins: [ProbeJoin]
    /// Those that are not joined, with the reason.
    package let others: [BridgeProbe]

    /// What the settings ask for on a host with these bridges.
    package init(settings: Settings, plan: Plan, bridges: [HostBridge]) {
        var joins: [ProbeJoin] = []
        var others: [BridgeProbe] = []
        for bridge in bridges.sorted(by: { $0.name < $1.name }) {
            let targets = Self.targets(bridge.name, settings: settings, plan: plan)
            if targets.isEmpty { continue }
            let join = ProbeJoin(bridge, targets)
            if !bridge.isUp {
                others.append(BridgeProbe(join, .skipped("\(bridge.name) is down")))
            } else if bridge.delaysNewPorts {
                others.append(BridgeProbe(join, .failed("\(bridge.name) runs STP: a new port has to wait too long")))
            } else {
                joins.append(join)
            }
        }
        self.joins = joins
        self.others = others
    }

    /// The packets to send from a bridge of this name; none where it is not covered.
    static func targets(_ bridge: String, settings: Settings, plan: Plan) -> [ProbeTarget] {
        let isCovered =
            settings.modes.contains(.bridge) && settings.bridgeInterfaces.contains { $0.covers(bridge) }
        let isTaskBridge = settings.modes.contains(.awsvpc) && bridge == Endpoint.taskBridge
        guard isCovered || isTaskBridge else { return [] }
        return ways(settings: settings, plan: plan, hasMetadata: isCovered).map { way in
            target(way, rules: rules(way, plan: plan, bridge: bridge))
        }
    }

    /// The ways that the settings speak of.
    static func ways(settings: Settings, plan: Plan, hasMetadata: Bool) -> [ProbeWay] {
        ProbeWay.allCases.filter { way in
            switch way {
            case .credentials: plan.needsRouteLocalnet
            case .metadata, .metadata6: hasMetadata && !settings.allowsMetadata
            case .localhost: plan.needsRouteLocalnet && settings.guardsLocalhost
            }
        }
    }

    private static func target(_ way: ProbeWay, rules: [Rule]) -> ProbeTarget {
        switch way {
        case .credentials: ProbeTarget(way, Endpoint.credentials, port: Endpoint.credentialsPort, rules: rules)
        case .metadata: ProbeTarget(way, Endpoint.metadata, port: Endpoint.metadataPort, rules: rules)
        case .metadata6: ProbeTarget(way, Endpoint.metadata6, port: Endpoint.metadataPort, rules: rules)
        // Where somebody listens, so that a way in would be seen.
        case .localhost: ProbeTarget(way, Endpoint.agent, port: Endpoint.agentPort, rules: rules)
        }
    }

    private static func rules(_ way: ProbeWay, plan: Plan, bridge: String) -> [Rule] {
        plan.rules.map(\.rule).filter { rule in
            switch way {
            case .credentials: rule.place == .prerouting
            case .metadata: isMetadata(rule, .ipv4, bridge)
            case .metadata6: isMetadata(rule, .ipv6, bridge)
            case .localhost: rule.title == LocalhostGuard.title
            }
        }
    }

    private static func isMetadata(_ rule: Rule, _ family: AddressFamily, _ bridge: String) -> Bool {
        guard rule.family == family, rule.place == .forward || rule.place == .filterForward else { return false }
        return rule.matches.contains { match in
            if case .inInterface(let pattern, false) = match { pattern.covers(bridge) } else { false }
        }
    }
}
