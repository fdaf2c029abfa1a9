import Laboratory
import Testing

/// One question that packets answer: who can reach what.
struct Reachability: Sendable {
    let from: @Sendable (Laboratory) -> Namespace
    let address: String
    let port: UInt16
    /// The service that answers; nil when none does.
    let service: String?
    let meaning: String

    func check(_ lab: Laboratory, _ moment: String) throws {
        let outcome = try from(lab).reach(address, port: port, timeout: 250)
        if let service {
            #expect(outcome == .answered(service), "\(moment): \(meaning)")
        } else {
            #expect(!outcome.isAnswered, "\(moment): \(meaning)")
        }
    }

    static func reaches(
        _ from: @escaping @Sendable (Laboratory) -> Namespace, _ address: String, _ port: UInt16, _ service: String,
        _ meaning: String
    ) -> Reachability {
        Reachability(from: from, address: address, port: port, service: service, meaning: meaning)
    }

    static func fails(
        _ from: @escaping @Sendable (Laboratory) -> Namespace, _ address: String, _ port: UInt16, _ meaning: String
    ) -> Reachability {
        Reachability(from: from, address: address, port: port, service: nil, meaning: meaning)
    }
}

/// A way in which a host comes to differ from what was applied.
enum Drift: String, CaseIterable, Sendable {
    case ruleDeleted
    case rulesetFlushed
    case tableDormant
    case sysctlReset

    /// Whether the drift exists for that backend and those modes.
    func applies(to backend: Backend, hasSysctl: Bool) -> Bool {
        switch self {
        case .tableDormant: backend == .nftables
        case .sysctlReset: hasSysctl
        case .ruleDeleted, .rulesetFlushed: true
        }
    }

    /// Brings it about, with the stock tools.
    func happen(on lab: Laboratory, _ backend: Backend) throws {
        switch (self, backend) {
        case (.ruleDeleted, .nftables): try deleteLastNftRule(lab)
        case (.ruleDeleted, .iptables): try deleteLastLegacyRule(lab)
        case (.rulesetFlushed, .nftables): try lab.host.require(["nft", "flush", "ruleset"])
        case (.rulesetFlushed, .iptables): try lab.host.flushLegacyTables()
        case (.tableDormant, _):
            try lab.host.require(["nft", "add", "table", "inet", "ecs-netsetup", "{ flags dormant; }"])
        case (.sysctlReset, _): try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
        }
    }

    private func deleteLastNftRule(_ lab: Laboratory) throws {
        let lines = try lab.host.require(["nft", "-a", "list", "table", "inet", "ecs-netsetup"]).split(separator: "\n")
        var chain = ""
        var last: (chain: String, handle: String)?
        for line in lines {
            let words = line.split(separator: " ").map { $0.trimmingTabs() }
            if words.first == "chain", words.count > 1 { chain = words[1] }
            if line.contains("ecs-netsetup: "), let handle = words.last { last = (chain, handle) }
        }
        let rule = try #require(last)
        try lab.host.require(["nft", "delete", "rule", "inet", "ecs-netsetup", rule.chain, "handle", rule.handle])
    }

    private func deleteLastLegacyRule(_ lab: Laboratory) throws {
        for table in ["nat", "mangle"] {
            for chain in ["PREROUTING", "OUTPUT", "INPUT", "FORWARD"] {
                let listed = try lab.host.execute(["iptables-legacy", "-w", "-t", table, "-S", chain]).output
                let rules = listed.split(separator: "\n").filter { $0.hasPrefix("-A") }
                guard let index = rules.firstIndex(where: { $0.contains("ecs-netsetup: ") }) else { continue }
                try lab.host.require(["iptables-legacy", "-w", "-t", table, "-D", chain, "\(index + 1)"])
                return
            }
        }
        Issue.record("no rule of ours to delete")
    }
}

extension Namespace {
    /// Takes everybody's legacy rules away.
    func flushLegacyTables() throws {
        for table in ["filter", "nat", "mangle"] { try require(["iptables-legacy", "-w", "-t", table, "-F"]) }
        for table in ["filter", "mangle"] { try require(["ip6tables-legacy", "-w", "-t", table, "-F"]) }
    }
}

