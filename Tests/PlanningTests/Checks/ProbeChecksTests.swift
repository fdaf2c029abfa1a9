import Glibc
import Model
import Testing

@testable import Planning

@Suite("Checks by packets")
struct ProbeChecksTests {
    private func plan(_ change: (inout Settings) -> Void = { _ in }) throws -> (Settings, Plan) {
        let settings = settings([.bridge], change)
        return (settings, try Plan(settings: settings, backend: .nftables, hasIPv6: true))
    }

    private func bridge(_ name: String, isUp: Bool = true, delaysNewPorts: Bool = false) -> HostBridge {
        HostBridge(index: 2, name: name, isUp: isUp, mtu: 1500, delaysNewPorts: delaysNewPorts)
    }

    private func context(
        _ report: ProbeReport, _ settings: Settings, _ plan: Plan, sysctl: SysctlChange? = nil
    ) -> CheckContext {
        var facts = VerificationFacts()
        facts.probe = report
        return CheckContext(
            scope: .host, settings: settings, plan: plan, changes: [], sysctl: sysctl, persistence: .untouched,
            disk: PersistenceFacts(), facts: facts)
    }

    /// The check that an attempt leads to.
    private func check(
        _ way: ProbeWay, _ answer: ProbeAnswer, counted: UInt64 = 0, steps: [TraceStep] = [],
        _ change: (inout Settings) -> Void = { _ in }
    ) throws -> Check {
        let (settings, plan) = try plan(change)
        let join = try #require(ProbePlan(settings: settings, plan: plan, bridges: [bridge("docker0")]).joins.first)
        let target = try #require(join.targets.first { $0.way == way })
        var attempt = ProbeAttempt(target, answer, counted: counted, microseconds: 1240)
        attempt.steps = steps
        let report = ProbeReport(bridges: [BridgeProbe(join, .joined([attempt]))])
        return try #require(ProbeChecks.checks(context(report, settings, plan)).first)
    }

    private static func answer(_ text: String) -> ProbeAnswer { .answered(Array(text.utf8)) }

    @Test("bridges are covered by the patterns, and by awsvpc's own bridge, each with the ways of its mode")
    func targets() throws {
        let (settings, plan) = try plan { $0.modes = [.bridge, .awsvpc] }
        let names = ["virbr0", "ecs-bridge", "docker_gwbridge", "docker0"]
        let made = ProbePlan(settings: settings, plan: plan, bridges: names.map { bridge($0) })
        #expect(made.joins.map(\.bridge.name) == ["docker0", "docker_gwbridge", "ecs-bridge"])
        #expect(made.joins[0].targets.map(\.way) == ProbeWay.allCases)
        #expect(made.joins[2].targets.map(\.way) == [.credentials, .localhost])
        #expect(made.joins[0].targets.allSatisfy { !$0.rules.isEmpty })
    }

    @Test("a way that the settings leave out is not tried")
    func leftOut() throws {
        let (settings, plan) = try plan {
            $0.allowsMetadata = true
            $0.guardsLocalhost = false
        }
        let made = ProbePlan(settings: settings, plan: plan, bridges: [bridge("docker0")])
        #expect(made.joins[0].targets.map(\.way) == [.credentials])
    }

    @Test("a bridge that is down is skipped only where another is proved")
    func down() throws {
        let (settings, plan) = try plan()
        let made = ProbePlan(settings: settings, plan: plan, bridges: [bridge("docker0", isUp: false)])
        #expect(made.joins.isEmpty)
        let alone = ProbeChecks.checks(context(ProbeReport(bridges: made.others), settings, plan))
        #expect(alone.map(\.outcome) == [.undecided, .undecided, .undecided, .undecided])
        let join = ProbeJoin(bridge("docker1"), [])
        let both = ProbeReport(bridges: made.others + [BridgeProbe(join, .joined([]))])
        #expect(ProbeChecks.checks(context(both, settings, plan)).allSatisfy { $0.outcome == .skipped })
    }

    @Test("what cannot be tried is undecided, and nothing to try is skipped")
    func obstacle() throws {
        let (settings, plan) = try plan()
        let report = ProbeReport(obstacle: "no bridge matches docker+")
        let checks = ProbeChecks.checks(context(report, settings, plan))
        #expect(checks.map(\.kind) == [.probeCredentials, .probeMetadata, .probeMetadata6, .probeLocalhost])
        #expect(checks.allSatisfy { $0.outcome == .undecided && $0.evidence == "no bridge matches docker+" })
        var host = settings
        host.modes = [.host]
        let hostPlan = try Plan(settings: host, backend: .nftables, hasIPv6: true)
        #expect(ProbeChecks.checks(context(report, host, hostPlan)).map(\.outcome) == [.skipped])
    }

