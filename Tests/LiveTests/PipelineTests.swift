import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

extension Live {
    /// The pipelines of `docs/ci.md` that are about running hosts.
    @Suite struct PipelineTests {
        /// A repository whose pipeline reaches the laboratory's host.
        private struct Repository {
            let root: FixtureRoot
            let lab: Laboratory.Bare
            private let path: String

            init() throws {
                root = try FixtureRoot()
                lab = try Laboratory.Bare()
                path = "PATH=\(root.path)/stubs:/usr/sbin:/usr/bin:/sbin:/bin"
                // As ssh does: the words become a line for the shell of the other side.
                try script("ssh", "[ \"$1\" = host ]; shift; exec sh -c \"$*\"")
                try script("sudo", "exec \"$@\"")
                try script("ecs-netsetup", "exec '\(Tool.path)' \"$@\"")
            }

            private func script(_ name: String, _ text: String) throws {
                try root.write("#!/bin/sh -e\n\(text)\n", to: "/stubs/" + name)
                _ = try Machine.execute(["chmod", "755", "\(root.path)/stubs/\(name)"])
            }

            /// Runs lines in the host's namespaces, in a folder of the repository.
            func run(_ lines: String, in folder: String = "") throws -> ProgramResult {
                try lab.host.execute(
                    ["env", "-C", root.path + folder, "bash", "-e", "-o", "pipefail", "-c", lines],
                    environment: [path, "ECS_HOST=host"])
            }
        }

        // MARK: Plan, approve, apply

        private struct Pipeline: Decodable {
            struct Job: Decodable {
                struct Artifacts: Decodable {
                    let paths: [String]
                }
                let stage: String
                let when: String?
                let script: [String]
                let artifacts: Artifacts?

                var lines: String { script.joined(separator: "\n") }
            }
            let stages: [String]
            let plan: Job
            let apply: Job

            private enum CodingKeys: String, CodingKey {
                case stages
                case plan = "ecs-plan"
                case apply = "ecs-apply"
            }

            init() throws {
                let text = try Documentation.snippet(".gitlab/ecs-plan.yml", of: "ci.md")
                self = try JSONDecoder().decode(Pipeline.self, from: Data(try Consumer.gitlab.read(text).utf8))
            }
        }

        /// A host whose agent reads its configuration when it is restarted.
        private func repositoryWithHost() throws -> Repository {
            print("docs/ci.md, .gitlab/ecs-plan.yml: not run over ssh: its lines are run on the laboratory's host")
            let repository = try Repository()
            let host = repository.lab.host
            try host.require(["sh", "-c", "mkdir -p /etc/ecs && echo ECS_CLUSTER=x > /etc/ecs/ecs.config"])
            try host.require(["sh", "-c", "mkdir -p /etc/systemd/system && touch /etc/systemd/system/ecs.service"])
            try host.standInForSystemd(
                hook: "case \"$*\" in *restart*) touch -d '1 hour ago' /etc/ecs/ecs.config ;; esac")
            return repository
        }

        @Test("what was agreed to is done, and the host matches then")
        func approved() throws {
            let pipeline = try Pipeline()
            #expect(pipeline.stages == [pipeline.plan.stage, pipeline.apply.stage])
            #expect(pipeline.apply.when == "manual")
            let repository = try repositoryWithHost()
            let planned = try repository.run(pipeline.plan.lines)
            #expect(planned.status == 0 && planned.output.contains("changes to make"), "\(planned.errors)")
            let kept = try #require(pipeline.plan.artifacts?.paths)
            #expect(kept.allSatisfy { repository.root.exists("/" + $0) })
            let applied = try repository.run(pipeline.apply.lines)
            #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
            #expect(applied.output.contains("changes made and read back"))
        }

        @Test("nothing is done where the host has changed meanwhile")
        func outdated() throws {
            let pipeline = try Pipeline()
            let repository = try repositoryWithHost()
            #expect(try repository.run(pipeline.plan.lines).status == 0)
            try repository.lab.host.require(["sh", "-c", "echo ECS_LOGLEVEL=debug >> /etc/ecs/ecs.config"])
            let applied = try repository.run(pipeline.apply.lines)
            #expect(applied.status == 2 && applied.errors.contains("the host is not as it was"), "\(applied.errors)")
            #expect(try repository.lab.netsetup(["status", "--format", "json"]).output.contains("\"absent\""))
        }

        @Test("where no plan can be made, the job fails")
        func unplannable() throws {
            let repository = try repositoryWithHost()
            try repository.lab.host.require(["sh", "-c", "echo MODE=brigde > /etc/ecs-netsetup.conf"])
            let planned = try repository.run(try Pipeline().plan.lines)
            #expect(planned.status != 0 && planned.errors.contains("brigde"), "\(planned.errors)")
            #expect(!repository.root.exists("/ecs-netsetup.plan"))
        }

        // MARK: Captured hosts

        @Test("captured hosts are checked, and the worst counts", arguments: Backend.allCases)
        func captured(_ backend: Backend) throws {
            let capture = try Documentation.snippet("capture-host", of: "ci.md")
            let check = try Documentation.snippet("check-hosts", of: "ci.md")
            let repository = try Repository()
            func take(_ name: String) throws {
                try repository.root.makeFolder("/hosts/" + name)
                let taken = try repository.run(capture, in: "/hosts/" + name)
                #expect(taken.status == 0, "\(taken.errors)")
            }
            try repository.lab.requireNetsetup(
                [
                    "apply", "--mode", "bridge", "--bridge-interface", "docker+,br-+", "--persist", "none", "--backend",
                    backend.rawValue,
                ])
            try take("b")
            let first = try repository.run(check)
            #expect(first.status == 0, "\(first.output)\(first.errors)")
            try repository.lab.requireNetsetup(["remove"])
            try take("a")
            let second = try repository.run(check)
            #expect(second.status == 1 && second.output.contains("hosts/a\n"), "\(second.output)\(second.errors)")
            try repository.root.write("{ \"nftables\": [", to: "/hosts/a/rules.json")
            let third = try repository.run(check)
            #expect(third.status > 1 && third.output.contains("hosts/b\n"), "\(third.output)\(third.errors)")
        }
    }
}
