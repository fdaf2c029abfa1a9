import Laboratory
import Model
import TestSupport
import Testing

@testable import Planning

extension Live {
    /// What is written to disk, read by the tools that read it at boot.
    @Suite struct RestoreTests {
        private static let families = ["ip", "ip6"]

        /// The rules of every live legacy table, without counters and comments.
        private func rules(_ host: Namespace, _ family: String) throws -> [String] {
            try host.require(["\(family)tables-legacy-save"]).split(separator: "\n").map(String.init).filter {
                $0.hasPrefix("-A") || $0.hasPrefix("*")
            }
        }

        /// A host that saves its rules, Docker's among them, and restores them at boot by a legacy iptables.
        private func image(savedBy host: Namespace) throws -> FixtureRoot {
            let root = try FixtureRoot()
            try root.write("ID=\"amzn\"\nVERSION_ID=\"2\"\n", to: "/etc/os-release")
            try root.write("program", to: "/usr/lib/systemd/systemd")
            try root.makeFolder("/etc/systemd/system/basic.target.wants")
            try root.makeFolder("/var/lib")
            for name in ["iptables", "ip6tables"] {
                try root.write("[Install]\nWantedBy=basic.target\n", to: "/usr/lib/systemd/system/\(name).service")
                try root.write("", to: "/etc/systemd/system/basic.target.wants/\(name).service")
                try root.write(try host.require(["\(name)-legacy-save", "-c"]), to: "/etc/sysconfig/\(name)")
            }
            return root
        }

        private func apply(_ root: FixtureRoot, _ options: [String]) throws {
            let result = try Machine.execute([Tool.path, "apply", "--root", root.path] + options)
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test(
            "iptables-legacy-restore of our rules file gives the live rules, with everybody else's intact",
            arguments: [
                "--mode bridge", "--mode host", "--mode awsvpc",
                "--mode bridge,host,awsvpc --bridge-interface docker+,br-+ --imds-placement documented --imds-action reject",
            ])
        func restore(_ line: String) throws {
            let options = line.split(separator: " ").map(String.init)
            let live = try Laboratory.Bare()
            for (family, text) in [("ip", ForeignRules.ipv4), ("ip6", ForeignRules.ipv6)] {
                try live.host.require(["\(family)tables-legacy-restore"], input: text)
            }
            let root = try image(savedBy: live.host)
            try apply(root, options)
            try live.requireNetsetup(["apply", "--backend", "iptables", "--persist", "none"] + options)
            let rebooted = try Laboratory.Bare()
            for family in Self.families {
                let file = try #require(root.read("/etc/sysconfig/\(family)tables"))
                try rebooted.host.require(["\(family)tables-legacy-restore", "-c"], input: file)
                #expect(try rules(rebooted.host, family).sorted() == rules(live.host, family).sorted())
            }
            try rebooted.host.writeSysctl(
                "ipv4/conf/all/route_localnet", root.exists("/etc/sysctl.d/90-ecs-netsetup.conf") ? "1" : "0")
            let verified = try rebooted.netsetup(["verify", "--backend", "iptables", "--persist", "none"] + options)
            #expect(verified.status == 0, "ours come first: \(verified.output)")
        }

        @Test("a file that somebody saved with our live rules in it is as good as ours, and is left as it is")
        func savedOver() throws {
            let live = try Laboratory.Bare()
            try live.host.require(["iptables-legacy-restore"], input: ForeignRules.ipv4)
            try live.host.require(["ip6tables-legacy-restore"], input: ForeignRules.ipv6)
            try live.requireNetsetup(["apply", "--mode", "bridge", "--backend", "iptables", "--persist", "none"])
            let root = try image(savedBy: live.host)
            let before = root.read("/etc/sysconfig/iptables")
            try apply(root, ["--mode", "bridge"])
            #expect(root.read("/etc/sysconfig/iptables") == before)
            #expect(try Machine.execute([Tool.path, "remove", "--root", root.path]).status == 0)
            let after = try #require(root.read("/etc/sysconfig/iptables"))
            #expect(!after.contains("ecs-netsetup"))
            let restored = try Laboratory.Bare()
            try restored.host.require(["iptables-legacy-restore"], input: after)
            #expect(try rules(restored.host, "ip").contains { $0.contains("DOCKER-USER") })
        }

        @Test("iptables-legacy-restore and we take and refuse the same lines")
        func grammar() throws {
            let host = try Namespace("host", hasMounts: true)
            for family in Self.families {
                /// What comes of restoring a file, and whether its last table was restored: a chain of ours is gone then.
                func restore(_ file: [UInt8]) throws -> (status: CInt, isDone: Bool, errors: String) {
                    for table in ["filter", "nat", "mangle", "raw", "security"] {
                        try host.require(
                            ["\(family)tables-legacy-restore"], input: "*\(table)\n:before - [0:0]\nCOMMIT\n")
                    }
                    let result = try host.execute(
                        ["\(family)tables-legacy-restore"], input: String(decoding: file, as: UTF8.self))
                    let saved = try host.require(["\(family)tables-legacy-save"])
                    return (result.status, saved.split(separator: ":before -").count < 6, result.errors)
                }
                for this in RestoreLines.taken {
                    let real = try restore(this.file)
                    #expect(real.status == 0 && real.isDone, "\(family): \(this): \(real.errors)")
                    #expect(throws: Never.self, "\(family)") { try RulesFile(this.file, path: "rules") }
                }
                for this in RestoreLines.refused {
                    let real = try restore(this.file)
                    #expect(real.status != 0 && !real.isDone, "\(family): \(this): \(real.errors)")
                    #expect(throws: Failure.self, "\(family)") { try RulesFile(this.file, path: "rules") }
                }
                for line in RestoreLines.ending {
                    let real = try restore(RestoreLines.Taken(line).file)
                    #expect(real.status == 0 && !real.isDone, "\(family): \(line)")
                }
            }
        }

        @Test(
            "the sysctl file is read by sysctl and by systemd-sysctl",
            arguments: ["sysctl -p", "/usr/lib/systemd/systemd-sysctl"])
        func sysctl(_ reader: String) throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
            let words = reader.split(separator: " ").map(String.init)
            try host.lab.host.require(words + ["/etc/sysctl.d/90-ecs-netsetup.conf"])
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1")
        }

        @Test("systemd-analyze finds nothing wrong with the unit, and its exposure is at most 3.0")
        func unit() throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            let unit = "/etc/systemd/system/ecs-netsetup.service"
            let verified = try host.lab.host.execute([
                "systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", unit,
            ])
            #expect(verified.status == 0 && verified.errors == "", "\(verified.errors)")
            let security = try host.lab.host.execute([
                "systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit,
            ])
            #expect(security.status == 0, "\(security.output.suffix(300))")
            print(security.output.split(separator: "\n").last.map(String.init) ?? "")
        }
    }
}
