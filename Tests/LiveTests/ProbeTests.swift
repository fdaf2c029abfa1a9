import Laboratory
import Testing

extension Live {
    /// `verify --probe`: what packets show, against what is there.
    @Suite struct ProbeTests {
        private static let options = ["--mode", "bridge", "--persist", "none"]

        private func makeHost(_ backend: Backend, _ options: [String] = options) throws -> Laboratory {
            let lab = try Laboratory()
            try lab.host.require(
                [Tool.path, "apply", "--backend", backend.rawValue, "--quiet"] + options)
            return lab
        }

        private func probe(
            _ lab: Laboratory, _ backend: Backend, _ more: [String] = [], options: [String] = options
        ) throws -> ProgramResult {
            try lab.netsetup(["verify", "--probe", "--backend", backend.rawValue] + options + more)
        }

        @Test("a healthy host passes in less than 300 ms, and nothing is left", arguments: Backend.allCases)
        func healthy(_ backend: Backend) throws {
            let lab = try makeHost(backend)
            defer { lab.stop() }
            let before = try Remains(lab)
            let result = try probe(lab, backend)
            print(result.output, result.errors, result.wallTime)
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            #expect(result.wallTime < 0.3, "\(result.wallTime) s")
            #expect(try Remains(lab) == before)
        }
    }
}

/// What a probe could leave behind on the host.
private struct Remains: Equatable {
    let links: String
    let addresses: String
    let rules: String

    init(_ lab: Laboratory) throws {
        links = try lab.host.require(["ip", "-br", "link"])
        addresses = try lab.host.require(["ip", "-br", "addr"])
        rules = try lab.host.require(["nft", "list", "tables"])
    }
}
