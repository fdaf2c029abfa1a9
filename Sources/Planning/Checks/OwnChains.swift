import Model

/// Rules of ours as a packet meets them.
enum OwnChains {
    /// The chains of our own table that these rules make, as they should be: what is wrong with them is told elsewhere.
    static func chains(of plan: Plan) -> [ForeignChain] {
        guard plan.backend == .nftables else { return [] }
        return Place.allCases.compactMap { place in
            let rules = plan.rules.map(\.rule).filter { $0.place == place }
            if rules.isEmpty { return nil }
            var chain = ForeignChain(
                .nftables, .inet, table: TableLayout.name, name: place.baseChain.name, base: place.baseChain)
            chain.rules = rules.map(foreign)
            return chain
        }
    }

    private static func foreign(_ rule: Rule) -> ForeignRule {
        let anywhere = IPPrefix(bytes: [UInt8](repeating: 0, count: rule.family.addressLength), length: 0)
        let family: [ForeignRule.Condition] = anywhere.map { [.destination($0, negated: false)] } ?? []
        var made = ForeignRule(family + rule.matches.map(condition), verdict(rule.action), text: "\"\(rule.title)\"")
        made.isOurs = true
        return made
    }

    private static func condition(_ match: Match) -> ForeignRule.Condition {
        switch match {
        case .destination(let prefix): .destination(prefix, negated: false)
        case .inInterface(let pattern, let negated): .inInterface(pattern, negated: negated)
        case .tcp: .transport(6, negated: false)
        case .tcpDestinationPort(let port): .destinationPort(port...port, negated: false)
        case .destinationTranslated: .state([.dnat], negated: false)
        }
    }

    private static func verdict(_ action: Action) -> ForeignRule.Verdict {
        switch action {
        case .accept: .accept
        case .drop: .drop
        case .reject: .reject
        case .dnat(let address, let port): .rewriteDestination("\(address.address):\(port)")
        case .redirect(let port): .rewriteDestination(":\(port)")
        }
    }
}
