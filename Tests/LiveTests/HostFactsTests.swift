import Laboratory
import TestSupport
import Testing

extension Live {
    /// What verify says of the agent, the bridges and the audit log of hosts on which only that is wrong.
    @Suite struct HostFactsTests {
        private let lab: Laboratory.Bare

        init() throws { lab = try Laboratory.Bare(hasAgent: false) }

        private static let mode = ["--mode", "bridge", "--backend", "nftables"]

        private func apply(_ options: [String] = []) throws {
            try lab.requireNetsetup(["apply"] + Self.mode + options + ["--persist", "none"])
        }

        private func verify(_ options: [String] = []) throws -> ProgramResult {
            try lab.netsetup(["verify"] + Self.mode + options + ["--persist", "none"])
        }

        /// The lines of checks that did not pass, without the blanks between their columns.
        private func faults(_ result: ProgramResult) -> [String] {
            result.output.split(separator: "\n").filter { line in
                ["FAIL", "??", "skip"].contains { line.hasPrefix($0) }
            }.map { $0.split(separator: " ").joined(separator: " ") }
        }

        private func credentials(_ behaviour: Service.Behaviour) throws -> Service {
            try Service("agent", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort, behaviour)
        }

        private func introspection(_ behaviour: Service.Behaviour = .introspection()) throws -> Service {
            try Service(
                "introspection", in: lab.host, on: ["127.0.0.1"], port: Laboratory.introspectionPort, behaviour)
        }

        // MARK: The agent

        @Test("an agent that answers as it should: nothing to say")
        func healthy() throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            try apply()
            let result = try verify()
            #expect(result.status == 0 && faults(result) == [], "\(result.output)")
            #expect(result.output.contains("1.105.1"))
        }