    @Test("only the agent's own answer passes")
    func answers() throws {
        let good = try check(.credentials, Self.answer("HTTP/1.1 400 Bad Request\r\n\r\n{\"code\":\"NoIdInRequest\"}"))
        #expect(good.outcome == .passed && good.evidence == "the agent answered in 1.2 ms")
        let introspection = try check(
            .credentials, Self.answer("HTTP/1.1 200 OK\r\n\r\n{\"AvailableCommands\":[\"/v1/metadata\"]}"))
        #expect(introspection.outcome == .failed && introspection.evidence.contains("introspection answered"))
        let other = try check(.credentials, Self.answer("HTTP/1.0 404 \u{1b}[31mNot Found\r\nServer: x\r\n\r\n"))
        #expect(other.outcome == .failed)
        // apply would change nothing.
        for check in [introspection, other] {
            #expect(check.mend == .command("see what listens there: ss -ltnp 'sport = :51679'"))
        }
        #expect(other.evidence == "somebody other than the agent answered: HTTP/1.0 404 ?[31mNot Found")
        let refused = try check(.credentials, .refused, counted: 1)
        #expect(refused.evidence == "refused: nothing listens on 127.0.0.1:51679")
        for answer in [.silence, .connected, .unreachable(EHOSTUNREACH)] as [ProbeAnswer] {
            #expect(try check(.credentials, answer).outcome == .failed)
        }
    }

    @Test("a packet to be stopped must be counted by our rule, unless it is shown what else stops it")
    func walls() throws {
        for way in [ProbeWay.metadata, .metadata6, .localhost] {
            #expect(try check(way, .silence, counted: 1).outcome == .passed)
            #expect(try check(way, .connected).outcome == .failed)
            #expect(try check(way, .connected, counted: 1).outcome == .failed)
            #expect(try check(way, .refused).outcome == .failed)
            #expect(try check(way, .silence).outcome == .undecided)
            #expect(try check(way, .noWay("no IPv6")).outcome == .passed)
            #expect(try check(way, .unsent("no thread")).outcome == .undecided)
        }
        #expect(try check(.metadata, .unreachable(ENETUNREACH)).outcome == .passed)
        #expect(try check(.metadata, .refused, counted: 1) { $0.metadataAction = .reject }.outcome == .passed)
        #expect(try check(.metadata, .refused, counted: 1).outcome == .failed)
        let drop = TraceStep(.nftables, family: "ip", table: "raw", chain: "PREROUTING", rule: "rule 4", .drop)
        let stopped = try check(.metadata, .silence, steps: [drop])
        #expect(stopped.outcome == .passed)
        #expect(stopped.evidence == "rule 4 of nftables chain ip raw PREROUTING stops it before our rule")
    }

    @Test("the rule that drops or diverts the request is named with what its owner does")
    func named() throws {
        let policy = TraceStep(.nftables, family: "inet", table: "wall", chain: "input", rule: nil, .drop)
        let dropped = try check(.credentials, .silence, counted: 1, steps: [policy])
        #expect(dropped.evidence == "no answer: the policy of nftables chain inet wall input drops the request")
        #expect(dropped.mend == .command(CredentialsRules.acceptByNft("inet wall input")))
        let odd = TraceStep(.nftables, family: "ip", table: "t", chain: "x\nall passed; reboot #", rule: nil, .drop)
        guard case .command(let text)? = try check(.credentials, .silence, counted: 1, steps: [odd]).mend else {
            Issue.record("nothing to do")
            return
        }
        #expect(!text.contains("\n") && !text.contains("reboot"), "\(text)")
        let legacy = TraceStep(.iptables, family: "ip", table: "filter", chain: "INPUT", rule: "rule 1", .drop)
        #expect(
            try check(.credentials, .silence, counted: 1, steps: [legacy]).mend
                == .command(CredentialsRules.acceptByLegacyIptables(table: "filter")))
        let thief = TraceStep(.nftables, family: "ip", table: "t", chain: "pre", rule: "rule 2", .rewrite("10.0.0.9"))
        let taken = try check(.credentials, .silence, steps: [thief])
        #expect(taken.evidence == "no answer: rule 2 of nftables chain ip t pre takes the request first")
        #expect(taken.mend == .command("look at it with: nft -a list chain ip t pre"))
        // Ours is in the trace too.
        #expect(try !check(.credentials, .silence, counted: 1, steps: [thief]).evidence.contains("takes"))
    }

    @Test("while the kernel parameter is 0, the kernel itself stops what goes to 127.0.0.1")
    func noLocalnet() throws {
        let (settings, plan) = try plan()
        let join = ProbePlan(settings: settings, plan: plan, bridges: [bridge("docker0")]).joins[0]
        let attempts = join.targets.map { ProbeAttempt($0, .silence, counted: 0, microseconds: 1) }
        let change = SysctlChange(name: Endpoint.routeLocalnet, from: "0", to: "1", why: "")
        let report = ProbeReport(bridges: [BridgeProbe(join, .joined(attempts))], forwarding: [.ipv4])
        let checks = ProbeChecks.checks(context(report, settings, plan, sysctl: change))
        #expect(checks.map(\.outcome) == [.failed, .undecided, .passed, .skipped])
        #expect(checks[2].evidence == "the host forwards no such packets: net.ipv6.conf.all.forwarding is 0")
    }
}
