import Laboratory
import Testing

extension Live {
    /// What the program writes on a host, read by software that others wrote.
    @Suite("Formats")
    struct FormatTests {
        private static let options = [
            "--mode", "bridge", "--bridge-interface", "docker+,br-+", "--persist", "none",
        ]

        @Test("every answer in JSON keeps to its schema", arguments: Backend.allCases)
        func answers(_ backend: Backend) throws {
            let lab = try Laboratory()
            let options = Self.options + ["--backend", backend.rawValue]
            let captured = ["--mode", "host", "--ruleset", "/run/captured.json"]
            try lab.host.require(["sh", "-c", "nft -j list ruleset > /run/captured.json"])
            for (words, status) in [
                (["status"], 0), (["diff"] + captured, 1), (["verify"] + captured, 1), (["diff"] + options, 1),
                (["verify"] + options, 1), (["apply"] + options, 0),
                (["status"], 0), (["apply"] + options, 0), (["diff"] + options, 0), (["verify"] + options, 0),
                (["verify", "--probe"] + options, 0), (["diff", "--mode", "awsvpc"], 1), (["remove"], 0),
                (["remove"], 0), (["apply", "--mode", "x"], 64),
            ] as [([String], CInt)] {
                let result = try lab.netsetup(words + ["--format", "json"])
                #expect(result.status == status, "\(words): \(result.output)\(result.errors)")
                try Consumer.answer.read(result.output)
            }
        }

        @Test("the checks come out in every format, before and after apply", arguments: Backend.allCases)
        func checks(_ backend: Backend) throws {
            let lab = try Laboratory()
            let options = Self.options + ["--backend", backend.rawValue]
            for status in [1, 0] as [CInt] {
                if status == 0 { #expect(try lab.netsetup(["apply"] + options).status == 0) }
                for format in [Consumer.junit, .sarif, .tap, .prometheus] {
                    let result = try lab.netsetup(["verify", "--format", format.rawValue] + options)
                    #expect(result.status == status, "\(result.output)\(result.errors)")
                    let reading = try format.read(result.output)
                    if format != .sarif || status == 1 { #expect(reading.contains("ECS-NET-006")) }
                }
            }
        }
    }
}
