import Model

/// What makes `route_localnet=1` safe: neighbours on the host's networks must not reach services on 127.0.0.1.
package enum LocalhostGuard {
    /// What its comment says behind our mark.
    package static let title = "localhost guard"

    /// `iptables -t mangle -A INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`
    ///
    /// CVE-2020-8558. The same condition as ecs-init's, but ahead of everybody's filter rules.
    static func rules(_ context: RuleContext) -> [PlannedRule] {
        guard context.needsLocalnet || context.isRaisedElsewhere, context.settings.guardsLocalhost else { return [] }
        let rule = Rule(
            title, at: .input, .ipv4,
            [
                .source(Endpoint.loopback, negated: true), .destination(Endpoint.loopback),
                .connectionState([.related, .established, .dnat], negated: true),
            ],
            .drop)
        return [
            PlannedRule(
                rule, why: "route_localnet=1 would let neighbours into services bound to 127.0.0.1 (CVE-2020-8558)")
        ]
    }
}
