import Model

/// Whether other people's rules leave the packets of ECS to ours: followed through all chains, as the kernel would.
enum ForeignRuleChecks {
    /// Who takes or ends credential requests, of containers and of the host, before a rule sends them to the agent.
    static func natOrder(_ context: CheckContext) -> [Check] {
        let places = [Place.prerouting, .output].filter { place in
            context.plan.rules.contains { $0.rule.place == place }
        }
        guard !places.isEmpty, context.scope.hasRules else { return [] }
        let title = "order of nat rules"
        let why = "the first nat rule that fits decides where a request goes; it must be one that sends it to the agent"
        if context.uncaptured.contains(.ipv4) { return [.uncaptured(.natOrder, title, .ipv4, why: why)] }
        let walk = walk(context)
        let present = places.filter { !lacks($0, in: context) }
        let findings = present.flatMap { place in
            place == .output
                ? translation(walk, requestOfHost, at: .output)
                : credentialRequests(context).flatMap { translation(walk, $0, at: .prerouting) }
        }
        if findings.isEmpty, present != places {
            return [
                Check(.natOrder, title, .skipped, evidence: lacking("the rule to be reached", context), why: why)
            ]
        }
        return checks(.natOrder, title, findings, seen: "requests get to the agent's rule", why: why)
    }

    /// Who drops a request after it was sent to the agent.
    static func foreignInput(_ context: CheckContext) -> [Check] {
        guard context.plan.needsRouteLocalnet, context.scope.hasRules else { return [] }
        let title = "others' input rules"
        let why =
            "a request that is sent to the agent is lost where any chain drops it, and no other chain can overrule that"
        if context.uncaptured.contains(.ipv4) { return [.uncaptured(.foreignInput, title, .ipv4, why: why)] }
        let walk = walk(context)
        let findings = credentialRequests(context).flatMap { request in
            var packet = Packet(to: Endpoint.agent, isLocal: true, port: Endpoint.agentPort, from: request.inInterface)
            packet.source = request.source
            packet.states = [.new, .dnat]
            packet.mayBeMarked = untilTranslated(walk, request).packet.mayBeMarked
            return delivery(walk, packet)
        }
        let isOwnMissing = context.plan.backend == .iptables && lacks(.filterInput, in: context)
        let explained = findings.filter { isOwnMissing && $0.base.isLegacyFilterInput }
        if !explained.isEmpty, explained.count == findings.count {
            return [
                Check(
                    .foreignInput, title, .skipped, evidence: lacking("the rule that lets requests in", context),
                    why: why)
            ]
        }
        return checks(
            .foreignInput, title, findings.filter { !(isOwnMissing && $0.base.isLegacyFilterInput) },
            seen: "redirected requests get in", why: why)
    }

    /// Who lets packets to IMDS through before a rule drops them.
    static func shadowedDrop(_ context: CheckContext) -> [Check] {
        guard context.settings.modes.contains(.bridge), !context.settings.allowsMetadata, context.scope.hasRules
        else { return [] }
        let walk = walk(context)
        let withoutOurs = PacketWalk(context.facts.foreignChains.map(\.withoutOurs))
        return [Endpoint.metadata, Endpoint.metadata6].flatMap { address in
            shadowedDrop(of: address, walk, withoutOurs, context)
        }
    }

    /// What is wrong, or not known, on a packet's way.
    struct Finding: Hashable {
        let base: ForeignChain
        let problem: String
        let isCertain: Bool
        let mend: Check.Mend
        /// What it depends on, where it is not certain.
        var doubt: PacketWalk.Doubt?
    }

    private static func walk(_ context: CheckContext) -> PacketWalk {
        // Ours last, so that whoever has the same priority counts as ahead: it may be.
        PacketWalk(context.facts.foreignChains + OwnChains.chains(of: context.plan))
    }

    /// Whether a rule of ours at a place is not as it should be, which another check tells.
    private static func lacks(_ place: Place, _ family: AddressFamily = .ipv4, in context: CheckContext) -> Bool {
        if context.spoiled != nil { return true }
        return (context.changes.first?.changes ?? []).contains { change in
            switch change {
            case .add(let planned), .alter(_, let planned):
                planned.rule.place == place && planned.rule.family == family
            default: false
            }
        }
    }

