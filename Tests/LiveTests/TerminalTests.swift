import Laboratory
import TestSupport
import Testing

extension Live {
    /// What others planted for an operator's terminal is shown, and not sent there.
    @Suite struct TerminalTests {
        /// Clears the screen, sets the window's title, and turns the direction of the text around.
        private static let hostile = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{7f}"
        /// How it is shown.
        private static let shown = #"\x1b[2J\x1b]0;x\x07\x9b31m\u202e\x7f"#

        /// Runs ecs-netsetup, and looks at each of its bytes.
        private func expectShown(_ lab: Laboratory.Bare, _ arguments: [String], _ source: Testing.SourceLocation) throws
        {
            // What has nothing to choose has no evidence either.
            let arguments = arguments + (arguments[0] == "status" ? [] : ["--verbose"])
            let told = try lab.netsetup(arguments + ["--color", "never"])
            let text = told.output + told.errors
            #expect(text.contains(Self.shown), "\(arguments): \(text.debugDescription)", sourceLocation: source)
            expectPlain(text, source)
            // With colours, nothing but theirs is let through.
            let colored = try lab.netsetup(arguments + ["--color", "always"])
            let own = (colored.output + colored.errors).replacing(/\u{1b}\[[0-9]{1,2}m/, with: "")
            expectPlain(own, source)
        }

        private func expectPlain(_ text: String, _ source: Testing.SourceLocation) {
            let bad = text.unicodeScalars.filter { scalar in
                let isBidi = (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
                return scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7f...0x9f).contains(scalar.value)
                    || isBidi
            }
            #expect(bad.isEmpty, "\(text.debugDescription)", sourceLocation: source)
        }

        @Test("of the agent's configuration")
        func agentConfiguration() throws {
            let lab = try Laboratory.Bare()
            try lab.host.require(["mkdir", "-p", "/etc/ecs"])
            let line = "ECS_ENABLE_TASK_IAM_ROLE=\(Self.hostile)\n"
            try lab.host.require(["tee", "/etc/ecs/ecs.config"], input: line)
            try expectShown(lab, ["diff", "--mode", "bridge"], #_sourceLocation)
        }

        @Test("of the settings")
        func settings() throws {
            let lab = try Laboratory.Bare()
            try lab.host.require(["tee", "/etc/ecs-netsetup.conf"], input: "MODE=\(Self.hostile)\n")
            try expectShown(lab, ["verify"], #_sourceLocation)
        }

        @Test("of an argument and of a file's name")
        func arguments() throws {
            let lab = try Laboratory.Bare()
            try expectShown(lab, ["diff", "--mode", Self.hostile], #_sourceLocation)
            try expectShown(lab, ["diff", "--mode", "bridge", "--root", "/\(Self.hostile)"], #_sourceLocation)
            let forged = try lab.netsetup(["diff", "--mode", "a\necs-netsetup: all is well"])
            #expect(forged.errors.split(separator: "\n").count == 1, "\(forged.errors)")
        }

        @Test("of a rules file")
        func rulesFile() throws {
            let lab = try Laboratory.Bare()
            let root = try FixtureRoot()
            try root.write("ID=\"amzn\"\nVERSION_ID=\"2\"\n", to: "/etc/os-release")
            try root.write("program", to: "/usr/lib/systemd/systemd")
            try root.makeFolder("/var/lib")
            for name in ["iptables", "ip6tables"] {
                try root.write("[Install]\nWantedBy=basic.target\n", to: "/usr/lib/systemd/system/\(name).service")
                try root.write("", to: "/etc/systemd/system/basic.target.wants/\(name).service")
                try root.write("*filter\n-A INPUT \(Self.hostile)\nCOMMIT\n", to: "/etc/sysconfig/\(name)")
            }
            try expectShown(lab, ["diff", "--mode", "bridge", "--root", root.path], #_sourceLocation)
            let verify = ["verify", "--mode", "bridge", "--root", root.path]
            try expectShown(lab, verify, #_sourceLocation)
            for format in ["json", "sarif", "junit", "tap", "prometheus"] {
                let told = try lab.netsetup(verify + ["--format", format])
                expectPlain(told.output + told.errors, #_sourceLocation)
            }
        }

        @Test("of a live rule's comment, and of captured rules", arguments: ["status", "diff", "verify"])
        func comment(_ command: String) throws {
            let lab = try Laboratory.Bare()
            let options = command == "status" ? [] : ["--mode", "bridge", "--persist", "none"]
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--persist", "none", "--backend", "nftables"])
            let rule = "add rule inet ecs-netsetup input counter comment \"ecs-netsetup: \(Self.hostile)\"\n"
            try lab.host.require(["nft", "-f", "-"], input: rule)
            try expectShown(lab, [command] + options, #_sourceLocation)
            if command != "diff" { return }
            let root = try FixtureRoot()
            try root.write(try lab.host.require(["nft", "-j", "list", "ruleset"]), to: "/captured")
            let offline = options + ["--ruleset", root.path + "/captured", "--backend", "nftables"]
            try expectShown(lab, ["diff"] + offline, #_sourceLocation)
        }
    }
}
