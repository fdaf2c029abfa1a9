import Model
import Testing

@testable import Planning

@Suite("Bridges of containers")
struct BridgeChecksTests {
    private func checks(
        _ bridges: [String], networks: [DockerNetwork]? = [], modes: [Mode] = [.bridge],
        _ change: (inout Settings) -> Void = { _ in }
    ) throws -> [Check] {
        var facts = VerificationFacts()
        facts.bridges = .success(bridges)
        facts.dockerNetworks = networks
        return BridgeChecks.coverage(try CheckScene.context(modes: modes, change, facts: facts))
    }

    @Test("that a pattern covers are named, and others' bridges are nobody's business")
    func covered() throws {
        #expect(try checks([]).map(\.summary) == ["passed: there is none"])
        #expect(
            try checks(["docker0", "virbr0", "cni0", "ecs-bridge", "br-lan", "br-0123456789aG"]).map(\.summary) == [
                "passed: docker0"
            ])
    }

    @Test("that only Docker could name are undecided where it does not answer")
    func silent() throws {
        #expect(
            try checks(["docker0", "virbr0", "ecs-bridge"], networks: nil).map(\.summary) == [
                "undecided: Docker does not tell whether it is its own: virbr0"
            ])
        #expect(try checks(["docker0", "ecs-bridge"], networks: nil).map(\.summary) == ["passed: docker0"])
        // One that fails does not hide it.
        #expect(
            try checks(["br-0123456789ab", "virbr0"], networks: nil).map(\.summary) == [
                "failed: no pattern covers it", "undecided: Docker does not tell whether it is its own: virbr0",
            ])
    }

    @Test("that none covers fail each, with Docker's name where it is known, and one command for all")
    func open() throws {
        let networks = [
            DockerNetwork(name: "shop", .bridge("br-0123456789ab")), DockerNetwork(name: "odd", .bridge("lan0")),
            DockerNetwork(name: "bridge", .bridge("docker0")),
        ]
        let checks = try checks(
            ["br-0123456789ab", "br-ba9876543210", "docker0", "lan0", "virbr0"], networks: networks)
        #expect(checks.map(\.title) == ["br-0123456789ab", "br-ba9876543210", "lan0"])
        #expect(
            checks.map(\.evidence) == [
                #"no pattern covers it (Docker network "shop")"#,
                "no pattern covers it", #"no pattern covers it (Docker network "odd")"#,
            ])
        #expect(checks.allSatisfy { $0.outcome == .failed })
        #expect(
            checks.allSatisfy { $0.mend == .applyWith(option: "bridge-interface", value: "docker+,br-+,lan0") })
    }

    @Test("that a network does not need are told too")
    func passedBy() throws {
        let networks = [
            DockerNetwork(name: "bridge", .bridge("docker0")),
            DockerNetwork(name: "lan", .driver("ipvlan")),
        ]
        let checks = try checks(["docker0", "br-0123456789ab"], networks: networks)
        #expect(checks.map(\.title) == ["br-0123456789ab", #"Docker network "lan""#])
        #expect(checks.allSatisfy { $0.outcome == .failed })
        #expect(checks[1].evidence.hasPrefix("its driver ipvlan uses no bridge"))
    }

    @Test("are not asked for where IMDS is allowed, or no container is behind a bridge")
    func notAsked() throws {
        #expect(try checks(["br-0123456789ab"]) { $0.allowsMetadata = true }.isEmpty)
        #expect(try checks(["br-0123456789ab"], modes: [.host, .awsvpc]).isEmpty)
    }

    @Test("that cannot be listed leave it undecided")
    func unknown() throws {
        var facts = VerificationFacts()
        facts.bridges = .failure(Failure(.trouble, "cannot list"))
        let checks = BridgeChecks.coverage(try CheckScene.context(facts: facts))
        #expect(checks.map(\.summary) == ["undecided: cannot list"])
    }

    @Test("whose names no pattern can have are told, without what harms a terminal")
    func strange() throws {
        let checks = try checks(["docker\u{1b}[2J"]) { $0.bridgeInterfaces = [] }
        #expect(checks.map(\.title) == ["docker?[2J"])
        guard case .command(let text)? = checks.first?.mend else {
            Issue.record("no command")
            return
        }
        #expect(text.hasPrefix("give docker?[2J another name"))
    }

    @Test(
        "are named by the Docker engine",
        arguments: [
            (
                #"[{"Name":"shop","Id":"0123456789abcdef","Driver":"bridge","Options":{},"IPAM":{"Config":[{}]}}]"#,
                [DockerNetwork(name: "shop", .bridge("br-0123456789ab"))]
            ),
            (
                #"[{"Options":{"com.docker.network.bridge.name":"lan0"},"Id":"1","Name":"a\u001b","Driver":"bridge"},{"Name":"host","Id":"2","Driver":"host","Options":null}]"#,
                [DockerNetwork(name: "a?", .bridge("lan0"))]
            ),
            (
                #"[{"Name":"lan","Id":"1","Driver":"macvlan","Options":{"parent":"eth0"}}]"#,
                [DockerNetwork(name: "lan", .driver("macvlan"))]
            ),
            ("", nil), ("[", nil), ("{}", nil), ("[1]", nil), (#"[{"Name":"x"}]"#, []), ("null", nil), ("[]x", nil),
            (#"[{"Name":["x"],"Id":1,"Driver":"bridge","Options":[]}]"#, []),
            (String(repeating: "[", count: 100_000), nil),
        ])
    func networks(_ answer: String, _ expected: [DockerNetwork]?) {
        #expect(DockerNetworks.parse(Array(answer.utf8)) == expected)
    }
}