    private static func lacking(_ rule: String, _ context: CheckContext) -> String {
        context.spoiledEvidence ?? "\(rule) is missing or altered"
    }

    private static var requestOfHost: Packet {
        var packet = Packet(to: Endpoint.credentials, isLocal: false, port: Endpoint.credentialsPort)
        packet.outInterface = .uplink
        return packet
    }

    /// Containers' requests for credentials: one for each network from which some come in, as far as it is known.
    private static func credentialRequests(_ context: CheckContext) -> [Packet] {
        let agents = InterfacePattern(name: Endpoint.taskBridge, isWildcard: false)
        let interfaces =
            (context.settings.modes.contains(.bridge) ? coveredInterfaces(context) : [])
            + (context.settings.modes.contains(.awsvpc) ? [agents] : [])
        return interfaces.flatMap { interface in
            let packet = Packet(
                to: Endpoint.credentials, isLocal: false, port: Endpoint.credentialsPort, from: interface)
            let networks = (context.facts.networks[interface.name] ?? []).filter { $0.family == .ipv4 }
            return networks.isEmpty
                ? [packet]
                : networks.map { network in
                    var packet = packet
                    packet.source = network
                    return packet
                }
        }
    }

    /// More bridges than these are not followed one by one.
    private static let mostBridges = 64

    /// The covered bridges: those that there are, else what stands for them, and for Docker's own its first one.
    private static func coveredInterfaces(_ context: CheckContext) -> [InterfacePattern] {
        let bridges = context.facts.bridges.flatMap { try? $0.get() } ?? []
        return context.settings.bridgeInterfaces.flatMap { pattern in
            let existing = pattern.isWildcard ? bridges.filter(pattern.covers) : []
            if !existing.isEmpty, existing.count <= mostBridges {
                return existing.map { InterfacePattern(name: $0, isWildcard: false) }
            }
            return pattern.isWildcard && pattern.name == "docker"
                ? [InterfacePattern(name: "docker0", isWildcard: false)] : [pattern]
        }
    }

    private static func checks(
        _ kind: CheckKind, _ title: String, _ findings: [Finding], seen: String, why: String
    ) -> [Check] {
        var told: [Finding] = []
        for finding in findings where !told.contains(finding) { told.append(finding) }
        if told.isEmpty { return [Check(kind, title, problem: nil, seen: seen, why: why)] }
        return told.map { finding in
            let capture = finding.doubt?.furtherCapture.map {
                Check.Mend.command("give what \($0) prints too, with --ruleset")
            }
            return Check(
                kind, title, finding.isCertain ? .failed : .undecided, evidence: finding.problem, why: why,
                mend: finding.isCertain ? finding.mend : capture)
        }
    }
}

// MARK: - Credential requests

extension ForeignRuleChecks {
    /// The kernel asks all nat chains at one place among the others, whatever their own priorities, which count between
    /// them only: `NF_IP_PRI_NAT_DST` (`nf_nat_core.c`, `nf_nat_inet_fn`).
    private static let nat: Int32 = -100

    /// Where the agent is, for packets that come in, and for those of the host, which REDIRECT sends to its loopback
    /// address.
    private static let agent = ["\(Endpoint.agent.address):\(Endpoint.agentPort)", ":\(Endpoint.agentPort)"]

    /// What may become of a packet up to where its destination is settled, the nat chains that settle it, and the
    /// packet behind them.
    private static func untilTranslated(
        _ walk: PacketWalk, _ packet: Packet, at hook: Hook = .prerouting
    ) -> (ends: [PacketWalk.End], translating: [PacketWalk.Stage], packet: Packet) {
        var packet = packet
        let early = walk.stages(of: &packet, at: hook) { $0.type != "nat" && $0.priority <= nat }
        let translating = walk.stages(of: &packet, at: hook) { $0.type == "nat" }
        return (PacketWalk.ends(of: early + translating), translating, packet)
    }

    private static func untilRouted(_ walk: PacketWalk, _ packet: inout Packet) -> [PacketWalk.Stage] {
        walk.stages(of: &packet, at: .prerouting) { $0.type != "nat" && $0.priority > nat }
    }

