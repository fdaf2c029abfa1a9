import Model
import TestSupport
import Testing

@testable import Planning

/// The titles of the rules that settings ask for, with family and place.
func titles(_ settings: Settings, _ backend: BackendKind, hasIPv6: Bool = true) throws -> Set<String> {
    Set(
        try Plan(settings: settings, backend: backend, hasIPv6: hasIPv6).rules.map { planned in
            "\(planned.rule.family == .ipv4 ? "4" : "6") \(planned.rule.place.rawValue): \(planned.rule.title)"
        })
}

func settings(_ modes: [Mode], _ change: (inout Settings) -> Void = { _ in }) -> Settings {
    var settings = Settings()
    settings.modes = modes
    change(&settings)
    return settings
}

@Suite("What each mode needs")
struct PlanTests {
    private static let guardRule = "4 early-prerouting: localhost guard"
    private static let fromContainers = "4 prerouting: task credentials for containers"
    private static let fromHost = "4 output: task credentials for the host"
    private static let throughInput = "4 filter-input: let redirected credential requests in"
    private static let metadata: Set = ["4 forward: no IMDS for docker+", "6 forward: no IMDS over IPv6 for docker+"]
    private static let introspection: Set = [
        "4 input: no introspection from other hosts", "6 input: no introspection over IPv6 from other hosts",
        "4 input: introspection from docker+ is left to others",
        "6 input: introspection over IPv6 from docker+ is left to others",
    ]

    /// The table of what each mode needs, but for the rule that only iptables has.
    private static let needs: [Mode: Set<String>] = [
        .bridge: metadata.union(introspection).union([guardRule, fromContainers, fromHost]),
        .host: introspection.union([fromHost]),
        .awsvpc: introspection.union([guardRule, fromContainers]),
    ]

    @Test("each list of modes gets what its modes need, and nothing else", arguments: Combinations.modes)
    func rules(_ modes: [Mode]) throws {
        let common = modes.reduce(into: Set<String>()) { $0.formUnion(Self.needs[$1] ?? []) }
        let needsLocalnet = modes != [.host]
        #expect(try titles(settings(modes), .nftables) == common)
        #expect(try titles(settings(modes), .iptables) == common.union(needsLocalnet ? [Self.throughInput] : []))
        for backend in BackendKind.allCases {
            let plan = try Plan(settings: settings(modes), backend: backend, hasIPv6: true)
            #expect(plan.needsRouteLocalnet == needsLocalnet)
            #expect(plan.backend == backend)
        }
    }

    @Test("without a mode there is nothing", arguments: BackendKind.allCases)
    func noMode(_ backend: BackendKind) throws {
        let plan = try Plan(settings: Settings(), backend: backend, hasIPv6: true)
        #expect(plan.rules.isEmpty)
        #expect(!plan.needsRouteLocalnet)
        #expect(plan == Plan.empty(backend))
    }

    @Test("route_localnet never comes without the guard, unless asked for", arguments: BackendKind.allCases)
    func guardWithLocalnet(_ backend: BackendKind) {
        for settings in Combinations.settings {
            guard let plan = try? Plan(settings: settings, backend: backend, hasIPv6: true) else { continue }
            let hasGuard = plan.rules.contains { $0.rule.title == "localhost guard" }
            #expect(hasGuard == (plan.needsRouteLocalnet && settings.guardsLocalhost), "\(settings)")
        }
    }

    @Test("documented placement is filter FORWARD", arguments: BackendKind.allCases)
    func documented(_ backend: BackendKind) throws {
        let titles = try titles(settings([.bridge]) { $0.metadataPlacement = .documented }, backend)
        #expect(titles.contains("4 filter-forward: no IMDS for docker+"))
        #expect(titles.contains("6 filter-forward: no IMDS over IPv6 for docker+"))
        #expect(titles.isDisjoint(with: Self.metadata))
    }

    @Test("reject answers TCP with a reset and everything else with an ICMP error, TCP first")
    func reject() throws {
        let plan = try Plan(
            settings: settings([.bridge]) { $0.metadataAction = .reject }, backend: .nftables, hasIPv6: true)
        let rules = plan.rules.map(\.rule).filter { $0.place == .forward }
        for family in AddressFamily.allCases {
            let here = rules.filter { $0.family == family }
            #expect(here.map(\.action) == [.reject(.tcpReset), .reject(.adminProhibited)])
            #expect(here.map { $0.matches.contains(.tcp) } == [true, false])
        }
    }

    @Test("reject with early placement is wrong usage on iptables, and only where there is a rule against IMDS")
    func rejectOnIptables() throws {
        let early = settings([.bridge]) { $0.metadataAction = .reject }
        let failure = try #require(throws: Failure.self) {
            try Plan(settings: early, backend: .iptables, hasIPv6: true)
        }
        #expect(failure.kind == .usage)
        #expect(failure.advice?.contains("--imds-placement documented") == true)
        for fine in [
            settings([.bridge]) { ($0.metadataAction, $0.metadataPlacement) = (.reject, .documented) },
            settings([.bridge]) { ($0.metadataAction, $0.allowsMetadata) = (.reject, true) },
            settings([.host, .awsvpc]) { $0.metadataAction = .reject },
        ] {
            #expect(throws: Never.self) { try Plan(settings: fine, backend: .iptables, hasIPv6: true) }
        }
    }

    @Test("each --allow and --no option leaves its rules out and no others", arguments: BackendKind.allCases)
    func leftOut(_ backend: BackendKind) throws {
        let all = try titles(settings([.bridge]), backend)
        #expect(try titles(settings([.bridge]) { $0.allowsMetadata = true }, backend) == all.subtracting(Self.metadata))
        #expect(
            try titles(settings([.bridge]) { $0.allowsOffhostIntrospection = true }, backend)
                == all.subtracting(Self.introspection))
        #expect(
            try titles(settings([.bridge]) { $0.guardsLocalhost = false }, backend) == all.subtracting([Self.guardRule])
        )
    }

    @Test("a kernel without IPv6 gets no IPv6 rules in the stock tables, and says so")
    func withoutIPv6() throws {
        let iptables = try Plan(settings: settings([.bridge]), backend: .iptables, hasIPv6: false)
        #expect(iptables.rules.allSatisfy { $0.rule.family == .ipv4 })
        #expect(iptables.notes.contains { $0.contains("no IPv6") })
        let nftables = try Plan(settings: settings([.bridge]), backend: .nftables, hasIPv6: false)
        #expect(nftables.rules.contains { $0.rule.family == .ipv6 })
    }
}
