import Model
import Planning

@testable import CommandLineTool
@testable import Engine

/// A host as it might be found, and what settings ask of it.
enum Scene {
    static let settings: Settings = {
        var settings = Settings()
        settings.modes = [.bridge]
        settings.persistence = Mechanism.none
        return settings
    }()

    /// What `ecs-netsetup COMMAND --mode bridge` asks for.
    static func request(_ command: Command) -> Request {
        var request = Request()
        request.command = command
        request.settings = settings
        request.planningWords = ["--mode", "bridge"]
        return request
    }

    /// How many checks there are beside those of the rules: of the kernel parameter, and of others' nat rules, input rules
    /// and rules on the ways to both addresses of IMDS.
    static let otherChecks = 5

    static func planned() throws -> [PlannedRule] {
        try Plan(settings: settings, backend: .nftables, hasIPv6: true).rules
    }

    /// A host with these rules in nf_tables.
    static func observation(
        _ rules: [InstalledRule] = [], routeLocalnet: String = "0", earlier: String? = nil,
        _ change: (inout InstalledRuleset) -> Void = { _ in }
    ) -> Observation {
        var nftables = InstalledRuleset(backend: .nftables)
        nftables.rules = rules
        nftables.holdsOurs = !rules.isEmpty
        nftables.ownTables = rules.isEmpty ? [] : ["inet ecs-netsetup"]
        nftables.ownChains = rules.isEmpty ? [] : ["early-prerouting", "prerouting", "output", "input", "forward"]
        change(&nftables)
        return Observation(
            nftables: nftables, iptables: InstalledRuleset(backend: .iptables), routeLocalnet: routeLocalnet,
            earlierRouteLocalnet: earlier, hasIPv6: true, disk: PersistenceFacts())
    }

    /// A host on which everything is as it should be.
    static func matching() throws -> Observation {
        let rules = try planned().enumerated().map { index, planned in
            InstalledRule(.rule(planned.rule), handle: UInt64(index + 4), packets: UInt64(index), bytes: 60)
        }
        return observation(rules, routeLocalnet: "1", earlier: "0")
    }

    /// A host on which a rule is missing, one is altered, one is unknown, one is too much, and the table is dormant.
    static func broken() throws -> Observation {
        let planned = try planned()
        let altered = Rule(
            place: planned[1].rule.place, family: .ipv4, matches: [], action: .accept, comment: planned[1].rule.comment)
        let extra = Rule(
            place: .input, family: .ipv4, matches: [.tcp], action: .drop, comment: "ecs-netsetup: from an older version"
        )
        let rules =
            [.rule(altered), .unknown("\"ecs-netsetup: x\" has a limit"), .rule(extra)]
            + planned.dropFirst(2).map { InstalledRule.Content.rule($0.rule) }
        return observation(rules.map { InstalledRule($0, handle: 9) }) { $0.defects = ["the table is dormant"] }
    }

    static func decision(_ observation: Observation) throws -> Decision {
        try Decision(settings: settings, observed: observation)
    }

    static func verification(_ observation: Observation) throws -> Verification {
        Verification(try decision(observation), settings: settings)
    }
}