        @Test("no agent: the listener fails, and what follows from that is skipped")
        func none() throws {
            try apply()
            let result = try verify()
            #expect(result.status == 1)
            #expect(
                faults(result) == [
                    "skip ECS-NET-021 configuration that the agent runs with no agent runs",
                    "skip ECS-NET-022 version of the agent nobody answers on port 51678, as the agent does not",
                    "FAIL ECS-NET-023 agent on 127.0.0.1:51679 nobody listens",
                ])
        }

        @Test(
            "something else on the agent's port is named",
            arguments: [
                (.introspection(), "introspection answers there, not the credentials endpoint"),
                (.silence, "accepts no connection or gives no answer within 500 ms"),
                (.bytes([]), "hangs up without an answer"),
                (.answer(status: "404 Not Found"), "something else answers: HTTP/1.1 404 Not Found"),
                (.bytes(Array("SSH-2.0-\u{1b}[31mOpenSSH\r\n".utf8)), "something else answers: SSH-2.0-?[31mOpenSSH"),
                (.trickle, "accepts no connection or gives no answer within 500 ms"),
            ] as [(Service.Behaviour, String)])
        func wrongListener(_ behaviour: Service.Behaviour, _ evidence: String) throws {
            let services = [try credentials(behaviour), try introspection()]
            defer { services.forEach { $0.stop() } }
            try apply()
            let result = try verify()
            #expect(result.status == 1)
            #expect(faults(result) == ["FAIL ECS-NET-023 agent on 127.0.0.1:51679 \(evidence)"])
            #expect(result.wallTime < Sanitizer.limit(1.5))
        }

        @Test("an agent that is too old fails, and one that does not say leaves it undecided")
        func version() throws {
            let agent = try credentials(.credentials())
            defer { agent.stop() }
            try apply()
            let silent = try verify()
            #expect(silent.status == 2)
            #expect(
                faults(silent) == [
                    "?? ECS-NET-022 version of the agent nobody answers on port 51678; mode bridge needs 1.11.0 or later"
                ])
            let old = try introspection(.introspection(version: "v1.10.0"))
            let result = try verify()
            old.stop()
            #expect(result.status == 1)
            #expect(
                faults(result) == [
                    "FAIL ECS-NET-022 version of the agent is 1.10.0, and mode bridge needs 1.11.0 or later"
                ])
        }

        @Test("a configuration that is younger than the agent wants a restart")
        func restart() throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            try lab.requireNetsetup(["apply"] + Self.mode)
            let result = try lab.netsetup(["verify"])
            #expect(result.status == 1)
            let faults = faults(result)
            #expect(faults.count == 1, "\(result.output)")
            #expect(
                faults.first?.hasPrefix("FAIL ECS-NET-021 configuration that the agent runs with started ") == true)
            #expect(faults.first?.contains("/etc/ecs/ecs.config was changed ") == true)
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify"]).status == 0)
        }

        // MARK: Bridges

        private static let networks = """
            [{"Name":"shop","Id":"0123456789abcdef0123","Driver":"bridge","Options":{}},
             {"Name":"lan","Id":"ffffffffffffffffffff","Driver":"bridge","Options":{"com.docker.network.bridge.name":"lan0"}}]
            """

        private func addBridges() throws {
            for bridge in ["docker0", "br-0123456789ab", "lan0", "virbr0"] {
                try lab.host.require(["ip", "link", "add", bridge, "type", "bridge"])
            }
        }

        @Test("bridges that no pattern covers fail, with Docker's names for them, and the command covers them")
        func bridges() throws {
            let services = [
                try credentials(.credentials()), try introspection(),
                try Service("docker", in: lab.host, onSocket: "/run/docker.sock", .answer(body: Self.networks)),
            ]
            defer { services.forEach { $0.stop() } }
            try addBridges()
            try apply()
            let result = try verify()
            #expect(result.status == 1)
            #expect(
                faults(result) == [
                    #"FAIL ECS-NET-015 br-0123456789ab no pattern covers it (Docker network "shop")"#,
                    #"FAIL ECS-NET-015 lan0 no pattern covers it (Docker network "lan")"#,
                ])
            let line = try #require(result.output.split(separator: "\n").first { $0.contains("to mend: ") })
            let words = line.split(separator: " ").map(String.init)
            let command = words.drop { $0 != "apply" }
            #expect(Array(command.suffix(2)) == ["--bridge-interface", "docker+,br-+,lan0"])
            try lab.requireNetsetup(Array(command))
            #expect(try verify(Array(command.suffix(2))).status == 0)
        }

        @Test("an engine that does not answer costs no more than half a second")
        func silentDocker() throws {
            let services = [
                try credentials(.credentials()), try introspection(),
                try Service("docker", in: lab.host, onSocket: "/run/docker.sock", .silence),
            ]
            defer { services.forEach { $0.stop() } }
            try addBridges()
            try apply()
            let result = try verify()
            #expect(
                faults(result) == [
                    "FAIL ECS-NET-015 br-0123456789ab no pattern covers it",
                    "?? ECS-NET-015 bridges of containers Docker does not tell whether it is its own: lan0, virbr0",
                ])
            #expect(result.wallTime < Sanitizer.limit(1.5))
        }

        @Test("without an engine to ask, a bridge of no known name is undecided", arguments: [true, false])
        func noDocker(isStopped: Bool) throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            // The socket of an engine that was stopped stays.
            if isStopped {
                try Service("docker", in: lab.host, onSocket: "/run/docker.sock", .silence).stop()
                try lab.host.require(["test", "-S", "/run/docker.sock"])
            }
            try lab.host.require(["ip", "link", "add", "lan0", "type", "bridge"])
            try apply()
            let result = try verify()
            #expect(result.status == 2, "\(result.output)")
            #expect(result.output.contains("Docker does not tell whether it is its own: lan0"), "\(result.output)")
        }

        // MARK: The audit log

        private func log(_ name: String, _ lines: [String]) throws {
            try lab.host.require(
                ["sh", "-c", "mkdir -p /var/log/ecs && cat > /var/log/ecs/\(name)"],
                input: lines.map { $0 + "\n" }.joined())
        }

        private static func line(_ time: String, _ code: Int, task: Int?) -> String {
            let arn = task.map { "arn:aws:ecs:eu-west-1:1:task/default/\($0)" } ?? "-"
            let head = "\(time) \(code) 172.17.0.2:40000 \"/v2/credentials/ab\" \"a \"client\" of \(code)\" \(arn)"
            return code < 400 ? head + " GetCredentials 2 default arn:aws:ecs:eu-west-1:1:container-instance/x" : head
        }

        @Test("the audit log is read under both kinds of names, and its figures are told")
        func auditLog() throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            try apply()
            #expect(try verify().output.contains("no credentials were asked for yet"))
            try log("audit.log.2031-11-25-03", [Self.line("2031-11-25T03:00:00Z", 200, task: 1)])
            try log(
                "audit.log",
                [
                    Self.line("2031-11-25T04:00:00Z", 200, task: 2), Self.line("2031-11-25T04:59:21Z", 400, task: nil),
                    "what is this",
                ])
            let result = try verify()
            #expect(result.status == 0)
            #expect(
                result.output.contains(
                    "last asked 2031-11-25T04:59:21Z, 3 requests by 2 tasks, 1 failed, 1 line that is not understood"))
            let json = try verify(["--format", "json"]).output
            for member in [
                #""since": "2031-11-25T03:00:00Z""#, #""last_asked": "2031-11-25T04:59:21Z""#,
                #""last_granted": "2031-11-25T04:00:00Z""#, #""requests": 3"#, #""failed": 1"#, #""tasks": 2"#,
                #""not_understood": 1"#,
            ] { #expect(json.contains(member), "\(member)") }
        }

        @Test("an agent that grants nothing any more fails")
        func refusing() throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            try apply()
            try log("audit.log", [Self.line("2031-11-25T04:00:00Z", 400, task: nil)])
            let result = try verify()
            #expect(result.status == 1)
            #expect(
                faults(result) == [
                    "FAIL ECS-NET-024 use of credentials last asked 2031-11-25T04:00:00Z, 1 request by 0 tasks, 1 failed, none granted lately"
                ])
        }

        @Test("a log that is no file is none, and binary ones leave it undecided")
        func strangeLogs() throws {
            let services = [try credentials(.credentials()), try introspection()]
            defer { services.forEach { $0.stop() } }
            try apply()
            try lab.host.require(["mkdir", "-p", "/var/log/ecs/audit.log.1"])
            try lab.host.require(["mkfifo", "/var/log/ecs/audit.log"])
            #expect(try verify().status == 0)
            try lab.host.require(["sh", "-c", "head -c 50000000 /dev/urandom > /var/log/ecs/audit.log.2"])
            let result = try verify()
            #expect(result.status == 2)
            #expect(faults(result).first?.hasPrefix("?? ECS-NET-024") == true, "\(result.output)")
        }
    }
}
