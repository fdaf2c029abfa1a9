import Model
import Testing

@Suite("Rule, places and states")
struct RuleTests {
    private func rule(comment: String?) -> Rule {
        Rule(place: .input, family: .ipv4, matches: [], action: .drop, comment: comment)
    }

    @Test("a rule's title is its comment without our mark")
    func title() {
        #expect(rule(comment: "ecs-netsetup: localhost guard").title == "localhost guard")
        #expect(rule(comment: "somebody's").title == "somebody's")
        #expect(rule(comment: nil).title == "a rule without a comment")
    }

    @Test("an unknown rule has no rule")
    func installed() {
        #expect(InstalledRule(.rule(rule(comment: "x"))).rule == rule(comment: "x"))
        #expect(InstalledRule(.unknown("x")).rule == nil)
    }

    @Test("what others' rules could undo must come first; nat and filter INPUT need not")
    func mustComeFirst() {
        #expect(Place.allCases.filter(\.mustComeFirst) == [.earlyPrerouting, .input, .forward, .filterForward])
    }

    @Test("no two places share a chain, in nft or in iptables")
    func chains() {
        #expect(Set(Place.allCases.map(\.baseChain)).count == Place.allCases.count)
        #expect(Set(Place.allCases.map { "\($0.stockChain)" }).count == Place.allCases.count)
    }

    @Test("each backend's other is the other")
    func backends() {
        #expect(BackendKind.nftables.other == .iptables)
        #expect(BackendKind.iptables.other == .nftables)
    }

    @Test("Docker's chains are known by their names, in the stock tables and in its own")
    func docker() {
        #expect(DockerChains.isDocker(table: "nat", chain: "DOCKER"))
        #expect(DockerChains.isDocker(table: "filter", chain: "DOCKER-USER"))
        #expect(DockerChains.isDocker(table: "docker-bridges", chain: "filter-forward-in__docker0"))
        #expect(!DockerChains.isDocker(table: "filter", chain: "FORWARD"))
        #expect(!DockerChains.isDocker(table: "ecs-netsetup", chain: "forward"))
    }

    @Test("settings without options are the safe ones")
    func defaults() {
        let settings = Settings()
        #expect(settings.bridgeInterfaces.map(\.description) == ["docker+"])
        #expect(settings.metadataPlacement == .early)
        #expect(settings.metadataAction == .drop)
        #expect(!settings.allowsMetadata)
        #expect(!settings.allowsOffhostIntrospection)
        #expect(settings.guardsLocalhost)
        #expect(settings.wait == 5)
    }

    @Test("a deadline in no seconds has passed, one in an hour has not, and a pause ends at the deadline")
    func deadline() {
        #expect(Deadline(seconds: 0).hasPassed)
        #expect(Deadline(seconds: -5).hasPassed)
        #expect(!Deadline(seconds: 3600).hasPassed)
        let clock = ContinuousClock()
        #expect(clock.measure { Deadline(seconds: 0).pause(milliseconds: 60_000) } < .seconds(10))
        #expect(clock.measure { Deadline(seconds: 60).pause(milliseconds: 20) } >= .milliseconds(20))
    }
}
