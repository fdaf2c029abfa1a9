import Laboratory
import TestSupport
import Testing

extension Live {
    /// The running ECS agent: asked for its version, never waited for.
    @Suite struct AgentTests {
        private func apply(_ arguments: [String], on lab: Laboratory.Bare) throws -> ProgramResult {
            try lab.netsetup(["apply", "--persist", "none"] + arguments)
        }

        private func start(_ behaviour: Service.Behaviour, on lab: Laboratory.Bare) throws -> Service {
            try Service(
                "introspection", in: lab.host, on: ["127.0.0.1"], port: Laboratory.introspectionPort, behaviour)
        }

        /// A version, a mode, and whether they go together.
        struct Case: Sendable, CustomTestStringConvertible {
            let version: String
            let mode: String
            /// The least version, as the refusal must name it; nil where it is new enough.
            let needed: String?
            var testDescription: String { "\(version) for \(mode)" }
        }

        @Test(
            "an agent too old for the mode is refused with the version that it takes, and nothing is changed",
            arguments: [
                Case(version: "v1.105.1", mode: "bridge,host,awsvpc", needed: nil),
                Case(version: "v1.11.0", mode: "bridge", needed: nil),
                Case(version: "v1.10.9", mode: "bridge", needed: "1.11.0"),
                Case(version: "v1.11.1", mode: "bridge,host", needed: "1.12.0"),
                Case(version: "1.14.3", mode: "awsvpc", needed: "1.15.0"),
                Case(version: "v1.15.0", mode: "awsvpc,bridge", needed: nil),
            ])
        func version(_ this: Case) throws {
            let lab = try Laboratory.Bare(hasAgent: false)
            let agent = try start(.introspection(version: this.version), on: lab)
            defer { agent.stop() }
            let before = try Witness.everything(lab)
            let result = try apply(["--mode", this.mode], on: lab)
            #expect(agent.connections > 0)
            guard let needed = this.needed else {
                #expect(result.status == 0, "\(result.errors)")
                #expect(!result.errors.contains("ECS agent"), "\(result.errors)")
                return
            }
            #expect(result.status == 2)
            #expect(result.errors.contains("needs \(needed) or later"), "\(result.errors)")
            #expect(result.errors.contains("--force-old-agent"))
            #expect(try lab.netsetup(["diff", "--mode", this.mode]).status == 2)
            #expect(try Witness.everything(lab) == before)
            let forced = try apply(["--mode", this.mode, "--force-old-agent"], on: lab)
            #expect(forced.status == 0, "\(forced.errors)")
            #expect(forced.errors.contains("needs \(needed) or later"))
        }

        @Test("no agent is a note, and silent with --quiet")
        func none() throws {
            let lab = try Laboratory.Bare(hasAgent: false)
            let result = try apply(["--mode", "bridge"], on: lab)
            #expect(result.status == 0)
            #expect(result.errors.contains("note: no ECS agent answers on port 51678"), "\(result.errors)")
            let again = try apply(["--mode", "bridge", "--quiet"], on: lab)
            #expect(again.status == 0 && again.output == "" && again.errors == "")
        }

        private static let odd: [Service.Behaviour] = [
            .silence, .trickle, .bytes([]), .bytes([UInt8](repeating: 0, count: 300_000)),
            .bytes(Array("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:51678/v1/metadata\r\n\r\n".utf8)),
            .bytes(Array("HTTP/1.1 200 OK\r\n\r\n{\"Version\":\"Amazon ECS Agent - \"}".utf8)),
            .bytes(Array("HTTP/1.1 200 OK\r\n\r\n{\"Version\":[\"a\",\"b\"]}\"Version\"".utf8)),
            .answer(body: "{\"Version\":\"Amazon ECS Agent - v99999999999999999999.1 (x)\"}"),
            .answer(status: "500 Internal Server Error", body: "{\"Version\":\"Amazon ECS Agent - v0.1.0 (x)\"}"),
        ]

        @Test("an agent that answers nonsense, late or without end is a note, within a second", arguments: odd.indices)
        func nonsense(_ index: Int) throws {
            let lab = try Laboratory.Bare(hasAgent: false)
            let agent = try start(Self.odd[index], on: lab)
            defer { agent.stop() }
            let result = try apply(["--mode", "bridge"], on: lab)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("needs 1.11.0 or later"), "\(result.errors)")
            #expect(result.wallTime < Sanitizer.limit(1.0), "\(result.wallTime) s")
        }
    }
}