    /// What keeps a request from being sent to the agent.
    private static func translation(_ walk: PacketWalk, _ packet: Packet, at hook: Hook) -> [Finding] {
        let (ends, translating, _) = untilTranslated(walk, packet, at: hook)
        let isRight = { (end: PacketWalk.End) in
            (hook == .output ? agent : [agent[0]]).contains { end.kind == .rewritten($0) }
        }
        let wrong = ends.filter { !isRight($0) }
        let isCertain = wrong.count == ends.count
        return wrong.map { end in
            switch end.kind {
            case .rewritten(let to):
                finding(
                    end, isCertain,
                    "sends requests to \(to.hasPrefix(":") ? "the host's port \(to.dropFirst())" : to) first")
            case .dropped: finding(end, isCertain, "drops requests before a rule sends them to the agent")
            case .passes: ended(end, translating, isCertain)
            case .unknown: finding(end, false, "does something with requests that is not known")
            }
        }
    }

    /// Where no rule takes a request although ours is there, something ended our chain ahead of it.
    private static func ended(
        _ end: PacketWalk.End, _ stages: [PacketWalk.Stage], _ isCertain: Bool
    ) -> Finding {
        let passing = stages.filter { $0.base.rules.contains(where: \.isOurs) }.flatMap(\.ends).first {
            $0.kind == .passes && $0.rule != nil
        }
        return finding(passing ?? end, isCertain, "keeps requests from the agent's rule")
    }

    private static func finding(_ end: PacketWalk.End, _ isCertain: Bool, _ what: String) -> Finding {
        let problem = "\(end.decider) \(what)"
        let place =
            end.rule == nil ? "change that policy" : "delete or change that rule, or put an exception ahead of it"
        return Finding(
            base: end.chain, problem: isCertain ? problem : doubtful(end, problem), isCertain: isCertain,
            mend: .command(place), doubt: end.doubt)
    }

    private static func doubtful(_ end: PacketWalk.End, _ problem: String) -> String {
        guard let doubt = end.doubt else { return problem }
        // That what it does is not known was said.
        if doubt.condition == nil, doubt.rule == end.rule { return problem + doubt.whoTells }
        return doubt.rule == end.rule ? "\(problem), if \(doubt.itself)" : "\(problem), if \(doubt.description)"
    }

    /// What keeps a request that was sent to the agent from it: every chain, as each needs a line of its own.
    private static func delivery(_ walk: PacketWalk, _ packet: Packet) -> [Finding] {
        var packet = packet
        let late = untilRouted(walk, &packet)
        let input = walk.stages(of: &packet, at: .input)
        return (late + input).flatMap { stage in
            let wrong = stage.ends.filter { $0.kind != .passes }
            let isCertain = wrong.count == stage.ends.count && wrong.allSatisfy { $0.kind == .dropped }
            return wrong.map { end in
                let problem = "\(end.decider) drops redirected requests"
                return Finding(
                    base: stage.base, problem: isCertain ? problem : doubtful(end, problem), isCertain: isCertain,
                    mend: .command(accepting(in: stage.base)), doubt: end.doubt)
            }
        }
    }

    /// The line that lets redirected requests through a base chain.
    private static func accepting(in base: ForeignChain) -> String {
        switch base.backend {
        case .iptables:
            // Behind ours, which must stay first.
            CredentialsRules.acceptByLegacyIptables(
                table: base.table, chain: base.name, position: base.rules.prefix(while: \.isOurs).count + 1)
        case .nftables
        where base.family == .ip && ["INPUT", "PREROUTING"].contains(base.name)
            && ["filter", "mangle", "raw", "security"].contains(base.table):
            CredentialsRules.acceptByIptables(table: base.table, chain: base.name)
        case .nftables: CredentialsRules.acceptByNft(base.description)
        }
    }
}

extension ForeignChain {
    fileprivate var isLegacyFilterInput: Bool { backend == .iptables && table == "filter" && name == "INPUT" }

    /// The chain as it would be without us.
    fileprivate var withoutOurs: ForeignChain {
        var chain = self
        chain.rules.removeAll(where: \.isOurs)
        return chain
    }
}

// MARK: - IMDS

extension ForeignRuleChecks {
    private static let whyShadowed =
        "a rule that drops counts for nothing where another lets the packet through first, as Docker's do after its restart"

