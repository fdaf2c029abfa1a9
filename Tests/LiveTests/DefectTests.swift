import Laboratory
import Model
import Testing

extension Live {
    /// A table of our name that does not do what ours does is not taken for ours.
    @Suite struct DefectTests {
        /// An edit of the commands that make our table, and what verify says about the result.
        struct Defect: Sendable, CustomTestStringConvertible {
            let replace: String
            let with: String
            let message: String
            var testDescription: String { message }
        }

        private static let defects = [
            Defect(
                replace: "hook forward priority -150", with: "hook forward priority 10",
                message: "has priority 10 instead of -150"),
            Defect(
                replace: "hook forward priority -150", with: "hook postrouting priority -150",
                message: "hangs on hook number 4 instead of forward"),
            Defect(
                replace: "type filter hook input", with: "type nat hook input",
                message: "is of type nat instead of filter"),
            Defect(
                replace: "forward '{ type filter hook forward priority -150; policy accept; }'", with: "forward",
                message: "hangs on no hook"),
            Defect(
                replace: "hook input priority -150; policy accept", with: "hook input priority -150; policy drop",
                message: "drops by policy"),
            Defect(
                replace: "ip daddr 169.254.169.254 iifname", with: "ip daddr 169.254.169.253 iifname",
                message: "was altered"),
            Defect(replace: "counter drop comment", with: "counter accept comment", message: "was altered"),
            Defect(replace: "counter drop comment", with: "drop comment", message: "has no counter"),
            Defect(replace: "iifname \"docker*\" counter drop", with: "counter drop", message: "was altered"),
            Defect(replace: "tcp dport 80 counter dnat", with: "tcp dport 81 counter dnat", message: "was altered"),
            Defect(replace: "to 127.0.0.1:51679", with: "to 127.0.0.1:51678", message: "was altered"),
        ]

        @Test(
            "where our own table is spoiled, nothing is said to hold that depends on it",
            arguments: [
                "insert rule inet ecs-netsetup forward accept", "add table inet ecs-netsetup { flags dormant; }",
            ])
        func spoiled(_ change: String) throws {
            let lab = try Laboratory.Bare()
            let words = ["--mode", "bridge", "--backend", "nftables", "--persist", "none"]
            try lab.requireNetsetup(["apply"] + words)
            try lab.host.require(["nft", change])
            let result = try lab.netsetup(["verify", "--format", "json"] + words)
            #expect(result.status == 1, "\(result.errors)")
            let checks = try ForeignRuleTests.checks(result.output)
            let holding = checks.filter { $0.outcome == "passed" }.map(\.id)
            let dependent: [CheckKind] = [.containerCredentials, .metadata, .natOrder, .shadowedDrop, .localhostGuard]
            for kind in dependent { #expect(!holding.contains(kind.identifier), "\(kind): \(checks)") }
        }

        @Test("verify names what is wrong, apply mends it", arguments: defects)
        func mended(_ defect: Defect) throws {
            let lab = try Laboratory.Bare()
            try make(lab) { line in
                line.split(separator: defect.replace, omittingEmptySubsequences: false).joined(separator: defect.with)
            }
            let verified = try lab.netsetup(["verify", "--mode", "bridge", "--persist", "none"])
            #expect(verified.status == 1)
            #expect(verified.output.contains(defect.message), "\(verified.output)")
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--persist", "none"])
            #expect(try lab.netsetup(["verify", "--mode", "bridge", "--persist", "none"]).status == 0)
        }

        @Test(
            "what is not ours in our table is told and left alone",
            arguments: [
                "add set inet ecs-netsetup addresses { type ipv4_addr; }", "add chain inet ecs-netsetup other",
                "add counter inet ecs-netsetup visits",
            ])
        func stranger(_ command: String) throws {
            let lab = try Laboratory.Bare()
            try make(lab) { $0 }
            try lab.host.require(["nft", command])
            let before = try Witness.everything(lab)
            #expect(try lab.netsetup(["verify", "--mode", "bridge", "--persist", "none"]).status == 1)
            for arguments in [["apply", "--mode", "bridge", "--persist", "none"], ["remove"]] {
                let result = try lab.netsetup(arguments)
                #expect(result.status == 2)
                #expect(result.errors.contains("what is not ours is not touched"), "\(result.errors)")
            }
            #expect(try Witness.everything(lab) == before)
        }

        @Test("an emptied table of ours is removed too")
        func emptiedTable() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "host", "--backend", "nftables"])
            try lab.host.require(["nft", "flush", "table", "inet", "ecs-netsetup"])
            try lab.requireNetsetup(["remove"])
            #expect(try lab.host.require(["nft", "list", "ruleset"]) == "")
        }

        /// Makes our table by the stock tool, each command edited.
        private func make(_ lab: Laboratory.Bare, _ edit: (String) -> String) throws {
            let printed = try lab.netsetup(["diff", "--mode", "bridge", "--persist", "none", "--backend", "nftables"])
                .output
            for line in printed.split(separator: "\n") where line.hasPrefix("+ ") {
                try lab.host.require(["sh", "-c", edit(String(line.dropFirst(2)))])
            }
            try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
        }

        /// A chain of somebody's that drops, and how the note's command becomes the tool's that made the chain.
        private static let droppingChains = [
            ("iptables-nft -P INPUT DROP", "ip filter INPUT drops", "iptables-nft"),
            ("iptables-legacy -P INPUT DROP", "filter INPUT drops", "iptables-legacy"),
            (
                "nft add table inet cis; nft add chain inet cis input '{ type filter hook input priority 0; policy drop; }'",
                "inet cis input drops", "nft"
            ),
        ]

        @Test(
            "a foreign INPUT that drops is told with the line to add, and that line lets credentials in",
            arguments: droppingChains)
        func droppingInput(_ chain: (make: String, message: String, tool: String)) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try lab.host.require(["sh", "-c", chain.make])
            let apply = ["apply", "--mode", "bridge", "--persist", "none", "--backend", "nftables"]
            let applied = try lab.netsetup(apply)
            #expect(applied.status == 0)
            #expect(try !lab.container.reach(Laboratory.credentials, port: 80).isAnswered)
            let note = try #require(
                applied.errors.split(separator: "\n").first { $0.contains(chain.message) }, "\(applied.errors)")
            let command = try #require(note.split(separator: "add, if it is not there: ").last)
            let words = command.split(separator: " ", maxSplits: 1)
            try lab.host.require(["sh", "-c", "\(chain.tool) \(words[1])"])
            #expect(try lab.container.reach(Laboratory.credentials, port: 80) == .answered("agent"))
            #expect(try lab.netsetup(apply).output.hasPrefix("nothing to do"), "the operator's rule is the operator's")
        }
    }
}