extension Substring {
    fileprivate func trimmingTabs() -> String { String(filter { $0 != "\t" }) }
}

/// What a mode promises, and the whole life of it: before, applied, applied again, drifted, mended, removed.
struct Lifecycle: Sendable {
    let options: [String]
    var hasSysctl = true
    /// What verify ends with once all of it is applied: 1 where a bridge is left open.
    var statusOfVerify: CInt = 0
    /// Sets the host up, after the foreign rules are in place.
    var prepare: @Sendable (Laboratory) throws -> Void = { _ in }
    /// What holds with and without us.
    var always: [Reachability] = []
    let before: [Reachability]
    let after: [Reachability]

    func run(_ backend: Backend) throws {
        let lab = try Laboratory()
        defer { lab.stop() }
        try ForeignRules.install(on: lab, backend)
        try prepare(lab)
        try check(lab, always + before, "before")
        let configuration = try Live.PersistenceTests.configuration(lab.host)
        try change(lab, backend, "apply", expecting: 0)
        try check(lab, always + after, "applied")
        try applyAgain(lab, backend)
        for drift in Drift.allCases where drift.applies(to: backend, hasSysctl: hasSysctl) {
            try drift.happen(on: lab, backend)
            // Whoever flushes others' rules puts them back.
            if drift == .rulesetFlushed { try prepare(lab) }
            try expect(lab, backend, "verify", 1, "after \(drift)")
            try change(lab, backend, "apply", expecting: 0)
            try expect(lab, backend, "verify", statusOfVerify, "mended after \(drift)")
        }
        try check(lab, always + after, "mended")
        try change(lab, backend, "remove", expecting: 0)
        #expect(try Witness(lab: lab).ourRules() == "", "nothing of ours is left")
        #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        #expect(try lab.host.execute(["ls", "/var/lib/ecs-netsetup"]).status != 0, "the record is gone")
        #expect(try Live.PersistenceTests.configuration(lab.host) == configuration, "no file is left or changed")
        try check(lab, always + before, "removed")
    }

    private func applyAgain(_ lab: Laboratory, _ backend: Backend) throws {
        let rules = try Witness(lab: lab).ourRules()
        let again = try change(lab, backend, "apply", expecting: 0)
        #expect(again.output.hasPrefix("nothing to do"))
        #expect(try Witness(lab: lab).ourRules() == rules, "the second apply writes nothing")
    }

    private func check(_ lab: Laboratory, _ expectations: [Reachability], _ moment: String) throws {
        for expectation in expectations { try expectation.check(lab, moment) }
    }

    /// Runs a command that may change the host, and holds the foreign rules against what they were before it.
    @discardableResult
    private func change(
        _ lab: Laboratory, _ backend: Backend, _ command: String, expecting status: CInt
    ) throws -> ProgramResult {
        let foreign = try Witness(lab: lab).foreignRules()
        let result = try expect(lab, backend, command, status, command)
        try lab.host.restartAgent()
        #expect(try Witness(lab: lab).foreignRules().withoutEmptyTables == foreign.withoutEmptyTables)
        return result
    }

    @discardableResult
    private func expect(
        _ lab: Laboratory, _ backend: Backend, _ command: String, _ status: CInt, _ moment: String
    ) throws -> ProgramResult {
        let arguments = command == "remove" ? [command] : [command, "--backend", backend.rawValue] + options
        let result = try lab.netsetup(arguments)
        #expect(result.status == status, "\(moment): \(command): \(result.output)\(result.errors)")
        return result
    }
}

extension String {
    /// Without the headings of legacy tables that hold no rule: apply makes tables, and nobody can unmake them.
    fileprivate var withoutEmptyTables: [Substring] {
        split(separator: "\n").filter { $0.hasPrefix("-") || $0.contains("\t") || $0.hasPrefix("table") }
    }
}
