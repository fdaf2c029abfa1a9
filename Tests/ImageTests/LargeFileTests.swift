import FoundationEssentials
import Laboratory
import TestSupport
import Testing

extension ImageTests {
    @Suite("Files of 50 MB")
    struct LargeFileTests {
        /// 100 MB, in the unit of time(1).
        private static let mostMemory = Sanitizer.limit(100 * 1000)
        private static let paths = ["/etc/ecs-netsetup.conf", "/etc/ecs/ecs.config", "/usr/lib/os-release"]
        private static let lines = ["\n", "A=1\n", "#", "ECS_ENABLE_TASK_IAM_ROLE=true\n"]

        @Test("where settings should be end in an error and cost no memory", arguments: paths, lines)
        func refused(_ path: String, _ line: String) throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            try image.root.write(
                String(repeating: line, count: Sanitizer.fewer(50_000_000) / line.utf8.count), to: path)
            let verify = [Tool.path, "verify", "--mode", "bridge", "--root", image.root.path]
            let result = try Machine.execute(["/usr/bin/time", "-f", "%M"] + verify)
            #expect(result.status == 2)
            #expect(result.errors.contains("file too large; more than 1 MiB are not read"), "\(result.errors)")
            let memory = try #require(result.errors.split(separator: "\n").last.flatMap { Int($0) }, "\(result.errors)")
            #expect(memory < Self.mostMemory)
        }

        @Test("of one mebibyte are read, whatever their lines, and cost no memory", arguments: lines)
        func read(_ line: String) throws {
            let image = try HostImage(ImageTests.amazonLinux2)
            try image.root.write(String(repeating: line, count: (1 << 20) / line.utf8.count), to: "/etc/ecs/ecs.config")
            let diff = [Tool.path, "diff", "--mode", "bridge", "--root", image.root.path]
            let result = try Machine.execute(["/usr/bin/time", "-f", "%M"] + diff)
            #expect(result.status == 1, "\(result.errors)")
            let memory = try #require(result.errors.split(separator: "\n").last.flatMap { Int($0) }, "\(result.errors)")
            // Time on the processor: the tests share theirs with others.
            #expect(
                memory < Self.mostMemory && result.cpuTime < Sanitizer.limit(3),
                "\(memory) KiB in \(result.cpuTime) s")
        }
    }
}
