import Glibc
import Model

/// What packets showed, told as checks.
enum ProbeChecks {
    static func checks(_ context: CheckContext) -> [Check] {
        guard let probe = context.facts.probe else { return [] }
        if let obstacle = probe.obstacle { return undecided(obstacle, context) }
        if probe.bridges.isEmpty {
            // The agent makes its bridge with the first task.
            return [
                Check(
                    .probeCredentials, title(.credentials, Endpoint.taskBridge), .skipped,
                    evidence: "no task in awsvpc mode has run yet: there is no \(Endpoint.taskBridge)",
                    why: why(.credentials))
            ]
        }
        // A bridge that is not there yet proves nothing, but another may.
        let isProved = probe.bridges.contains { if case .joined = $0.course { true } else { false } }
        return probe.bridges.flatMap { bridge in
            switch bridge.course {
            case .joined(let attempts): attempts.map { check($0, from: bridge.bridge, context) }
            case .skipped(let reason):
                bridge.targets.map { untold($0.way, bridge.bridge, isProved ? .skipped : .undecided, reason) }
            case .failed(let reason): bridge.targets.map { untold($0.way, bridge.bridge, .undecided, reason) }
            }
        }
    }

    /// Every way that the settings speak of, where nothing could be sent.
    private static func undecided(_ obstacle: String, _ context: CheckContext) -> [Check] {
        let ways = ProbePlan.ways(
            settings: context.settings, plan: context.plan, hasMetadata: context.settings.modes.contains(.bridge))
        if ways.isEmpty {
            return [
                Check(
                    .probeCredentials, title(.credentials, "a bridge"), .skipped,
                    evidence: "no bridge is served in these modes", why: why(.credentials))
            ]
        }
        return ways.map { untold($0, "a bridge", .undecided, obstacle) }
    }

    private static func untold(
        _ way: ProbeWay, _ bridge: String, _ outcome: Check.Outcome, _ reason: String
    ) -> Check {
        Check(way.kind, title(way, bridge), outcome, evidence: reason, why: why(way))
    }

    private static func title(_ way: ProbeWay, _ bridge: String) -> String {
        switch way {
        case .credentials: "credentials from \(bridge)"
        case .metadata: "no IMDS from \(bridge)"
        case .metadata6: "no IMDS over IPv6 from \(bridge)"
        case .localhost: "no 127.0.0.1 from \(bridge)"
        }
    }

    private static func why(_ way: ProbeWay) -> String {
        switch way {
        case .credentials: "tasks ask \(Endpoint.credentials.address) for their role's credentials"
        case .metadata: "containers must not get the instance's own credentials from \(Endpoint.metadata.address)"
        case .metadata6: "containers must not get the instance's own credentials from \(Endpoint.metadata6.address)"
        case .localhost: "what listens on 127.0.0.1 is for the host alone (CVE-2020-8558)"
        }
    }

    private static func check(_ attempt: ProbeAttempt, from bridge: String, _ context: CheckContext) -> Check {
        let finding =
            attempt.target.way == .credentials
            ? CredentialsFinding.finding(attempt, context) : WallFinding.finding(attempt, context)
        let way = attempt.target.way
        return Check(
            way.kind, title(way, bridge), finding.outcome, evidence: finding.evidence, why: why(way),
            mend: finding.outcome == .failed ? finding.mend ?? .apply : finding.mend)
    }
}

/// What an attempt means.
struct ProbeFinding {
    let outcome: Check.Outcome
    let evidence: String
    var mend: Check.Mend?

    init(_ outcome: Check.Outcome, _ evidence: String, mend: Check.Mend? = nil) {
        self.outcome = outcome
        self.evidence = evidence
        self.mend = mend
    }
}

