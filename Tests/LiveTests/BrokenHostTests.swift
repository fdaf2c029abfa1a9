import FoundationEssentials
import Laboratory
import Testing

extension Live {
    /// verify names what is wrong, and nothing else.
    @Suite struct BrokenHostTests {
        /// What verify says in JSON, as far as it matters here.
        struct Answer: Decodable {
            struct Check: Decodable {
                let id: String
                let title: String
                let outcome: String
                let evidence: String?
            }
            let checks: [Check]?

            /// The numbers of the checks that did not pass.
            var failed: Set<Int> {
                let failed = (checks ?? []).filter { $0.outcome == "failed" || $0.outcome == "undecided" }
                return Set(failed.compactMap { Int($0.id.dropFirst("ECS-NET-".count)) })
            }

            var told: String {
                (checks ?? []).filter { $0.outcome != "passed" }
                    .map { "\($0.id) \($0.outcome): \($0.title): \($0.evidence ?? "")" }.joined(separator: "\n")
            }
        }

        private static let probe = ["--probe"]

        private func verify(_ lab: Laboratory, _ options: [String]) throws -> (status: CInt, answer: Answer) {
            let result = try lab.netsetup(["verify", "--format", "json"] + options)
            let answer = try? JSONDecoder().decode(Answer.self, from: Data(result.output.utf8))
            return (result.status, try #require(answer, "\(result.output)\(result.errors)"))
        }

        /// A host that was set up, as after a boot: the agent has started after its configuration was written.
        private func host(_ backend: Backend, _ options: [String]) throws -> Laboratory {
            let lab = try Laboratory()
            try lab.host.standInForSystemd()
            try lab.host.require([Tool.path, "apply", "--backend", backend.rawValue, "--quiet"] + options)
            try lab.host.require(["touch", "-d", "1 hour ago", "/etc/ecs/ecs.config"])
            return lab
        }

        @Test("a healthy host has no fault", arguments: Backend.allCases, ["drop", "reject"])
        func healthy(_ backend: Backend, _ action: String) throws {
            let placement = action == "reject" && backend == .iptables ? ["--imds-placement", "documented"] : []
            let lab = try host(
                backend,
                ["--mode", "bridge,host,awsvpc", "--bridge-interface", "docker+,br-+", "--imds-action", action]
                    + placement)
            defer { lab.stop() }
            for options in [[], Self.probe] {
                let (status, answer) = try verify(lab, options)
                #expect(status == 0 && answer.failed == [], "\(options): \(answer.told)")
            }
        }

        private static let cases = BrokenHost.all.flatMap { host in host.backends.map { (host, $0) } }

        @Test("a broken host: the right check says so, without packets and with them", arguments: cases)
        func broken(_ broken: BrokenHost, _ backend: Backend) throws {
            let lab = try host(backend, broken.options)
            defer { lab.stop() }
            for command in broken.commands { try lab.host.require(["sh", "-ec", command]) }
            let services = try broken.breaks(lab)
            defer { services.forEach { $0.stop() } }
            let (status, answer) = try verify(lab, broken.asked)
            #expect(answer.failed == broken.checks, "\(answer.told)")
            #expect(status == (answer.told.contains(" undecided: ") ? 2 : 1))
            let (_, probed) = try verify(lab, broken.asked + Self.probe)
            #expect(probed.failed == broken.checks.union(broken.probes), "with packets: \(probed.told)")
        }
    }
}
