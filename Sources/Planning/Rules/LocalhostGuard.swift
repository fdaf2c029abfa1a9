package import Model

/// What makes `route_localnet=1` safe: neighbours on the host's networks must not reach services on 127.0.0.1.
package enum LocalhostGuard {
    /// What its comment says behind our mark.
    package static let title = "localhost guard"

    /// `iptables -t mangle -A PREROUTING -d 127.0.0.0/8 ! -i lo -j DROP`
    ///
    /// CVE-2020-8558. What was redirected to the agent is not yet so here, and what the host sends to itself enters by `lo`;
    /// nothing else for the loopback network is meant to enter. Neither a forged sender nor a packet that connection
    /// tracking does not know gets past.
    package static let rule = Rule(
        title, at: .earlyPrerouting, .ipv4,
        [.destination(Endpoint.loopback), .inInterface(Endpoint.loopbackInterface, negated: true)],
        .drop)

    static func rules(_ context: RuleContext) -> [PlannedRule] {
        guard context.needsLocalnet || context.isRaisedElsewhere, context.settings.guardsLocalhost else { return [] }
        return [
            PlannedRule(
                rule, why: "route_localnet=1 would let neighbours into services bound to 127.0.0.1 (CVE-2020-8558)")
        ]
    }
}