/// What came of the request to the agent.
enum CredentialsFinding {
    static func finding(_ attempt: ProbeAttempt, _ context: CheckContext) -> ProbeFinding {
        switch attempt.answer {
        case .answered(let bytes): answered(String(decoding: bytes, as: UTF8.self), attempt)
        case .connected: unanswered("a connection was made, but no answer came", attempt, context)
        case .refused where attempt.counted > 0 && attempt.steps.droppingRule == nil:
            ProbeFinding(
                .failed, "refused: nothing listens on \(agent)",
                mend: .command(AgentChecks.start))
        case .refused: unanswered("refused", attempt, context)
        case .unreachable(let number): unanswered(Failure.text(ofErrno: number), attempt, context)
        case .silence: unanswered("no answer", attempt, context)
        case .noWay(let reason), .unsent(let reason): ProbeFinding(.undecided, reason)
        }
    }

    private static let agent = "\(Endpoint.agent.address):\(Endpoint.agentPort)"

    private static func answered(_ text: String, _ attempt: ProbeAttempt) -> ProbeFinding {
        if attempt.isGood { return ProbeFinding(.passed, "the agent answered in \(milliseconds(attempt))") }
        // What introspection says to a path that it does not know: amazon-ecs-agent, `handlers/introspection`.
        if text.contains("AvailableCommands") {
            return ProbeFinding(
                .failed, "the agent's introspection answered, not its credentials endpoint" + diversion(attempt),
                mend: look(attempt))
        }
        let first = text.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }.prefix(60)
        let shown = String(first.map { $0.isASCII && !$0.isNewline && $0 >= " " ? $0 : "?" })
        return ProbeFinding(
            .failed, "somebody other than the agent answered: \(shown)" + diversion(attempt), mend: look(attempt))
    }

    /// How a person finds who answers in the agent's place.
    private static func look(_ attempt: ProbeAttempt) -> Check.Mend {
        .command(attempt.foreignRewrite?.look ?? AgentChecks.lookForListener)
    }

    private static func diversion(_ attempt: ProbeAttempt) -> String {
        attempt.foreignRewrite.map { ", sent there by \($0.description)" } ?? ""
    }

    private static func unanswered(
        _ seen: String, _ attempt: ProbeAttempt, _ context: CheckContext
    ) -> ProbeFinding {
        if let step = attempt.steps.droppingRule {
            return ProbeFinding(
                .failed, "\(seen): \(step.description) drops the request", mend: .command(acceptLine(step)))
        }
        if let step = attempt.foreignRewrite {
            return ProbeFinding(
                .failed, "\(seen): \(step.description) takes the request first", mend: .command(step.look))
        }
        if context.sysctl != nil {
            return ProbeFinding(.failed, "\(seen): the kernel drops it while \(Endpoint.routeLocalnet) is 0")
        }
        let reached = attempt.counted > 0 ? ", though our rule redirected it" : ", and our rule did not see it"
        return ProbeFinding(.failed, seen + reached + (attempt.traceFailure.map { " (\($0))" } ?? ""))
    }

    /// What its owner adds to a chain that drops.
    private static func acceptLine(_ step: TraceStep) -> String {
        switch (step.backend, step.isStock) {
        case (.iptables, _) where step.chain == "INPUT": CredentialsRules.acceptByLegacyIptables(table: step.table)
        case (.nftables, true) where step.chain == "INPUT": CredentialsRules.acceptByIptables()
        case (.nftables, false) where step.rule == nil:
            CredentialsRules.acceptByNft("\(step.family) \(step.table) \(step.chain)")
        default: step.look
        }
    }

    private static func milliseconds(_ attempt: ProbeAttempt) -> String {
        let tenths = (attempt.microseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}

/// What came of a packet that has to be stopped.
enum WallFinding {
    static func finding(_ attempt: ProbeAttempt, _ context: CheckContext) -> ProbeFinding {
        let place = attempt.target.way == .localhost ? "the host's 127.0.0.1" : "IMDS"
        switch attempt.answer {
        case .connected, .answered:
            return ProbeFinding(
                .failed, "\(place) was reached" + (shadow(attempt).map { ": \($0) lets it through first" } ?? ""))
        case .noWay(let reason): return ProbeFinding(.passed, reason)
        case .unsent(let reason): return ProbeFinding(.undecided, reason)
        case .silence where attempt.counted > 0: return ProbeFinding(.passed, "our rule dropped it")
        case .refused where attempt.isGood, .unreachable where attempt.isGood:
            return ProbeFinding(.passed, "our rule refused it")
        case .silence, .refused, .unreachable: return uncounted(attempt, place, context)
        }
    }

    /// Our rule did not stop it, and something else did.
    private static func uncounted(
        _ attempt: ProbeAttempt, _ place: String, _ context: CheckContext
    ) -> ProbeFinding {
        if let step = attempt.steps.droppingRule {
            if step.backend == .nftables {
                return ProbeFinding(
                    .passed,
                    step.table == TableLayout.name
                        ? "our rule dropped it" : "\(step.description) stops it before our rule")
            }
            // By counters, which others' packets raise too.
            if case .silence = attempt.answer, !step.isOnWay(of: attempt.target.way) {
                return ProbeFinding(
                    .undecided, "no answer, and our rule did not count it; \(step.description) counted one")
            }
            if case .silence = attempt.answer {
                return ProbeFinding(.passed, "\(step.description) stops it before our rule")
            }
        }
        switch attempt.answer {
        case .unreachable(let number) where number == ENETUNREACH:
            return ProbeFinding(.passed, "the host has no route to \(attempt.target.address.address)")
        case .unreachable(let number) where attempt.target.way != .localhost:
            return ProbeFinding(.failed, "our rule did not stop it: \(Failure.text(ofErrno: number))")
        case .refused: return ProbeFinding(.failed, "\(place) was reached: it refused the connection")
        default: break
        }
        if attempt.target.way == .localhost, context.sysctl != nil {
            return ProbeFinding(.skipped, "the kernel drops it while \(Endpoint.routeLocalnet) is 0")
        }
        if let reason = context.facts.probe?.forwardingReason(attempt.target.address), attempt.target.way != .localhost
        {
            return ProbeFinding(.passed, reason)
        }
        return ProbeFinding(
            .undecided,
            "no answer, but our rule did not count it either"
                + (attempt.traceFailure.map { " (\($0))" } ?? ", and no other rule was seen to drop it"))
    }

    /// The rule of somebody that accepts the packet where ours stands.
    private static func shadow(_ attempt: ProbeAttempt) -> String? {
        guard let rule = attempt.target.rules.first, attempt.counted == 0 else { return nil }
        let stock = rule.place.stockChain
        let steps = attempt.steps.filter { $0.verdict == .accept && $0.rule != nil && $0.backend == .iptables }
        return
            (steps.first { $0.table == stock.table && $0.chain == stock.chain }
            ?? steps.first { $0.table == stock.table })
            .map(\.description)
    }
}

extension TraceStep {
    /// How a person names it.
    var description: String {
        let place = "\(backend == .nftables ? "nftables" : "legacy iptables") chain \(location)"
        return rule.map { "\($0) of \(place)" } ?? "the policy of \(place)"
    }

    private var location: String {
        backend == .nftables ? "\(family) \(table) \(chain)" : "\(family == "ip6" ? "ip6 " : "")\(table) \(chain)"
    }

    /// Whether it belongs to the stock tables, to which an operator writes with `iptables`.
    var isStock: Bool { backend == .iptables || family == "ip" && table == "filter" && chain == "INPUT" }

    /// Whether a packet that is to be stopped passes this built-in chain. Of another's chain it is not known.
    func isOnWay(of way: ProbeWay) -> Bool {
        chain == "PREROUTING" || chain == (way == .localhost ? "INPUT" : "FORWARD")
    }

    /// How its owner looks at it.
    var look: String {
        switch backend {
        case .nftables: "look at it with: nft -a list chain \(location)"
        case .iptables:
            "look at it with: \(family == "ip6" ? "ip6tables" : "iptables")-legacy -t \(table) -S \(chain)"
        }
    }
}

extension [TraceStep] {
    /// What ended the packet.
    var droppingRule: TraceStep? { last { $0.verdict == .drop } }
}

extension ProbeAttempt {
    /// Somebody's rule that sent it elsewhere; ours would have counted it.
    var foreignRewrite: TraceStep? {
        counted > 0 ? nil : steps.last { if case .rewrite = $0.verdict { true } else { false } }
    }
}
