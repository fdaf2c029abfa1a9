import Laboratory
import TestSupport
import Testing

extension Live {
    /// What cannot be done is said clearly, with the right status, and changes nothing.
    @Suite struct BadInputTests {
        /// A command line, what its message must name, and the status.
        struct Refusal: Sendable, CustomTestStringConvertible {
            let arguments: String
            let message: String
            var testDescription: String { arguments }
        }

        private static let usage = [
            Refusal(
                arguments: "apply --mode brige",
                message: "--mode does not know 'brige'; it takes one of: bridge, host, awsvpc"),
            Refusal(arguments: "apply --mode bridge,", message: "empty entry"),
            Refusal(arguments: "apply --mode=", message: "--mode has an empty value"),
            Refusal(arguments: "apply", message: "apply needs --mode"),
            Refusal(
                arguments: "apply --mode bridge --bridge-interface abcdefghijklmnop",
                message: "longer than 15 characters"),
            Refusal(arguments: "apply --mode bridge --bridge-interface docker/0", message: "has characters other than"),
            Refusal(arguments: "apply --mode bridge --bridge-interface +", message: "matches every interface"),
            Refusal(arguments: "apply --mode bridge --wait -1", message: "--wait does not take '-1'"),
            Refusal(arguments: "apply --mode bridge --wait soon", message: "--wait does not take 'soon'"),
            Refusal(
                arguments: "apply --mode bridge --modes host", message: "unknown option '--modes'; did you mean --mode?"
            ),
            Refusal(arguments: "aply --mode bridge", message: "unknown command 'aply'; did you mean apply?"),
            Refusal(arguments: "apply --mode bridge --persist cron", message: "--persist does not know 'cron'"),
            Refusal(
                arguments: "apply --mode bridge --backend iptables --imds-action reject",
                message: "--imds-action reject needs --imds-placement documented"),
        ]

        @Test("wrong usage: status 64, a message that says what is right, nothing changed", arguments: usage)
        func wrongUsage(_ refusal: Refusal) throws {
            let lab = try Laboratory.Bare()
            try expectRefusal(lab, refusal.arguments.split(separator: " ").map(String.init), 64, refusal.message)
        }

        @Test("--persist none is accepted and is what happens")
        func persistNone() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--persist", "none"])
            #expect(try lab.netsetup(["verify", "--mode", "bridge", "--persist", "none"]).status == 0)
            let files = try lab.host.require(["find", "/var/lib", "-type", "f"])
            #expect(files == "/var/lib/ecs-netsetup/earlier-values\n", "only the record of the earlier value")
        }

        @Test("without privileges: status 2, and the capability is named", arguments: Backend.allCases)
        func notRoot(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let program = try Self.programForEverybody(lab)
            // The legacy tables must exist for legacy iptables to be asked at all.
            try lab.host.require(["iptables-legacy", "-t", "mangle", "-S"])
            let before = try Witness.everything(lab)
            let result = try lab.host.execute(
                [
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "apply", "--mode", "bridge",
                    "--backend", backend.rawValue,
                ])
            #expect(result.status == 2)
            #expect(result.errors.contains("CAP_NET_ADMIN"), "\(result.errors)")
            #expect(result.output == "")
            #expect(try Witness.everything(lab) == before)
        }

        @Test("the xtables lock held past --wait: status 2, and the lock is named")
        func lockHeld() throws {
            let lab = try Laboratory.Bare()
            let holder = try lab.host.start(["flock", "/run/xtables.lock", "sleep", "60"])
            defer { holder.kill() }
            while try lab.host.execute(["flock", "-n", "/run/xtables.lock", "true"]).status == 0 {}
            let result = try expectRefusal(
                lab, ["apply", "--mode", "bridge", "--backend", "iptables", "--wait", "1"], 2, "/run/xtables.lock")
            #expect(result.errors.contains("--wait"))
            #expect((0.9...Sanitizer.limit(2.5)).contains(result.wallTime), "\(result.wallTime) s")
        }

        @Test("a table of our name with flags owner: status 2, its owner is named")
        func ownedTable() throws {
            let lab = try Laboratory.Bare()
            // nft owns the table as long as its interactive shell runs.
            let owner = try lab.host.start(
                ["sh", "-c", "(echo 'add table inet ecs-netsetup { flags owner; }'; sleep 60) | nft -i"])
            defer { owner.kill() }
            while try !lab.host.require(["nft", "list", "tables"]).contains("ecs-netsetup") {}
            try expectRefusal(
                lab, ["apply", "--mode", "bridge", "--backend", "nftables"], 2, "owned by another process (netlink port"
            )
            let verified = try lab.netsetup(["verify", "--mode", "bridge", "--backend", "nftables"])
            #expect(verified.status == 1)
        }

