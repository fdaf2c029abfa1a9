import FoundationEssentials
import Laboratory
import TestSupport
import Testing

extension Fleet {
    /// The documents in `packaging/ssm`, run as the agent runs them. Nothing here talks to AWS.
    @Suite("AWS Systems Manager") struct SystemsManagerTests {
        private static let apply = "packaging/ssm/ecs-netsetup-apply.yaml"
        private static let verify = "packaging/ssm/ecs-netsetup-verify.yaml"

        /// A host that has the program where an administrator of its own puts it.
        private static func host() throws -> Laboratory.Bare {
            let lab = try Laboratory.Bare()
            try lab.host.require(["mount", "-t", "tmpfs", "tmpfs", "/usr/local/sbin"])
            try lab.host.require(["install", Tool.path, "/usr/local/sbin/ecs-netsetup"])
            return lab
        }

        @Test("its shape is the published one, and every parameter is used", arguments: [apply, verify])
        func shape(_ file: String) throws {
            let document = try CommandDocument(file)
            var script = document.mainSteps[0].inputs.runCommand.joined(separator: "\n")
            for (name, parameter) in document.parameters {
                #expect(script.contains("'{{ \(name) }}'"), "\(name) is not used, or not quoted")
                script.replace("'{{ \(name) }}'", with: "")
                if let value = parameter.default { #expect(try parameter.admits(value), "\(name)") }
                // With a quote or a line break, a value would not stay one.
                if let values = parameter.allowedValues { #expect(!values.joined().contains { "'\n".contains($0) }) }
            }
            #expect(!script.contains("{{"), "\(script)")
        }

        @Test("apply and verify end as the program does")
        func run() throws {
            let apply = try CommandDocument(Self.apply)
            let verify = try CommandDocument(Self.verify)
            let lab = try Self.host()
            #expect(try verify.run(on: lab.host).status == 64)
            let values = ["Mode": "bridge,host", "BridgeInterface": "docker+,br-+", "ImdsAction": "reject"]
            #expect(try apply.refused(values) == [])
            for answer in ["changes made and read back", "nothing to do"] {
                let applied = try apply.run(on: lab.host, values)
                #expect(applied.status == 0 && applied.output.contains(answer), "\(applied.output)\(applied.errors)")
            }
            try lab.host.restartAgent()
            let settings = try lab.host.require(["cat", "/etc/ecs-netsetup.conf"])
            for (name, value) in ["MODE": "bridge,host", "BRIDGE_INTERFACE": "docker+,br-+", "IMDS_ACTION": "reject"] {
                #expect(settings.contains("\n\(name)=\(value)\n"), "\(settings)")
            }
            let verified = try verify.run(on: lab.host)
            #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
            // There is no bridge to send packets from.
            let probed = try verify.run(on: lab.host, ["Probe": "true"])
            #expect(probed.status == 2 && probed.output.contains("ECS-NET-026"), "\(probed.output)\(probed.errors)")
            try lab.host.require(["nft", "flush", "chain", "inet", "ecs-netsetup", "forward"])
            let failed = try verify.run(on: lab.host)
            #expect(failed.status == 1 && failed.output.contains("FAIL  ECS-NET-006"), "\(failed.output)")
            try lab.host.require(["sh", "-c", "echo MODE=brigde > /etc/ecs-netsetup.conf"])
            let wrong = try verify.run(on: lab.host)
            #expect(wrong.status == 64 && wrong.errors.contains("brigde"), "\(wrong.errors)")
        }

        @Test("every parameter of apply reaches the program")
        func parameters() throws {
            let document = try CommandDocument(Self.apply)
            let values = [
                "Mode": "awsvpc", "BridgeInterface": "br-+", "ImdsPlacement": "documented", "ImdsAction": "reject",
                "AllowImds": "true", "AllowOffhostIntrospection": "true", "NoLocalhostGuard": "true",
                "Backend": "iptables", "Persist": "none", "RestartAgent": "false",
            ]
            #expect(Set(values.keys) == Set(document.parameters.keys))
            #expect(try document.refused(values) == [])
            let lab = try Laboratory.Bare()
            try lab.host.require(["mount", "-t", "tmpfs", "tmpfs", "/usr/local/sbin"])
            let echo = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"
            try lab.host.require(
                ["install", "-m", "755", "/dev/stdin", "/usr/local/sbin/ecs-netsetup"], input: echo)
            let words = """
                apply
                --mode=awsvpc
                --bridge-interface=br-+
                --imds-placement=documented
                --imds-action=reject
                --allow-imds=true
                --allow-offhost-introspection=true
                --no-localhost-guard=true
                --backend=iptables
                --persist=none

                """
            #expect(try document.run(on: lab.host, values).output == words)
            let others = try document.run(on: lab.host, ["Mode": "bridge"]).output.split(separator: "\n")
            #expect(others.last == "--restart-agent", "\(others)")
        }

        @Test("no value becomes a command", arguments: [apply, verify])
        func injection(_ file: String) throws {
            let document = try CommandDocument(file)
            let command = "touch /run/owned"
            let hostile = [
                "bridge'$(\(command))'", "bridge'; \(command); '", "'\n\(command)\n'", "bridge\n\(command)",
                "$(\(command))", "`\(command)`",
                "bridge;\(command)", "docker+' || \(command) #", "{{ Mode }}", "", "-x", "bridge --root=/x", "*",
            ]
            for name in document.parameters.keys {
                for value in hostile {
                    #expect(try document.refused([name: value]) == [name], "\(name) takes \(value)")
                }
            }
            // Without the patterns and the lists, one of them would: it is they that keep it out.
            let lab = try Self.host()
            for name in document.parameters.keys {
                var values = ["Mode": "bridge"]
                values[name] = hostile[0]
                _ = try document.run(on: lab.host, values)
                #expect(try lab.host.execute(["rm", "/run/owned"]).status == 0, "\(name) proves nothing")
            }
        }

        /// A call that the AWS command line sent.
        private struct Call: Decodable {
            struct Given: Decodable {
                let content: String?
                let documentType: String?
                let documentName: String?
                let parameters: [String: [String]]?

                private enum CodingKeys: String, CodingKey {
                    case content = "Content"
                    case documentType = "DocumentType"
                    case documentName = "DocumentName"
                    case parameters = "Parameters"
                }
            }
            let call: String
            let given: Given
        }

        /// What the AWS command line sends when it is run as `docs/fleet.md` has it.
        private func calls(_ snippet: String) throws -> [Call] {
            let root = try FixtureRoot()
            let script = "\(Fleet.repository)/Tests/FleetTests/aws.py"
            try root.write("#!/bin/sh\nexec '\(try Fleet.tool("python"))' '\(script)' \"$@\"\n", to: "/stubs/aws")
            _ = try Machine.execute(["chmod", "755", root.path + "/stubs/aws"])
            let lab = try Laboratory.Bare(hasAgent: false)
            let result = try lab.host.execute(
                [
                    "env", "-C", Fleet.repository, "bash", "-e", "-c",
                    try Documentation.snippet(snippet, of: "fleet.md"),
                ],
                environment: ["PATH=\(root.path)/stubs:/usr/bin:/bin"])
            guard result.status == 0 else { throw LaboratoryError("\(snippet): \(result.errors)") }
            return try result.output.split(separator: "\n").map {
                try JSONDecoder().decode(Call.self, from: Data($0.utf8))
            }
        }

        @Test("the AWS command line takes what stands in docs/fleet.md, and sends the documents and what they admit")
        func commandLine() throws {
            print("docs/fleet.md, aws: nothing is sent to AWS: the command line is run against a stand-in")
            let created = try calls("create-documents")
            #expect(created.map(\.call) == ["AmazonSSM.CreateDocument", "AmazonSSM.CreateDocument"])
            for (call, file) in zip(created, [Self.apply, Self.verify]) {
                #expect(call.given.documentType == "Command")
                #expect(call.given.content == (try Machine.execute(["cat", "\(Fleet.repository)/\(file)"]).output))
            }
            let sent = try calls("run-documents")
            #expect(sent.map(\.call) == ["AmazonSSM.SendCommand", "AmazonSSM.SendCommand"])
            #expect(sent.map(\.given.documentName) == ["EcsNetsetup-Apply", "EcsNetsetup-Verify"])
            let given = try #require(sent[0].given.parameters)
            // A String takes one value.
            #expect(given.values.allSatisfy { $0.count == 1 }, "\(given)")
            #expect(try CommandDocument(Self.apply).refused(given.compactMapValues(\.first)) == [])
        }
    }
}
