import Captures
import Laboratory
import Model
import TestSupport
import Testing

extension Live {
    /// Packets followed through captured rules end as they do through those of the kernel that they were captured from.
    @Suite struct CapturedWalkTests {
        typealias Situation = ForeignRuleTests.Situation

        private static let kinds: [CheckKind] = [.natOrder, .foreignInput, .shadowedDrop]

        /// What a check of others' rules says.
        private struct Told: Hashable, CustomStringConvertible {
            let id: String
            let outcome: String
            var description: String { "\(id) \(outcome)" }
        }

        private static func told(_ answer: String) throws -> [Told] {
            try ForeignRuleTests.checks(answer).filter { check in
                kinds.contains { $0.identifier == check.id }
            }.map { Told(id: $0.id, outcome: $0.outcome) }
        }

        /// How verify ends with these checks.
        private static func status(_ answer: String) throws -> Int32 {
            let outcomes = try ForeignRuleTests.checks(answer).map(\.outcome)
            return outcomes.contains("undecided") ? 2 : outcomes.contains("failed") ? 1 : 0
        }

        @Test(
            "others' rules are told as on the host",
            arguments: ForeignRuleTests.natOrder + ForeignRuleTests.shadowed + ForeignRuleTests.astray
                + ForeignRuleTests.deceptive, [true, false])
        func ahead(_ given: Situation, _ isWhole: Bool) throws { try compare(given, isWhole: isWhole) }

        @Test("who drops redirected requests is told as on the host", arguments: ForeignRuleTests.input, [true, false])
        func input(_ given: Situation, _ isWhole: Bool) throws { try compare(given, isWhole: isWhole) }

        /// - Parameter isWhole: whether the stock tools' tables are captured by their own tools too. Where not, what
        ///   depends on them may be undecided, and nothing else may differ.
        private func compare(_ given: Situation, isWhole: Bool) throws {
            let lab = try Laboratory.Bare()
            let options = ForeignRuleTests.arguments(given)
            try lab.requireNetsetup(["apply"] + options)
            try ForeignRuleTests.load(given.rules, on: lab.host)
            let words = ["verify", "--format", "json"] + options
            let live = try Self.told(try lab.netsetup(words).output)
            let isTold = given.check.map { Told(id: $0.identifier, outcome: given.outcome) }
            #expect(isTold.map(live.contains) ?? true, "\(live)")
            let result = try Captures(of: lab, isWhole: isWhole).netsetup(words)
            let offline = try Self.told(result.output)
            #expect(result.status == (try Self.status(result.output)), "\(result.errors)")
            if isWhole || given.backend == .iptables || offline.allSatisfy({ $0.outcome != "undecided" }) {
                #expect(offline == live, "\(result.output)")
                return
            }
            if offline == live { return }
            #expect(offline.map(\.id) == live.map(\.id))
            let checks = try ForeignRuleTests.checks(result.output).filter { $0.outcome == "undecided" }
            for check in checks {
                #expect(check.evidence.contains(", which iptables-nft-save tells"), "\(check)")
                #expect(check.mend?.contains("iptables-nft-save") == true, "\(check)")
            }
        }

        @Test("random rules: packets end as through those of the kernel", arguments: PacketWalkTests.Flavour.allCases)
        func randomRules(_ flavour: PacketWalkTests.Flavour) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            var random = SplitMix64(state: 21)
            for trial in 0..<PacketWalkTests.trials {
                let text = try PacketWalkTests.load(RandomRules(&random), flavour, on: lab)
                let live = try PacketWalkTests.read(lab)
                var capture = Capture()
                for command in [["nft", "-j", "list", "ruleset"], ["iptables-legacy-save"], ["iptables-nft-save"]] {
                    try capture.read(Array(try lab.host.require(command).utf8), from: command[0])
                }
                for (packet, way, address, _) in PacketWalkTests.packets {
                    let expected = PacketWalkTests.prediction(live, packet, way)
                    let found = PacketWalkTests.prediction(capture.foreignChains, packet, way)
                    #expect(found == expected, "trial \(trial): to \(address), with\n\(text)")
                }
            }
        }

        @Test("without what iptables-nft-save prints, a rule of a set of states is not known")
        func untold() throws {
            let lab = try Laboratory.Bare()
            let options = ["--mode", "bridge", "--persist", "none", "--backend", "nftables"]
            try lab.requireNetsetup(["apply"] + options)
            try lab.host.require(
                ["iptables-nft-restore"],
                input: """
                    *filter
                    -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
                    -A INPUT -j DROP
                    COMMIT

                    """)
            let words = ["verify", "--format", "json"] + options
            let partly = try Captures(of: lab, isWhole: false).netsetup(words)
            #expect(partly.status == 2, "\(partly.output)")
            let whole = try Captures(of: lab).netsetup(words)
            #expect(whole.status == 0, "\(whole.output)")
        }

        @Test("a table that does nothing drops nothing")
        func dormant() throws {
            let lab = try Laboratory.Bare()
            let options = ["--mode", "bridge", "--persist", "none", "--backend", "nftables"]
            try lab.requireNetsetup(["apply"] + options)
            try lab.host.require(["iptables-nft-restore"], input: "*filter\n:INPUT DROP [0:0]\nCOMMIT\n")
            let words = ["verify", "--format", "json"] + options
            #expect(try Captures(of: lab).netsetup(words).status == 1)
            try lab.host.require(["nft", "add", "table", "ip", "filter", "{ flags dormant; }"])
            let result = try Captures(of: lab).netsetup(words)
            #expect(result.status == 0, "\(result.output)")
        }

        @Test("a healthy host that is captured whole passes", arguments: HealthyHostTests.hosts)
        func healthy(_ host: HealthyHostTests.Host) throws {
            let lab = try Laboratory.Bare()
            try ForeignRuleTests.load(host.rules, on: lab.host)
            let options = ["--mode", "bridge", "--persist", "none", "--backend", host.backend.rawValue]
            try lab.requireNetsetup(["apply"] + options)
            let result = try Captures(of: lab).netsetup(["verify", "--format", "json"] + options)
            #expect(result.status == 0, "\(result.output)")
            #expect(try Self.told(result.output).count == 4)
        }
    }
}
