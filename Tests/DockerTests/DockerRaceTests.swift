import Glibc
import Laboratory
import Testing

extension DockerTableTests {
    /// Docker and ecs-netsetup at the same time, as where a restart of Docker runs the unit again.
    @Test("apply while Docker restarts and makes networks: both end up whole", arguments: Flavour.allCases)
    func race(_ flavour: Flavour) throws {
        let docker = try DockerHost(flavour, identifier: flavour == .nft ? 100 : 101)
        defer { docker.stop() }
        try docker.startEngine()
        try docker.importImage()
        for network in [Network.bridge, .user] { try docker.addContainer(in: network) }
        try docker.host.require([Tool.path, "apply"] + Contender.options)
        try docker.host.restartAgent()
        try docker.restartEngine()
        _ = try docker.containerProcesses()
        let quiet = try OthersRules(on: docker.host, flavour)

        let applying = try Applying(docker.host)
        for number in 0..<3 {
            try docker.restartEngine()
            try docker.docker(["network", "create", "extra-\(number)"])
            try docker.docker(["network", "rm", "extra-\(number)"])
        }
        _ = try docker.containerProcesses()
        let failures = applying.stop()
        #expect(failures == [], "every apply and remove ends well")
        #expect(applying.rounds > 10)

        try docker.host.require(Contender.unit)
        // Docker starts its containers in any order.
        let differences = try OthersRules(on: docker.host, flavour).sorted.differences(from: quiet.sorted)
        #expect(differences == [], "Docker has the rules of a restart alone")
        let result = try docker.host.execute([Tool.path] + Life.verify)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test("verify names a network of Docker's that no pattern covers, and its probe leaks", arguments: Flavour.allCases)
    func uncovered(_ flavour: Flavour) throws {
        let docker = try DockerHost(flavour, identifier: flavour == .nft ? 102 : 103)
        defer { docker.stop() }
        try docker.startEngine()
        try docker.importImage()
        for network in [Network.bridge, .user] { try docker.addContainer(in: network) }
        try docker.host.require([Tool.path, "apply", "--mode", "bridge"])
        try docker.host.restartAgent()
        let result = try docker.host.execute([Tool.path] + Life.verify)
        #expect(result.status == 1, "\(result.output)\(result.errors)")
        let failed = result.output.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
        #expect(failed.count == 1, "\(failed)")
        let bridge = try docker.bridges()[.user] ?? "?"
        let reason = "no pattern covers it (Docker network \"\(Network.user.rawValue)\")"
        for words in ["ECS-NET-015", bridge, reason] { #expect(failed.first?.contains(words) == true, "\(failed)") }
        let cells = try Cell.ask(docker.containers())
        #expect(cells[.user]?.reachesMetadata == true)
        #expect(cells[.bridge]?.reachesMetadata == false)
    }
}

/// Removes and applies without pause until it is told to stop.
private final class Applying: Sendable {
    private let thread: BackgroundThread
    private let told: Told

    private final class Told: @unchecked Sendable {
        // Written by the thread, and read after it has been joined.
        var rounds = 0
        var failures: [String] = []
    }

    init(_ host: Namespace) throws {
        let told = Told()
        self.told = told
        thread = try BackgroundThread(in: host) { mustStop in
            while !mustStop() {
                // The rules alone: without them, each apply has to write.
                for arguments in [["apply", "--allow-imds", "--persist", "none"], ["apply", "--persist", "none"]] {
                    do {
                        let result = try host.execute([Tool.path] + arguments + ["--quiet"])
                        if result.status != 0 {
                            told.failures.append("\(arguments): \(result.status) \(result.errors)")
                        }
                    } catch {
                        told.failures.append("\(error)")
                    }
                }
                told.rounds += 1
            }
        }
    }

    func stop() -> [String] {
        thread.stop()
        return told.failures
    }

    var rounds: Int { told.rounds }
}
