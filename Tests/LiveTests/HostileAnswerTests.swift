import Laboratory
import TestSupport
import Testing

extension Live {
    /// What the agent and the Docker engine may answer when they are not what they seem.
    @Suite struct HostileAnswerTests {
        private static func sent(_ text: String) -> Service.Behaviour {
            .bytes(Array(text.replacing("\n", with: "\r\n").utf8))
        }

        private static func page(_ text: String) -> Service.Behaviour { sent("HTTP/1.1 200 OK\n" + text) }

        private static let manyBytes = 8 << 20
        private static let binary: [UInt8] = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 7) }
        private static let hostileNetwork = #"""
            [{"Id":"../../etc","Name":"\u001b[31m;reboot","Driver":"bridge",
            "Options":{"com.docker.network.bridge.name":"$(reboot)"}}]
            """#

        /// By what they are called.
        private static let answers: [(String, Service.Behaviour)] = [
            ("nothing, without end", .silence),
            ("a byte every 50 ms", .trickle),
            ("closes at once", .bytes([])),
            ("half a status line", sent("HTTP/1.")),
            ("8 MiB of zeros", .bytes([UInt8](repeating: 0, count: manyBytes))),
            ("8 MiB in one line", page("\n" + String(repeating: "a", count: manyBytes))),
            ("binary", .bytes(binary)),
            ("redirects", sent("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:9/x\n\n")),
            ("chunked", page("Transfer-Encoding: chunked\n\n5\n{\"Ver\n0\n\n")),
            ("a length of 2^63", page("Content-Length: 9223372036854775808\n\n{}")),
            ("a length below zero", page("Content-Length: -1\n\n{}")),
            ("status 99999999999", sent("HTTP/1.1 99999999999 X\n\n{}")),
            ("headers without end", page(String(repeating: "X: y\n", count: 100_000))),
            ("nested without end", .answer(body: String(repeating: "[", count: 60_000))),
            ("a version of escapes", .introspection(version: "v\u{1b}[2J\u{0}1.2.3")),
            ("a version of 2^70", .introspection(version: "v1180591620717411303424.0.0")),
            ("a list of numbers", .answer(body: #"[1e999,-0,null,"\ud800"]"#)),
            ("networks that are none", .answer(body: #"[{"Id":7,"Driver":"bridge","Options":[]},{}]"#)),
            ("a network with a hostile name", .answer(body: hostileNetwork)),
        ]

        @Test("whatever they answer, apply ends in time, in success or a clear error, and prints no escapes")
        func answers() throws {
            for (name, behaviour) in Self.answers {
                let lab = try Laboratory.Bare(hasAgent: false)
                let introspection = try Service(
                    "agent", in: lab.host, on: ["127.0.0.1"], port: Laboratory.introspectionPort, behaviour)
                let credentials = try Service(
                    "agent", in: lab.host, on: ["127.0.0.1"], port: Laboratory.agentPort, behaviour)
                let docker = try Service("docker", in: lab.host, onSocket: "/run/docker.sock", behaviour)
                defer { [introspection, credentials, docker].forEach { $0.stop() } }
                for words in [["apply", "--mode", "bridge"], ["verify"], ["verify", "--format", "json"], ["remove"]] {
                    let result = try lab.netsetup(words)
                    #expect([0, 1, 2].contains(result.status), "\(name), \(words): \(result.status) \(result.errors)")
                    let text = result.output + result.errors
                    #expect(!text.contains("Fatal error") && !text.contains("\u{1b}"), "\(name), \(words): \(text)")
                    #expect(result.wallTime < 10, "\(name), \(words): \(result.wallTime) s")
                    if result.status == 2 { #expect(!text.isEmpty, "\(name), \(words)") }
                }
                #expect(introspection.connections > 0, "nobody asked the agent")
                #expect(docker.connections > 0, "nobody asked Docker")
                #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
            }
            TriedCases.note("answers of the agent and of Docker that are none", Self.answers.count * 4)
        }
    }
}
