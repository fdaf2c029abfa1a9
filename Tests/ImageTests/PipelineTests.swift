import FoundationEssentials
import Laboratory
import TestSupport
import Testing

/// The pipelines of `docs/ci.md`: each is read by software that knows its kind, and its steps are run on a small image.
///
/// A step that needs what is not here is named in the output.
@Suite("Pipelines in the documentation")
struct PipelineTests {
    private static func snippet(_ name: String) throws -> String {
        try Documentation.snippet(name, of: "ci.md")
    }

    private static func decode<Value: Decodable>(_ name: String, by consumer: Consumer) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(try consumer.read(snippet(name)).utf8))
    }

    /// A repository with the program, and a script that makes the image.
    private final class Repository {
        let root: FixtureRoot
        private var path: String

        /// - Parameter isPrepared: whether the script also has `apply` write what lasts.
        init(isPrepared: Bool) throws {
            root = try FixtureRoot()
            path = "\(root.path)/stubs:/usr/sbin:/usr/bin:/sbin:/bin"
            let image = try HostImage(Distro.all[2])
            _ = try Machine.execute(["cp", "-a", image.root.path, root.path + "/source"])
            try script("tools/ecs-netsetup", "exec '\(Tool.path)' \"$@\"")
            let apply =
                isPrepared
                ? "\ntools/ecs-netsetup apply --mode bridge --bridge-interface docker+,br-+ --root \"$1\" >&2" : ""
            try script("build-image", "cp -a source \"$1\"" + apply)
            try script("stubs/sudo", "exec \"$@\"")
            try root.write("", to: "/path")
        }

        func script(_ name: String, _ text: String) throws {
            try root.write("#!/bin/sh -e\n\(text)\n", to: "/" + name)
            _ = try Machine.execute(["chmod", "755", "\(root.path)/\(name)"])
        }

        /// Runs a step as GitHub's runner does: `bash -e`, with the folders that earlier steps put on the path.
        func run(_ step: String) throws -> ProgramResult {
            let result = try Machine.execute(
                ["env", "-C", root.path, "bash", "-e", "-c", step],
                environment: ["PATH=\(path)", "GITHUB_PATH=\(root.path)/path"])
            let added = (root.read("/path") ?? "").split(separator: "\n").joined(separator: ":")
            try root.write("", to: "/path")
            if !added.isEmpty { path = "\(added):\(path)" }
            return result
        }

        func read(_ file: String) throws -> String { try #require(root.read("/" + file), "\(file) was not written") }
    }

    /// Whether a step can be run here. One that cannot is told of.
    private static func isRunnable(_ step: String, of name: String) -> Bool {
        let why =
            ["apt-get ", "dnf "].contains(where: step.contains)
            ? "installs packages" : step.contains("mount ") ? "changes the machine's mounts" : nil
        if let why { print("docs/ci.md, \(name): not run, as it \(why): \(step)") }
        return why == nil
    }

    private struct Workflow: Decodable {
        struct Job: Decodable {
            let steps: [Step]
        }
        struct Step: Decodable {
            let name: String?
            let uses: String?
            let run: String?
            let condition: String?
            let with: [String: String]?

            private enum CodingKeys: String, CodingKey {
                case name, uses, run, with
                case condition = "if"
            }
        }
        let jobs: [String: Job]
    }

    @Test("GitHub Actions: the steps end as they should, and what is uploaded is SARIF", arguments: [false, true])
    func github(_ isPrepared: Bool) throws {
        let name = ".github/workflows/ecs-image.yml"
        let workflow: Workflow = try Self.decode(name, by: .github)
        let steps = try #require(workflow.jobs["network"]?.steps)
        let repository = try Repository(isPrepared: isPrepared)
        var failed: [String] = []
        for step in steps {
            guard let command = step.run else {
                print("docs/ci.md, \(name): not run, as it is GitHub's: \(step.uses ?? "")")
                continue
            }
            guard Self.isRunnable(command, of: name), failed.isEmpty || step.condition == "success() || failure()"
            else {
                continue
            }
            let result = try repository.run(command)
            if result.status != 0 { failed.append(step.name ?? command) }
            #expect(result.status <= 1, "\(command): \(result.errors)")
        }
        #expect(failed == (isPrepared ? [] : ["Show what apply would change", "Check the image"]))
        let uploaded = try #require(steps.last?.with?["sarif_file"])
        let rows = try #require(try FormatTests.Reading(try repository.read(uploaded), by: .sarif).rows)
        #expect(rows.isEmpty == isPrepared)
        #expect(rows.allSatisfy { $0.location?.hasPrefix("golden/etc/") == true })
    }

    private struct Pipeline: Decodable {
        struct Job: Decodable {
            struct Artifacts: Decodable {
                let when: String
                let reports: [String: String]
            }
            let before_script: [String]
            let script: [String]
            let artifacts: Artifacts
        }
        let job: Job

        private enum CodingKeys: String, CodingKey {
            case job = "ecs-image"
        }
    }

    @Test("GitLab: the script ends as it should, and the report is JUnit's", arguments: [false, true])
    func gitlab(_ isPrepared: Bool) throws {
        let name = ".gitlab-ci.yml"
        let pipeline: Pipeline = try Self.decode(name, by: .gitlab)
        let repository = try Repository(isPrepared: isPrepared)
        let lines = (pipeline.job.before_script + pipeline.job.script).filter { Self.isRunnable($0, of: name) }
        let result = try repository.run("set -o pipefail\n" + lines.joined(separator: "\n"))
        #expect(result.status == (isPrepared ? 0 : 1), "\(result.output)\(result.errors)")
        #expect(result.output.contains("apply would change this") != isPrepared)
        let report = try repository.read(try #require(pipeline.job.artifacts.reports["junit"]))
        let rows = try #require(try FormatTests.Reading(report, by: .junit).rows)
        #expect(!rows.isEmpty && rows.allSatisfy { $0.outcome == "passed" } == isPrepared)
        #expect(pipeline.job.artifacts.when == "always")
    }

    private struct Template: Decodable {
        struct Build: Decodable {
            let provisioner: [[String: Provisioner]]
        }
        struct Provisioner: Decodable {
            let inline: [String]?
            let destination: String?
        }
        let build: [Build]
    }

    @Test("Packer: the provisioner's lines make the image match")
    func packer() throws {
        let name = "ecs.pkr.hcl"
        let template: Template = try Self.decode(name, by: .packer)
        let provisioners = try #require(template.build.first?.provisioner)
        let destinations = provisioners.compactMap { $0["file"]?.destination }
        let uploaded = try #require(destinations.first)
        let lines = provisioners.compactMap { $0["shell"]?.inline }.flatMap { $0 }
        let repository = try Repository(isPrepared: false)
        #expect(try repository.run("./build-image golden").status == 0)
        try repository.script("stubs/ecs-netsetup", "exec '\(Tool.path)' \"$@\"")
        var last = ""
        for line in lines where Self.isRunnable(line, of: name) {
            let here = line.replacing(uploaded, with: "tools/ecs-netsetup").replacing("/mnt", with: "golden")
            try #require(here != line, "\(line) would change the machine")
            let result = try repository.run(here)
            #expect(result.status == 0, "\(line): \(result.output)\(result.errors)")
            last = result.output
        }
        let rows = try #require(try FormatTests.Reading(last, by: .tap).rows)
        #expect(!rows.isEmpty && rows.allSatisfy { $0.outcome == "passed" })
        #expect(try repository.read("golden/etc/ecs-netsetup.conf").contains("BRIDGE_INTERFACE=docker+,br-+"))
    }

    @Test("Prometheus: the units are sound, the metrics are there at once or not at all, and the alerts can be read")
    func prometheus() throws {
        let repository = try Repository(isPrepared: false)
        let names = ["service", "timer"].map { "ecs-netsetup-metrics.\($0)" }
        for name in names {
            try repository.root.write(try Self.snippet("/etc/systemd/system/" + name), to: "/" + name)
        }
        let analysed = try repository.run(
            "systemd-analyze verify --man=no --recursive-errors=yes \(names.map { "./" + $0 }.joined(separator: " "))")
        #expect(analysed.status == 0 && analysed.errors.isEmpty, "\(analysed.errors)")
        let start = "ExecStart="
        let unit = try repository.read(names[0]).split(separator: "\n").map(String.init)
        let command = try #require(unit.first { $0.hasPrefix(start) }?.dropFirst(start.count))
        #expect(try repository.run("./build-image golden").status == 0)
        // The unit asks of the machine that it runs on.
        try repository.script("stubs/ecs-netsetup", "exec '\(Tool.path)' \"$@\" --mode bridge --root golden")
        #expect(try repository.run(String(command)).status == 0)
        let metrics = try FormatTests.Reading(try repository.read("ecs-netsetup.prom"), by: .prometheus)
        #expect(metrics.value("up") == 1 && metrics.value("checks_failed") ?? 0 > 0)
        #expect(!repository.root.exists("/ecs-netsetup.new"))
        try Consumer.rules.read(try Self.snippet("ecs-netsetup.rules.yml"))
    }

    @Test("a reader refuses what is wrong")
    func refused() throws {
        let workflow = try Self.snippet(".github/workflows/ecs-image.yml").replacing("runs-on", with: "run-on")
        #expect(throws: (any Error).self) { try Consumer.github.read(workflow) }
        let pipeline = try Self.snippet(".gitlab-ci.yml").replacing("script:", with: "scrip:")
        #expect(throws: (any Error).self) { try Consumer.gitlab.read(pipeline) }
        let template = try Self.snippet("ecs.pkr.hcl").replacing("inline = [", with: "inline = ")
        #expect(throws: (any Error).self) { try Consumer.packer.read(template) }
        let alerts = try Self.snippet("ecs-netsetup.rules.yml").replacing("== 0", with: "= 0")
        #expect(throws: (any Error).self) { try Consumer.rules.read(alerts) }
    }
}
