import Laboratory
import Testing

extension Live {
    /// Whatever fails, and whoever else is at work: no route_localnet without the guard, and no lie about the outcome.
    @Suite struct FaultTests {
        private func isSafe(_ lab: Laboratory.Bare) throws -> Bool {
            let isRaised = try lab.host.readSysctl("ipv4/conf/all/route_localnet") != "0"
            return try !isRaised || lab.netsetup(["status"]).output.contains("localhost guard")
        }

        private func trace(_ options: [String], _ arguments: [String], on lab: Laboratory.Bare) throws -> ProgramResult
        {
            try lab.host.execute(["strace", "-qq", "-o", "/dev/null"] + options + [Tool.path] + arguments)
        }

        @Test("a lost answer of nf_tables is looked up, whatever the error and at whatever call", arguments: 1...40)
        func lostAnswer(_ call: Int) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            let result = try trace(["-e", "inject=recvmsg:error=ENOMEM:when=\(call)"], ["remove"], on: lab)
            #expect(try isSafe(lab), "\(result.status): \(result.errors)")
            if result.errors.contains("nothing was changed") {
                try lab.host.restartAgent()
                #expect(try lab.netsetup(["verify", "--mode", "bridge"]).status == 0, "\(result.errors)")
            }
            try lab.requireNetsetup(["apply", "--mode", "bridge"])
            try lab.requireNetsetup(["remove"])
        }

        @Test("a batch with more answers than the socket holds, at once and without waiting")
        func manyAnswers() throws {
            let lab = try Laboratory.Bare()
            let patterns = (0..<300).flatMap { ["--bridge-interface", "br\($0)"] }
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--wait", "0"] + patterns)
            try lab.requireNetsetup(["apply", "--mode", "host", "--wait", "0"])
            #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        /// What the kernel answers, and what then must be told.
        struct Refusal: Sendable, CustomTestStringConvertible {
            let fault: String
            let message: String
            var testDescription: String { fault }
        }

        @Test(
            "a route_localnet that cannot be opened or refuses the value: nothing is left",
            arguments: [
                Refusal(fault: "openat:error=EROFS:when=1", message: "nothing was changed"),
                Refusal(fault: "write:error=EINVAL:when=1", message: "what was done before was undone"),
            ], Backend.allCases)
        func refusedParameter(_ refusal: Refusal, _ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let options = ["-P", "/proc/sys/net/ipv4/conf/all/route_localnet", "-e", "inject=\(refusal.fault)"]
            let result = try trace(options, ["apply", "--mode", "bridge", "--backend", backend.rawValue], on: lab)
            #expect(result.status == 2)
            #expect(result.errors.contains(refusal.message), "\(result.errors)")
            #expect(try lab.netsetup(["status"]).output.contains("no rule of ecs-netsetup"))
            #expect(try lab.host.require(["find", "/var/lib", "-type", "f"]) == "")
            #expect(try lab.host.execute(["ls", "/etc/ecs-netsetup.conf"]).status != 0)
        }

        @Test(
            "when the parameter can be neither read nor lowered again, the guard and the record stay",
            arguments: Backend.allCases)
        func undoFails(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let parameter = "/proc/sys/net/ipv4/conf/all/route_localnet"
            // Read by its name in a folder, written by its path.
            let options = ["-P", parameter, "-P", "route_localnet", "-e", "inject=openat:error=EMFILE:when=3..9"]
            let result = try trace(options, ["apply", "--mode", "bridge", "--backend", backend.rawValue], on: lab)
            #expect(result.status == 2)
            #expect(result.errors.contains("undoing failed too"), "\(result.errors)")
            #expect(try isSafe(lab))
            try lab.requireNetsetup(["remove"])
            #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test(
            "moving the IMDS rule between legacy tables never leaves it in neither", arguments: ["early", "documented"])
        func placement(_ from: String) throws {
            let lab = try Laboratory.Bare()
            let apply = ["apply", "--mode", "bridge", "--backend", "iptables", "--imds-placement"]
            let other = from == "early" ? "documented" : "early"
            for call in 1...12 {
                try lab.requireNetsetup(apply + [from])
                _ = try trace(["-e", "inject=setsockopt:signal=KILL:when=\(call)"], apply + [other], on: lab)
                let rules = try lab.host.require(["iptables-legacy-save"])
                #expect(rules.contains("169.254.169.254/32"), "killed at call \(call)")
            }
        }

        @Test("a legacy table that changes whenever it is read: verify ends after --wait, and says so")
        func everChanging() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "iptables"])
            // The size is told, and is another when the entries are read.
            let options = ["-e", "inject=getsockopt:error=EAGAIN:when=2+2"]
            let result = try trace(options, ["verify", "--wait", "1"], on: lab)
            #expect(result.status == 2 && result.wallTime < 30, "\(result.wallTime) s")
            #expect(result.errors.contains("was changed whenever it was read"), "\(result.errors)")
        }

        @Test("two instances at once: the earlier value is never lost", arguments: Backend.allCases)
        func twoInstances(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let script = """
                for i in $(seq 40); do
                  \(Tool.path) apply --mode bridge --backend \(backend) -q & a=$!
                  \(Tool.path) remove -q & wait $! || exit 3
                  wait $a || exit 4
                  \(Tool.path) apply --mode bridge -q && \(Tool.path) remove -q || exit 5
                  [ "$(cat /proc/sys/net/ipv4/conf/all/route_localnet)" = 0 ] || exit 6
                done
                """
            let result = try lab.host.execute(["sh", "-c", script])
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("typed line by line, diff leads to the desired host", arguments: Backend.allCases)
        func typedDiff(_ backend: Backend) throws {
            let starts = [
                "--bridge-interface br-+ --bridge-interface docker+", "--imds-placement documented", "--allow-imds",
            ]
            let goals = [
                "--bridge-interface docker+ --bridge-interface br-+",
                "--imds-placement documented --imds-action reject",
                "--allow-offhost-introspection",
            ]
            for (start, goal) in starts.flatMap({ start in goals.map { (start, $0) } }) {
                let lab = try Laboratory.Bare()
                let words = { (text: String) in
                    ["--mode", "bridge", "--persist", "none", "--backend", backend.rawValue]
                        + text.split(separator: " ").map(String.init)
                }
                try lab.requireNetsetup(["apply"] + words(start))
                let printed = try lab.netsetup(["diff", "--color", "never"] + words(goal)).output
                for line in printed.split(separator: "\n") where ["+ ", "- ", "~ "].contains(line.prefix(2)) {
                    let command = line.dropFirst(2).split(separator: "tables -t").joined(separator: "tables-legacy -t")
                    try lab.host.require(["sh", "-c", command])
                }
                let verified = try lab.netsetup(["verify"] + words(goal))
                #expect(verified.status == 0, "\(start) to \(goal): \(printed)\(verified.output)")
            }
        }
    }
}
