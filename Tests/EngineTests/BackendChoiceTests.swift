import Model
import Planning
import Testing

@testable import Engine

@Suite("The choice of a backend")
struct BackendChoiceTests {
    /// What one backend found, in short.
    struct Found: Sendable {
        var foreign = 0
        var docker = false
        var ours = false
        var tables: [String] = []
        var isMissing = false

        func ruleset(_ kind: BackendKind) -> InstalledRuleset {
            var ruleset = InstalledRuleset(backend: kind)
            ruleset.foreign.ruleCount = foreign
            ruleset.foreign.dockerTables = docker ? ["ip nat"] : []
            ruleset.holdsOurs = ours
            ruleset.liveTables = tables
            ruleset.unavailable = isMissing ? Failure(.unsupported, "no \(kind.rawValue) here") : nil
            return ruleset
        }
    }

    static func observation(_ nftables: Found, _ iptables: Found, _ flavour: BackendKind? = nil) -> Observation {
        var disk = PersistenceFacts()
        disk.iptablesFlavour = flavour
        return Observation(
            nftables: nftables.ruleset(.nftables), iptables: iptables.ruleset(.iptables), routeLocalnet: "0",
            earlierRouteLocalnet: nil, hasIPv6: true, disk: disk)
    }

    struct Case: CustomTestStringConvertible {
        let testDescription: String
        var requested: BackendKind?
        var nftables = Found()
        var iptables = Found()
        var flavour: BackendKind?
        let backend: BackendKind
        let reason: String
    }

    static let cases = [
        Case(testDescription: "nothing at all", backend: .nftables, reason: "nothing speaks for"),
        Case(
            testDescription: "asked for, against everything", requested: .iptables,
            nftables: Found(foreign: 9, docker: true, ours: true), backend: .iptables, reason: "asked for"),
        Case(
            testDescription: "Docker in legacy", nftables: Found(foreign: 50),
            iptables: Found(foreign: 9, docker: true, tables: ["ip nat"]), backend: .iptables,
            reason: "Docker's rules"),
        Case(
            testDescription: "Docker in nf_tables", nftables: Found(foreign: 9, docker: true),
            iptables: Found(foreign: 50, tables: ["ip filter"]), backend: .nftables, reason: "Docker's rules"),
        Case(
            testDescription: "Docker and others in both", nftables: Found(foreign: 1, docker: true),
            iptables: Found(foreign: 1, docker: true, tables: ["ip nat"]), backend: .nftables,
            reason: "nothing speaks for"),
        Case(
            testDescription: "Docker in both, ours in legacy", nftables: Found(foreign: 1, docker: true),
            iptables: Found(foreign: 1, docker: true, ours: true, tables: ["ip nat"]), backend: .iptables,
            reason: "our own rules"),
        Case(
            testDescription: "other rules in legacy only", iptables: Found(foreign: 3, tables: ["ip filter"]),
            backend: .iptables, reason: "other live rules"),
        Case(
            testDescription: "other rules in nf_tables only", nftables: Found(foreign: 3),
            iptables: Found(tables: ["ip filter"]), backend: .nftables, reason: "other live rules"),
        Case(
            testDescription: "ours in nf_tables", nftables: Found(ours: true), iptables: Found(tables: ["ip filter"]),
            backend: .nftables, reason: "our own rules"),
        Case(
            testDescription: "ours in both", nftables: Found(ours: true),
            iptables: Found(ours: true, tables: ["ip nat"]),
            backend: .nftables, reason: "nothing speaks for"),
        Case(
            testDescription: "ours in nf_tables, others' in legacy", nftables: Found(ours: true),
            iptables: Found(foreign: 3, tables: ["ip filter"]), backend: .nftables, reason: "our own rules"),
        Case(
            testDescription: "empty legacy tables only", iptables: Found(tables: ["ip filter"]), backend: .iptables,
            reason: "its tables exist"),
        Case(
            testDescription: "nothing yet, and a legacy iptables", flavour: .iptables, backend: .iptables,
            reason: "the host's own iptables writes to it"),
        Case(
            testDescription: "rules in nf_tables, and a legacy iptables", nftables: Found(foreign: 3),
            flavour: .iptables, backend: .nftables, reason: "other live rules"),
        Case(
            testDescription: "no nf_tables in the kernel", nftables: Found(isMissing: true), backend: .iptables,
            reason: "this kernel has no nftables"),
        Case(
            testDescription: "no legacy in the kernel", nftables: Found(foreign: 1), iptables: Found(isMissing: true),
            backend: .nftables, reason: "other live rules"),
    ]

    @Test("follows what is live, and says why", arguments: cases)
    func choose(_ this: Case) throws {
        let choice = try BackendChoice.choose(
            requested: this.requested, Self.observation(this.nftables, this.iptables, this.flavour))
        #expect(choice.backend == this.backend)
        #expect(
            choice.evidence.first?.hasPrefix("\(this.backend.rawValue): \(this.reason)") == true, "\(choice.evidence)")
        #expect(choice.evidence.count >= 3)
        let hasConflict = this.nftables.ours && this.iptables.ours
        #expect(choice.evidence.contains { $0.hasPrefix("conflict: ") } == hasConflict)
    }

    @Test("fails where the asked-for backend is missing, rather than taking the other", arguments: BackendKind.allCases)
    func requestedIsMissing(_ kind: BackendKind) throws {
        let failure = try #require(throws: Failure.self) {
            try BackendChoice.choose(
                requested: kind,
                Self.observation(Found(isMissing: kind == .nftables), Found(isMissing: kind == .iptables)))
        }
        #expect(failure.kind == .unsupported)
        #expect(failure.subject == "no \(kind.rawValue) here")
    }

    @Test("fails where the kernel has neither")
    func neither() {
        let missing = Found(isMissing: true)
        #expect(throws: Failure.self) {
            try BackendChoice.choose(requested: nil, Self.observation(missing, missing))
        }
    }
}