        @Test(
            "a rule in our table that we did not write: verify 1, apply and remove 2, nothing changed",
            arguments: [
                "ip saddr 10.1.1.1 limit rate 1/second accept", "meta mark 7 drop", "counter accept",
            ])
        func strangeRule(_ rule: String) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            try lab.host.require(
                ["nft", "insert", "rule", "inet", "ecs-netsetup", "forward"]
                    + rule.split(separator: " ").map(String.init))
            let verified = try lab.netsetup(["verify", "--mode", "bridge"])
            #expect(verified.status == 1)
            #expect(verified.output.contains("does not carry our mark"))
            try expectRefusal(
                lab, ["apply", "--mode", "bridge,host"], 2, "nft delete rule inet ecs-netsetup forward handle")
            try expectRefusal(lab, ["apply", "--mode", "bridge"], 2, "what is not ours is not touched")
            try expectRefusal(lab, ["remove"], 2, "what is not ours is not touched")
        }

        @Test("a rule of ours altered into something unknown is told and replaced")
        func alteredRule() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            try lab.host.require([
                "nft", "add", "rule", "inet", "ecs-netsetup", "forward",
                "ip daddr 169.254.169.254 limit rate 5/second counter drop comment \"ecs-netsetup: no IMDS for docker+\"",
            ])
            let verified = try lab.netsetup(["verify", "--mode", "bridge"])
            #expect(verified.status == 1)
            #expect(verified.output.contains("unknown expression 'limit'"), "\(verified.output)")
            try lab.requireNetsetup(["apply", "--mode", "bridge"])
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify", "--mode", "bridge"]).status == 0)
        }

        @Test("a kernel without the backend: status 2, and what to use instead")
        func missingBackend() throws {
            let lab = try Laboratory.Bare()
            let netlink = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=socket:error=EPROTONOSUPPORT"]
            let forced = try lab.host.execute(
                netlink + [Tool.path, "apply", "--mode", "bridge", "--backend", "nftables"])
            #expect(forced.status == 2)
            #expect(forced.errors.contains("--backend iptables"), "\(forced.errors)")
            // The revision is asked first, then the table.
            let getsockopt = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getsockopt:error=ENOPROTOOPT"]
            let legacy = try lab.host.execute(
                getsockopt + [Tool.path, "apply", "--mode", "bridge", "--backend", "iptables"])
            #expect(legacy.status == 2)
            #expect(legacy.errors.contains("--backend nftables"), "\(legacy.errors)")
            #expect(try lab.host.require(["nft", "list", "ruleset"]) == "")
            #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test("a read-only /proc/sys: status 2, it is said, no rule is left behind", arguments: Backend.allCases)
        func readOnlySysctl(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            try lab.host.require(["sh", "-c", "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"])
            try expectRefusal(
                lab, ["apply", "--mode", "bridge", "--backend", backend.rawValue], 2, "read-only file system")
        }

        /// The program must refuse, with nothing on standard output, and change nothing.
        @discardableResult
        private func expectRefusal(
            _ lab: Laboratory.Bare, _ arguments: [String], _ status: CInt, _ message: String
        ) throws -> ProgramResult {
            let before = try Witness.everything(lab)
            let result = try lab.netsetup(arguments)
            #expect(result.status == status, "\(result.output)\(result.errors)")
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(result.output == "")
            #expect(try Witness.everything(lab) == before)
            return result
        }

        /// A copy that another user may run: the build folder may be closed to others.
        private static func programForEverybody(_ lab: Laboratory.Bare) throws -> String {
            try lab.host.require(["install", "-m", "755", Tool.path, "/run/ecs-netsetup"])
            try lab.host.require(["chmod", "755", "/run"])
            return "/run/ecs-netsetup"
        }
    }
}

extension Witness {
    /// Every rule, kernel parameter and record of a bare host.
    static func everything(_ lab: Laboratory.Bare) throws -> String {
        let rules = try lab.host.require(["nft", "-a", "list", "ruleset"])
        let legacy = try KernelTable.all.map { "\(try KernelTable.entries($0, in: lab.host))" }.joined()
        let records = try lab.host.require(["find", "/var/lib", "-type", "f"])
        return try rules + legacy + records + lab.host.readSysctl("ipv4/conf/all/route_localnet")
    }
}
