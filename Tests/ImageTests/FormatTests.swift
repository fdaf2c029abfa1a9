import FoundationEssentials
import Laboratory
import Testing

/// What the program itself prints for an image, read by software that others wrote.
@Suite("Formats of an image's checks")
struct FormatTests {
    /// As far as the formats have them in common.
    struct Reading: Decodable {
        struct Row: Decodable {
            let id: String
            let outcome: String
            let location: String?
        }
        struct Sample: Decodable {
            let name: String
            let value: Double
        }
        let rows: [Row]?
        let samples: [Sample]?
        let successful: Bool?
        let notifications: [String]?

        init(_ document: String, by consumer: Consumer) throws {
            self = try JSONDecoder().decode(Reading.self, from: Data(try consumer.read(document).utf8))
        }

        func value(_ name: String) -> Double? { samples?.first { $0.name == "ecs_netsetup_" + name }?.value }
    }

    private static let formats: [Consumer] = [.junit, .sarif, .tap, .prometheus]

    private func verify(_ image: HostImage, _ format: Consumer, _ status: CInt) throws -> Reading {
        let result = try image.netsetup(["verify", "--mode", "bridge", "--format", format.rawValue])
        #expect(result.status == status, "\(result.errors)")
        return try Reading(result.output, by: format)
    }

    @Test("tell what fails before apply, and nothing after it", arguments: formats)
    func checks(_ format: Consumer) throws {
        let image = try HostImage(Distro.all[1])
        let before = try verify(image, format, 1)
        let failed = before.rows?.filter { $0.outcome == "failed" }.map(\.id)
        if format == .prometheus {
            #expect(before.value("checks_failed") ?? 0 > 0 && before.value("up") == 1)
            #expect(before.value("last_run_timestamp_seconds") ?? 0 > 1_700_000_000)
        } else {
            #expect(failed?.contains("ECS-NET-016") == true && failed?.contains("ECS-NET-020") == true)
        }
        #expect(try image.netsetup(["apply", "--mode", "bridge"]).status == 0)
        let after = try verify(image, format, 0)
        #expect(after.rows?.allSatisfy { $0.outcome == "passed" } ?? true)
        #expect(after.value("checks_failed") ?? 0 == 0)
    }

    @Test("name the file of somebody else that is in the way, once, and what differs")
    func others() throws {
        let image = try HostImage(Distro.all[1])
        #expect(try image.netsetup(["apply", "--mode", "bridge"]).status == 0)
        try image.root.write("\nnet.ipv4.conf.all.route_localnet = 0\n", to: "/etc/sysctl.d/99-x.conf")
        let configuration = image.root.read("/etc/ecs/ecs.config") ?? ""
        try image.root.write(
            configuration.replacing("ECS_ENABLE_TASK_IAM_ROLE=true", with: "ECS_ENABLE_TASK_IAM_ROLE=false"),
            to: "/etc/ecs/ecs.config")
        let rows = try #require(try verify(image, .sarif, 1).rows).filter { $0.outcome == "failed" }
        #expect(rows.map(\.id) == ["ECS-NET-017", "ECS-NET-020"])
        #expect(rows.first?.location?.hasSuffix("/etc/sysctl.d/99-x.conf") == true)
        let text = try image.netsetup(["verify", "--mode", "bridge"])
        #expect(text.output.contains("/etc/sysctl.d/99-x.conf:2 sets"), "\(text.output)")
        #expect(!text.errors.contains("99-x.conf"), "\(text.errors)")
        #expect(
            text.output.contains("differs: -ECS_ENABLE_TASK_IAM_ROLE=false, +ECS_ENABLE_TASK_IAM_ROLE=true"),
            "\(text.output)")
    }

    @Test("tell of an error in a whole document, also of a wrong command line", arguments: formats)
    func errors(_ format: Consumer) throws {
        let options = ["--format", format.rawValue]
        for (words, status) in [
            (["verify", "--mode", "bridge", "--root", "/nowhere"], 2), (["verify", "--mode", "brigde"], 64),
            (["apply", "--mode", "bridge"], 64), (["frobnicate"], 64),
        ] as [([String], CInt)] {
            let result = try Machine.execute([Tool.path] + words + options)
            #expect(result.status == status && !result.errors.isEmpty)
            let reading = try Reading(result.output, by: format)
            switch format {
            case .junit: #expect(reading.rows?.map(\.outcome) == ["undecided"])
            case .sarif: #expect(reading.successful == false && reading.notifications?.count == 1)
            case .tap: #expect(reading.notifications?.count == 1)
            default: #expect(reading.value("up") == 0)
            }
        }
    }

    @Test("print nothing with --quiet", arguments: formats)
    func quiet(_ format: Consumer) throws {
        let image = try HostImage(Distro.all[1])
        let result = try image.netsetup(["verify", "--mode", "bridge", "--quiet", "--format", format.rawValue])
        #expect(result.status == 1 && result.output.isEmpty && result.errors.isEmpty)
    }

    @Test("the JSON answers keep to their schema")
    func answers() throws {
        let image = try HostImage(Distro.all[1])
        for (words, status) in [
            (["diff", "--mode", "bridge"], 1), (["verify", "--mode", "bridge"], 1), (["apply", "--mode", "bridge"], 0),
            (["apply"], 0), (["diff"], 0), (["verify"], 0), (["remove"], 0), (["remove"], 0), (["apply"], 64),
            (["verify", "--mode", "awsvpc", "--persist", "none"], 2),
            (["diff", "--mode", "bridge", "--root", "/nowhere"], 2),
        ] as [([String], CInt)] {
            let root = words.contains("--root") ? [] : ["--root", image.root.path]
            let result = try Machine.execute([Tool.path] + words + root + ["--format", "json"])
            #expect(result.status == status, "\(words): \(result.output)")
            try Consumer.answer.read(result.output)
        }
    }
}