    private static func shadowedDrop(
        of address: IPPrefix, _ walk: PacketWalk, _ withoutOurs: PacketWalk, _ context: CheckContext
    ) -> [Check] {
        let title = "packets to \(address.address)"
        if context.uncaptured.contains(address.family) {
            return [.uncaptured(.shadowedDrop, title, address.family, why: whyShadowed)]
        }
        let isEarly = context.settings.metadataPlacement == .early
        if lacks(isEarly ? .forward : .filterForward, address.family, in: context) {
            return [
                Check(
                    .shadowedDrop, title, .skipped, evidence: lacking("the rule that drops", context), why: whyShadowed)
            ]
        }
        guard context.plan.rules.contains(where: { $0.rule.kindIsMetadata && $0.rule.family == address.family }) else {
            return []
        }
        var findings: [Finding] = []
        var harmless: [String] = []
        for interface in coveredInterfaces(context) {
            var packet = Packet(to: address, isLocal: false, port: 80, from: interface)
            findings += diverted(walk, &packet)
            packet.outInterface = .uplink
            var same = packet
            findings += leaks(walk.stages(of: &packet, at: .forward), mend: mend(context), isOurs: \.isOurs)
            // An operator's own rule, as Amazon documents it, that others precede.
            let alone = withoutOurs.stages(of: &same, at: .forward)
            if withoutOurs.drops(address) { harmless += leaks(alone, mend: .apply) { _ in false }.map(\.problem) }
        }
        let seen = harmless.first.map { "\($0), but our rule drops before that" } ?? "a rule drops them first"
        return checks(.shadowedDrop, title, findings, seen: seen, why: whyShadowed)
    }

    /// Who sends a packet elsewhere, so that no rule that drops it by its destination sees it.
    private static func diverted(_ walk: PacketWalk, _ packet: inout Packet) -> [Finding] {
        let translated = untilTranslated(walk, packet)
        packet = translated.packet
        let ends = translated.ends + untilRouted(walk, &packet).flatMap(\.ends).filter { $0.kind == .unknown }
        let isCertain = ends.allSatisfy { if case .rewritten = $0.kind { true } else { false } }
        return ends.compactMap { end in
            switch end.kind {
            case .rewritten: finding(end, isCertain, "sends packets elsewhere, past every rule that drops them")
            case .unknown: finding(end, false, "does something with packets that is not known")
            case .passes, .dropped: nil
            }
        }
    }

    /// Among the filter rules, the next restart of Docker would put others ahead again.
    private static func mend(_ context: CheckContext) -> Check.Mend {
        let settings = context.settings
        let mustStay = context.plan.backend == .iptables && settings.metadataAction == .reject
        return settings.metadataPlacement == .early || mustStay
            ? .apply
            : .applyWith(option: "imds-placement", value: MetadataPlacement.early.rawValue)
    }

    /// Who lets a packet through, where it is not dropped all the same.
    private static func leaks(
        _ stages: [PacketWalk.Stage], mend: Check.Mend, isOurs: (ForeignRule) -> Bool
    ) -> [Finding] {
        let ends = PacketWalk.ends(of: stages)
        guard ends.contains(where: { $0.kind != .dropped }) else { return [] }
        let isCertain = ends.allSatisfy { $0.kind == .passes }
        // The chain that holds the drop is where somebody came first.
        let holding = stages.filter { stage in stage.base.rules.contains(where: isOurs) }
        let deciding = (holding + stages).flatMap(\.ends).first { $0.kind == .passes && $0.rule != nil }
        guard let end = deciding ?? ends.first(where: { $0.kind != .dropped }) else { return [] }
        let problem = "\(end.decider) lets packets through first"
        let doubt = end.doubt ?? ends.lazy.compactMap(\.doubt).first
        return [
            Finding(
                base: end.chain,
                problem: isCertain ? problem : problem + (doubt.map { ", if \($0.description)" } ?? ""),
                isCertain: isCertain,
                mend: mend, doubt: doubt)
        ]
    }
}

extension PacketWalk {
    /// Whether any rule drops packets to just this address.
    fileprivate func drops(_ address: IPPrefix) -> Bool {
        allRules.contains { rule in
            let isDrop = rule.verdict == .drop || rule.verdict == .reject
            return isDrop && rule.conditions.contains(.destination(address, negated: false))
        }
    }
}

extension Rule {
    fileprivate var kindIsMetadata: Bool {
        (place == .forward || place == .filterForward)
            && (matches.contains(.destination(Endpoint.metadata)) || matches.contains(.destination(Endpoint.metadata6)))
    }
}
