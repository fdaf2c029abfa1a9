import Model
import TestSupport
import Testing

@testable import Planning

@Suite("The rule catalogue")
struct CatalogueTests {
    private static var plans: [Plan] {
        Combinations.settings.flatMap { settings in
            BackendKind.allCases.compactMap { try? Plan(settings: settings, backend: $0, hasIPv6: true) }
        }
    }

    @Test("gives every rule of a plan a comment of its own, with our mark, short enough for nft")
    func comments() throws {
        for plan in Self.plans {
            let comments = plan.rules.compactMap(\.rule.comment)
            #expect(comments.count == plan.rules.count)
            #expect(Set(comments).count == comments.count)
            for comment in comments {
                #expect(comment.hasPrefix(Rule.mark))
                #expect(comment.utf8.count <= 127)
                // A quote would end the comment in what nft and iptables print.
                #expect(!comment.contains("\"") && !comment.contains("\\"))
            }
        }
    }

    @Test("keeps within 127 bytes with the longest interface patterns")
    func longestComments() throws {
        let longest = [
            InterfacePattern(name: String(repeating: "w", count: 15), isWildcard: false),
            InterfacePattern(name: String(repeating: "w", count: 14), isWildcard: true),
        ]
        for (placement, action) in [(MetadataPlacement.early, MetadataAction.reject), (.documented, .reject)] {
            let settings = settings(Mode.allCases) {
                $0.bridgeInterfaces = longest
                ($0.metadataPlacement, $0.metadataAction) = (placement, action)
            }
            let plan = try Plan(settings: settings, backend: .nftables, hasIPv6: true)
            #expect((plan.rules.compactMap(\.rule.comment).map(\.utf8.count).max() ?? 0) <= 127)
        }
    }

    @Test("says of every rule why ECS needs it, in a sentence without a full stop")
    func reasons() {
        for plan in Self.plans {
            for planned in plan.rules {
                #expect(!planned.why.isEmpty)
                #expect(!planned.why.hasSuffix("."))
            }
        }
    }

    @Test("lists the conditions of each rule in the order of the cases of Match, a port only after TCP")
    func matchOrder() {
        func rank(_ match: Match) -> Int {
            switch match {
            case .destination: 0
            case .inInterface: 1
            case .tcp: 2
            case .tcpDestinationPort: 3
            case .destinationTranslated: 4
            }
        }
        for rule in Set(Self.plans.flatMap(\.rules).map(\.rule)) {
            let ranks = rule.matches.map(rank)
            #expect(ranks == ranks.sorted())
            #expect(Set(ranks).count == ranks.count)
            if ranks.contains(3) { #expect(ranks.contains(2)) }
        }
    }

    @Test("speaks of addresses of the rule's own family only")
    func families() {
        for rule in Set(Self.plans.flatMap(\.rules).map(\.rule)) {
            for match in rule.matches {
                if case .destination(let prefix) = match { #expect(prefix.family == rule.family) }
            }
            if case .dnat(let address, _) = rule.action { #expect(address.family == rule.family) }
        }
    }

    @Test("has the addresses and ports that Amazon documents")
    func endpoints() {
        #expect(Endpoint.credentials.description == "169.254.170.2/32")
        #expect(Endpoint.agent.description == "127.0.0.1/32")
        #expect(Endpoint.metadata.description == "169.254.169.254/32")
        #expect(Endpoint.metadata6.description == "fd00:ec2::254/128")
        #expect(Endpoint.loopback.description == "127.0.0.0/8")
        #expect([Endpoint.credentialsPort, Endpoint.agentPort, Endpoint.introspectionPort] == [80, 51679, 51678])
        #expect(Endpoint.routeLocalnet == "net.ipv4.conf.all.route_localnet")
    }

    @Test("tells what no rule can do, for the modes that it concerns")
    func notes() throws {
        func notes(_ settings: Settings) throws -> [String] {
            try Plan(settings: settings, backend: .nftables, hasIPv6: true).notes
        }
        #expect(try notes(settings([.bridge])).isEmpty)
        #expect(try notes(settings([.host])).contains { $0.contains("host mode reach IMDS") })
        #expect(try notes(settings([.awsvpc])).isEmpty, "the agent is told in ecs.config")
        for change in [{ $0.persistence = Mechanism.none }, { $0.allowsMetadata = true }] as [(inout Settings) -> Void]
        {
            let notes = try notes(settings([.awsvpc], change))
            #expect(notes.contains { $0.contains("ECS_AWSVPC_BLOCK_IMDS=true") })
        }
        #expect(try notes(settings([.bridge]) { $0.guardsLocalhost = false }).contains { $0.contains("CVE-2020-8558") })
        #expect(try !notes(settings([.host]) { $0.guardsLocalhost = false }).contains { $0.contains("CVE-2020-8558") })
    }

    private static let dropping = [
        DroppingChain(.nftables, "inet filter input", isStock: false),
        DroppingChain(.nftables, "ip filter INPUT", isStock: true),
    ]

    @Test("quotes the accepting rule where an nft host drops input by policy, in the chain's own language")
    func droppingInput() throws {
        let plan = try Plan(settings: settings([.bridge]), backend: .nftables, hasIPv6: true)
        let notes = plan.notes(droppingInputChains: Self.dropping)
        #expect(notes.count == 2)
        #expect(notes[0].hasPrefix("nftables chain inet filter input drops by policy"))
        #expect(
            notes[0].hasSuffix(
                "nft insert rule inet filter input "
                    + "'ip daddr 127.0.0.1 tcp dport 51679 ct status & dnat != 0 counter accept'"
            ))
        #expect(
            notes[1].hasSuffix(
                "iptables-nft -t filter -I INPUT 1 -d 127.0.0.1/32 -p tcp -m tcp --dport 51679 "
                    + "-m conntrack --ctstate DNAT -j ACCEPT"
            ))
    }

    @Test("quotes nothing where iptables accepts by itself, or where nothing has to get in")
    func nothingToQuote() throws {
        let iptables = try Plan(settings: settings([.bridge]), backend: .iptables, hasIPv6: true)
        let own = DroppingChain(.iptables, "filter INPUT", isStock: true)
        #expect(iptables.notes(droppingInputChains: [own]).isEmpty)
        #expect(iptables.notes(droppingInputChains: Self.dropping + [own]).count == Self.dropping.count)
        let host = try Plan(settings: settings([.host]), backend: .nftables, hasIPv6: true)
        #expect(host.notes(droppingInputChains: Self.dropping).isEmpty)
        let bridge = try Plan(settings: settings([.bridge]), backend: .nftables, hasIPv6: true)
        #expect(bridge.notes(droppingInputChains: []).isEmpty)
    }
}
