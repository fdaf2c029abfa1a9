import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

extension ImageTests {
    @Suite("Plan files")
    struct PlanFileTests {
        /// An image, and a plan made for it.
        private func planned(
            _ options: [String] = ["--mode", "bridge"]
        ) throws -> (image: HostImage, plan: String, output: String) {
            let image = try HostImage(ImageTests.amazonLinux2)
            let plan = image.root.path + ".plan.json"
            let diff = try image.netsetup(["diff"] + options + ["--out", plan])
            #expect(diff.status == 1, "\(diff.errors)")
            return (image, plan, diff.output)
        }

        /// `apply --plan` takes the image from the plan.
        private func apply(_ plan: String, _ options: [String] = []) throws -> ProgramResult {
            try Machine.execute([Tool.path, "apply", "--plan", plan] + options)
        }

        @Test("are carried out as they are, once")
        func carriedOut() throws {
            let (image, plan, output) = try planned()
            defer { unsafe unlink(plan) }
            let applied = try apply(plan)
            #expect(applied.status == 0, "\(applied.errors)")
            let changes = { (text: String) in text.split(separator: "\n").dropLast() }
            #expect(changes(applied.output) == changes(output))
            #expect(try image.netsetup(["diff"]).status == 0)
            let again = try apply(plan)
            #expect(again.status == 2)
            #expect(again.errors.contains("the host is not as it was when \(plan) was made"), "\(again.errors)")
        }

        @Test("take the place of nothing but a plan")
        func overwriting() throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            let plan = image.root.path + ".plan.json"
            defer { unsafe unlink(plan) }
            for _ in 0..<2 { #expect(try image.netsetup(["diff", "--mode", "bridge", "--out", plan]).status == 1) }
            try Data("precious".utf8).write(to: URL(filePath: plan))
            let refused = try image.netsetup(["diff", "--mode", "bridge", "--out", plan])
            #expect(refused.status == 64 && refused.errors.contains("is there already, and is no plan"))
            #expect(try String(contentsOf: URL(filePath: plan), encoding: .utf8) == "precious")
        }

        @Test("of an image fit from any folder")
        func fromAnywhere() throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            let plan = image.root.path + ".plan.json"
            defer { unsafe unlink(plan) }
            let inFolder = "cd \(image.root.path)/.. && exec \(Tool.path) diff --mode bridge --out \(plan) --root "
            let name = try #require(image.root.path.split(separator: "/").last)
            let diff = try Machine.execute(["sh", "-c", inFolder + name])
            #expect(diff.status == 1, "\(diff.errors)")
            let applied = try apply(plan)
            #expect(applied.status == 0, "\(applied.errors)")
        }

        @Test("of nothing to do are carried out as often as one likes")
        func nothing() throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            let plan = image.root.path + ".plan.json"
            defer { unsafe unlink(plan) }
            try #expect(image.netsetup(["apply", "--mode", "bridge"]).status == 0)
            try #expect(image.netsetup(["diff", "--out", plan]).status == 0)
            for _ in 0..<2 {
                let applied = try apply(plan)
                #expect(applied.status == 0 && applied.output.hasPrefix("nothing to do"))
            }
        }

        /// What may happen to a host between the plan and its application.
        static let changes: [(name: String, path: String, text: String?)] = [
            ("a settings file comes up", "/etc/ecs-netsetup.conf", "MODE=host\n"),
            ("the agent's configuration changes", "/etc/ecs/ecs.config", "ECS_CLUSTER=other\n"),
            ("the agent's configuration goes away", "/etc/ecs/ecs.config", nil),
            ("another distribution", "/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n"),
        ]

        @Test("are refused where the host has changed since", arguments: changes)
        func refused(_ change: (name: String, path: String, text: String?)) throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            try image.root.write("ECS_CLUSTER=one\n", to: "/etc/ecs/ecs.config")
            let plan = image.root.path + ".plan.json"
            defer { unsafe unlink(plan) }
            #expect(try image.netsetup(["diff", "--mode", "bridge", "--out", plan]).status == 1)
            if let text = change.text {
                try image.root.write(text, to: change.path)
            } else {
                try FileManager.default.removeItem(atPath: image.root.path + change.path)
            }
            let before = try image.snapshot()
            let applied = try apply(plan)
            #expect(applied.status == 2)
            #expect(applied.errors.contains("make the plan anew"), "\(applied.errors)")
            #expect(try image.snapshot() == before)
        }

        @Test("go with options that say how, and not with such that say what")
        func options() throws {
            let (image, plan, _) = try planned(["--mode", "bridge", "--wait", "7"])
            defer { unsafe unlink(plan) }
            let refused = try apply(plan, ["--mode", "host"])
            #expect(refused.status == 64)
            #expect(refused.errors.contains("--mode does not go with --plan"))
            #expect(try Machine.execute([Tool.path, "verify", "--plan", plan]).status == 64)
            let applied = try apply(plan, ["--wait", "1", "--quiet"])
            #expect(applied.status == 0 && applied.output == "", "\(applied.errors)")
            #expect(image.root.read("/etc/ecs-netsetup.conf")?.contains("WAIT=7\n") == true)
        }

        @Test("that are none are refused as wrong usage")
        func nonsense() throws {
            let (image, plan, _) = try planned()
            defer { unsafe unlink(plan) }
            // The image lasts as long as it is used.
            defer { withExtendedLifetime(image) {} }
            let text = try String(contentsOf: URL(filePath: plan), encoding: .utf8)
            let replaced = { (old: String, new: String) in text.replacing(old, with: new) }
            for bad in [
                "", "{}", "[]", "null", "\u{0}", String(text.dropLast(20)), replaced("ecs-netsetup plan", "plan"),
                replaced("\"schema\": 1", "\"schema\": 2"), replaced("fingerprint", "print"),
                replaced("\"--mode\"", "\"--format\""), replaced("\"bridge\"", "\"bridges\""),
                replaced("\"--mode\"", "\"remove\", \"--mode\""), String(repeating: "[", count: 100_000),
            ] {
                try Data(bad.utf8).write(to: URL(filePath: plan))
                let result = try apply(plan)
                #expect(result.status == 64, "\(bad.prefix(300)): \(result.errors)")
            }
            let other = replaced("\"version\": \"", "\"version\": \"9.")
            try Data(other.utf8).write(to: URL(filePath: plan))
            #expect(try apply(plan).errors.contains("was made by version 9."))
            unsafe unlink(plan)
            #expect(try apply(plan).status == 64)
        }
    }
}
