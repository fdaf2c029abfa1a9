import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

/// Tests with a real Docker engine, which `make test-docker` runs.
@Suite(.enabled(if: getuid() == 0, "making network namespaces needs root"))
struct DockerTableTests {
    @Test(
        "credentials reach and IMDS does not, whatever happens to Docker; the documented commands leak where it is said"
    )
    func table() async throws {
        let table = await Self.liveAll()
        print(table.markdown)
        try table.markdown.write(to: Self.output, atomically: true, encoding: .utf8)
        for flavour in Flavour.allCases {
            for leak in Leak.known {
                let cell = table[flavour, leak.contender][leak.moment]?[leak.network]
                #expect(cell?.reachesMetadata == true, "\(leak), iptables-\(flavour.rawValue)")
            }
        }
        #expect(
            try Documentation.text(of: "docker.md").contains(table.markdown),
            "docs/docker.md has another table than .build/docker-table.md")
    }

    private static let output = URL(filePath: #filePath).appending(path: "../../../.build/docker-table.md").standardized

    /// As many hosts at a time as there are processors, which is what Swift's tasks have as threads.
    private static func liveAll() async -> DockerTable {
        let hosts = Flavour.allCases.flatMap { flavour in Contender.allCases.map { (flavour, $0) } }
        return await withTaskGroup(of: (Life, Life.Rows).self) { group in
            for (index, host) in hosts.enumerated() {
                let life = Life(flavour: host.0, contender: host.1, identifier: index)
                group.addTask {
                    do {
                        return (life, try life.live())
                    } catch {
                        Issue.record(error, "\(life)")
                        return (life, [:])
                    }
                }
            }
            return await group.reduce(into: DockerTable()) { $0.add($1.1, of: $1.0) }
        }
    }
}

/// Where the documented commands leave IMDS open over IPv4; over IPv6 they leave it open everywhere.
private struct Leak: Sendable {
    let contender: Contender
    let moment: Moment
    let network: Network

    static let known: [Leak] = [
        Leak(contender: .documented, moment: .applied, network: .user),
        Leak(contender: .documented, moment: .created, network: .created),
        Leak(contender: .documented, moment: .restarted, network: .bridge),
        Leak(contender: .documented, moment: .withoutProxy, network: .bridge),
        Leak(contender: .documented, moment: .boot, network: .bridge),
        Leak(contender: .dockerUser, moment: .applied, network: .user),
        Leak(contender: .dockerUser, moment: .created, network: .created),
    ]
}
