import Model

/// The ECS agent's introspection endpoint listens on every interface; other hosts have no business there.
enum IntrospectionRules {
    /// `iptables -t mangle -A INPUT -i docker+ -p tcp -m tcp --dport 51678 -j ACCEPT`, then
    /// `iptables -t mangle -A INPUT ! -i lo -p tcp -m tcp --dport 51678 -j DROP`, and both for IPv6.
    ///
    /// Accepting so early only ends this list of ours: what others' filter rules say still holds.
    static func rules(_ context: RuleContext) -> [PlannedRule] {
        guard !context.settings.allowsOffhostIntrospection, !context.settings.modes.isEmpty else { return [] }
        return AddressFamily.allCases.flatMap { family in
            context.settings.bridgeInterfaces.map { fromContainers($0, family) } + [fromElsewhere(family)]
        }
    }

    private static let port: [Match] = [.tcp, .tcpDestinationPort(Endpoint.introspectionPort)]

    private static func fromContainers(_ bridge: InterfacePattern, _ family: AddressFamily) -> PlannedRule {
        let rule = Rule(
            "introspection\(version(family)) from \(bridge) is left to others", at: .input, family,
            [.inInterface(bridge, negated: false)] + port, .accept)
        return PlannedRule(rule, why: "containers of this host may ask the agent about themselves")
    }

    private static func fromElsewhere(_ family: AddressFamily) -> PlannedRule {
        let rule = Rule(
            "no introspection\(version(family)) from other hosts", at: .input, family,
            [.inInterface(Endpoint.loopbackInterface, negated: true)] + port, .drop)
        return PlannedRule(
            rule, why: "the ECS agent tells every neighbour about tasks on port \(Endpoint.introspectionPort)")
    }

    private static func version(_ family: AddressFamily) -> String { family == .ipv4 ? "" : " over IPv6" }
}
