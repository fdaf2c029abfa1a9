import Model

/// The way from a task to its credentials.
enum CredentialsRules {
    /// `iptables -t nat -A PREROUTING -p tcp -d 169.254.170.2 --dport 80 -j DNAT --to-destination 127.0.0.1:51679`
    ///
    /// Serves containers behind a bridge, and tasks in awsvpc mode, whose requests enter by `ecs-bridge`.
    static func fromContainers(_ context: RuleContext) -> [PlannedRule] {
        guard context.needsLocalnet else { return [] }
        let rule = Rule(
            "task credentials for containers", at: .prerouting, .ipv4,
            [.destination(Endpoint.credentials), .tcp, .tcpDestinationPort(Endpoint.credentialsPort)],
            .dnat(to: Endpoint.agent, port: Endpoint.agentPort))
        return [
            PlannedRule(
                rule,
                why:
                    "a container asks \(Endpoint.credentials.address) for its role; the ECS agent answers on the host's loopback"
            )
        ]
    }

    /// `iptables -t nat -A OUTPUT -d 169.254.170.2 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 51679`
    ///
    /// Serves the host itself and tasks in host mode.
    static func fromHost(_ context: RuleContext) -> [PlannedRule] {
        guard context.has(.bridge) || context.has(.host) else { return [] }
        let rule = Rule(
            "task credentials for the host", at: .output, .ipv4,
            [.destination(Endpoint.credentials), .tcp, .tcpDestinationPort(Endpoint.credentialsPort)],
            .redirect(port: Endpoint.agentPort))
        return [
            PlannedRule(
                rule, why: "a task in host mode, or the host itself, asks for its role without crossing a bridge")
        ]
    }

    /// `iptables -A INPUT -d 127.0.0.1/32 -p tcp --dport 51679 -m conntrack --ctstate DNAT -j ACCEPT`
    ///
    /// Only for iptables: an nft table of our own cannot accept on behalf of a table that drops.
    static func throughInput(_ context: RuleContext) -> [PlannedRule] {
        guard context.needsLocalnet, context.backend == .iptables else { return [] }
        return [PlannedRule(acceptRule, why: "where INPUT drops by default, the redirected request would be lost")]
    }

    /// What an operator types into somebody else's chain, where we do not write. Without our mark: it is theirs.
    ///
    /// In nf_tables, whichever flavour plain `iptables` is.
    static func acceptByIptables(table: String = "filter", chain: String = "INPUT") -> String {
        "iptables-nft -t \(table) -I \(chain) 1 \(IptablesSpelling.specification(unmarked))"
    }

    /// The same for a chain INPUT of the legacy interface, whichever flavour plain `iptables` is.
    static func acceptByLegacyIptables(table: String, chain: String = "INPUT", position: Int = 1) -> String {
        "iptables-legacy -t \(table) -I \(chain) \(position) \(IptablesSpelling.specification(unmarked))"
    }

    /// The same for a chain of nf_tables, given as "inet filter input".
    static func acceptByNft(_ chain: String) -> String {
        // nf_tables takes any name, nft and a shell do not.
        let isPlain = chain.utf8.allSatisfy { byte in
            byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a || byte >= 0x30 && byte <= 0x39 || " _-./".utf8.contains(byte)
        }
        if !isPlain {
            return "have it begin with a rule that says \(NftSpelling.specification(unmarked))"
        }
        return "nft insert rule \(chain) '\(NftSpelling.specification(unmarked))'"
    }

    private static var unmarked: Rule {
        Rule(
            place: acceptRule.place, family: acceptRule.family, matches: acceptRule.matches, action: acceptRule.action,
            comment: nil)
    }

    private static let acceptRule = Rule(
        "let redirected credential requests in", at: .filterInput, .ipv4,
        [
            .destination(Endpoint.agent), .tcp, .tcpDestinationPort(Endpoint.agentPort),
            .destinationTranslated,
        ],
        .accept)
}
