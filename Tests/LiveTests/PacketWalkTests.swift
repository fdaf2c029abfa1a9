import IptablesBackend
import Laboratory
import Model
import NftablesBackend
import Planning
import TestSupport
import Testing

extension Live {
    /// What is told of a packet's way through other people's rules, held against what becomes of packets.
    @Suite struct PacketWalkTests {
        enum Flavour: String, CaseIterable, Sendable, CustomTestStringConvertible {
            case nft
            case iptablesNft = "iptables-nft"
            case legacy = "iptables-legacy"
            var testDescription: String { rawValue }
        }

        @Test("random rules: packets go where they are said to go", arguments: Flavour.allCases)
        func randomRules(_ flavour: Flavour) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            var random = SplitMix64(state: 20)
            var decided = 0
            var dropped = 0
            for trial in 0..<Self.trials {
                let rules = RandomRules(&random)
                let text = try Self.load(rules, flavour, on: lab)
                let chains = try Self.read(lab)
                for (packet, way, address, port) in Self.packets {
                    let kinds = Self.prediction(chains, packet, way)
                    guard kinds.count == 1, let kind = kinds.first, kind != .unknown else { continue }
                    decided += 1
                    if kind == .dropped { dropped += 1 }
                    let outcome = try lab.container.reach(address, port: port, timeout: 80)
                    #expect(
                        outcome.isAnswered == (kind == .passes),
                        "trial \(trial): to \(address) is \(kind), but was \(outcome) with\n\(text)")
                }
            }
            // Neither is everything unknown, nor is there but one answer.
            #expect(decided > Self.trials, "only \(decided) of \(2 * Self.trials) were decided")
            #expect(dropped > Self.trials / 8 && decided - dropped > Self.trials / 8)
        }

        static let trials = 40

        /// What is asked for: its packet, and whether it is delivered to the host.
        static let packets: [(Packet, Hook, String, UInt16)] = {
            let docker = InterfacePattern(name: "docker0", isWildcard: false)
            let host = IPPrefix(10, 0, 0, 10)
            var delivered = Packet(to: host, isLocal: true, port: Laboratory.introspectionPort, from: docker)
            delivered.source = IPPrefix(172, 17, 0, 2)
            var forwarded = Packet(to: IPPrefix(169, 254, 169, 254), isLocal: false, port: 80, from: docker)
            forwarded.source = IPPrefix(172, 17, 0, 2)
            forwarded.outInterface = .named("eth0")
            return [
                (delivered, .input, Laboratory.hostAddress, Laboratory.introspectionPort),
                (forwarded, .forward, Laboratory.metadata, 80),
            ]
        }()

        static func prediction(
            _ chains: [ForeignChain], _ packet: Packet, _ way: Hook
        ) -> Set<PacketWalk.End.Kind> {
            let walk = PacketWalk(chains)
            var early = packet
            early.outInterface = nil
            let preceding = walk.stages(of: &early, at: .prerouting)
            var late = packet
            late.mayBeMarked = early.mayBeMarked
            let stages = preceding + walk.stages(of: &late, at: way)
            let ends = PacketWalk.ends(of: stages)
            return ends.isEmpty ? [.passes] : Set(ends.map(\.kind))
        }

        static func read(_ lab: Laboratory) throws -> [ForeignChain] {
            try lab.host.run { try NftablesBackend().readForeignChains() + IptablesBackend().readForeignChains() }
        }

        static func load(_ rules: RandomRules, _ flavour: Flavour, on lab: Laboratory) throws -> String {
            switch flavour {
            case .nft:
                try lab.host.require(["nft", "flush", "ruleset"])
                try lab.host.require(["nft", "-f", "-"], input: rules.forNft)
                return rules.forNft
            case .iptablesNft, .legacy:
                let tool = flavour == .legacy ? "iptables-legacy-restore" : "iptables-nft-restore"
                let result = try lab.host.execute([tool], input: rules.forIptables)
                #expect(result.status == 0, "\(result.errors)\n\(rules.forIptables)")
                return rules.forIptables
            }
        }

        @Test("the kernel asks every nat chain until one rewrites, whatever an earlier one accepts")
        func natChains() throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            let metadata = "dnat to \(Laboratory.metadata):80"
            let introspection = "dnat to \(Laboratory.hostAddress):\(Laboratory.introspectionPort)"
            let asked = "ip daddr \(Laboratory.credentials) tcp dport 80"
            let cases: [(first: String, second: String, answer: String)] = [
                ("\(asked) accept", "\(asked) \(metadata)", "imds"),
                ("\(asked) \(introspection)", "\(asked) \(metadata)", "introspection"),
                ("\(asked) jump sub", "\(asked) \(metadata)", "imds"),
            ]
            for (first, second, answer) in cases {
                try lab.host.require(["nft", "flush", "ruleset"])
                try lab.host.require(
                    ["nft", "-f", "-"],
                    input: """
                        table ip first {
                            chain sub { accept; }
                            chain prerouting { type nat hook prerouting priority -150; \(first); }
                        }
                        table ip second {
                            chain prerouting { type nat hook prerouting priority 50; \(second); }
                            chain filter { type filter hook prerouting priority -99; \(asked) drop; }
                        }

                        """)
                // The filter chain behind the place of nat does not see the address that was asked for, though it runs
                // ahead of the second nat chain by priority.
                let outcome = try lab.container.reach(Laboratory.credentials, port: 80)
                #expect(outcome == .answered(answer), "\(first), \(second)")
                let docker = InterfacePattern(name: "docker0", isWildcard: false)
                var packet = Packet(to: IPPrefix(169, 254, 170, 2), isLocal: false, port: 80, from: docker)
                let walk = PacketWalk(try Self.read(lab))
                let ends = PacketWalk.ends(of: walk.stages(of: &packet, at: .prerouting) { $0.type == "nat" })
                #expect(ends.count == 1)
                let target = answer == "imds" ? "\(Laboratory.metadata):80" : "\(Laboratory.hostAddress):51678"
                #expect(ends.first?.kind == .rewritten(target))
            }
        }
    }
}
