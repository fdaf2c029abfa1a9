import Glibc
import Laboratory
import Reliability

guard getuid() == 0 else {
    print("make test-storm makes network namespaces and needs root: sudo make test-storm")
    exit(2)
}

/// `storm DIVISOR [TITLE]`: which part of the usual number of changes and runs is made, and in which scenarios alone. All of
/// them, 1, write the page.
let arguments = CommandLine.arguments
guard arguments.count == 2 || arguments.count == 3, let divisor = Int(arguments[1]), (1...50).contains(divisor) else {
    print("usage: storm DIVISOR [TITLE], the divisor from 1 to 50")
    exit(2)
}

private let title = arguments.count == 3 ? arguments[2] : nil
private let changes = 1000 / divisor
private let applies = 200 / divisor
private let backends = ["nftables", "iptables"]

/// - Returns: whether all held.
private func measureLeaks() throws -> Bool {
    let rows = try backends.flatMap { backend in
        try LeakMeter(backend: backend).run(changes: changes).map { row in
            print("\(backend), \(changes) changes: \(row.what): \(row.tried) tried, \(row.failed) failed")
            fflush(nil)
            return (backend: backend, row: row)
        }
    }
    let failed = rows.map(\.row.failed).reduce(0, +)
    if divisor == 1 {
        var page = try ReliabilityPage()
        try page.publish(
            .leaks, .init(tried: rows.map(\.row.tried).reduce(0, +), failed: failed),
            head: ["backend", "changes", "what", "sent", "got through or failed"],
            rows: rows.map { [$0.backend, "\(changes)", $0.row.what, "\($0.row.tried)", "\($0.row.failed)"] })
    }
    return failed == 0 && rows.allSatisfy { $0.row.tried > 0 }
}

/// What a restart of Docker leaves where nobody else is.
private func dockerRules(_ flavour: String) throws -> [String] {
    let lab = try Laboratory.Bare()
    try lab.host.require(["sh", "-euc", DockerRestart.script(flavour)])
    let lines = try lab.host.require(Writer.dockerRules(flavour)).split(separator: "\n").map(String.init)
    return lines.filter { $0.contains("ocker") }
}

/// - Returns: whether all held.
private func runScenarios() throws -> Bool {
    try Concurrency.requireControl()
    var rows: [(title: String, backend: String, outcome: Concurrency.Outcome)] = []
    for backend in backends {
        let docker = try dockerRules(backend == "nftables" ? "nft" : "legacy")
        for scenario in Scenario.all(backend, docker: docker) where title.map(scenario.title.contains) ?? true {
            let isQuick = scenario.holder == nil
            let outcome = try Concurrency(scenario: scenario).run(applies: isQuick ? applies : max(applies / 10, 2))
            rows.append((scenario.title, backend, outcome))
            print(
                "\(backend), \(scenario.title): \(outcome.applies) runs, \(outcome.changes) changes by others,"
                    + " \(outcome.refused) refused with a reason, \(outcome.problems.count) failed")
            for problem in outcome.problems.prefix(5) { print("  \(problem)") }
            fflush(nil)
        }
    }
    let failed = rows.map(\.outcome.problems.count).reduce(0, +)
    if divisor == 1, title == nil {
        var page = try ReliabilityPage()
        try page.publish(
            .concurrency, .init(tried: rows.map(\.outcome.applies).reduce(0, +), failed: failed),
            head: ["who else writes", "backend", "runs", "changes by others", "refused with a reason", "failed"],
            rows: rows.map { row in
                [row.title, row.backend]
                    + [row.outcome.applies, row.outcome.changes, row.outcome.refused, row.outcome.problems.count].map(
                        String.init)
            })
    }
    return failed == 0 && !rows.isEmpty
}

do {
    let leaksNothing = try title != nil || measureLeaks()
    let losesNothing = try runScenarios()
    exit(leaksNothing && losesNothing ? 0 : 1)
} catch {
    print("make test-storm: \(error)")
    exit(2)
}
