import Engine
import Model
import Planning

/// The checks as gauges in Prometheus' text format (version 0.0.4), for the node exporter's textfile collector.
enum PrometheusReport {
    /// - Parameter now: seconds since 1970.
    static func checks(_ verification: Verification, request: Request, now: UInt64) -> String {
        let checks = verification.checks
        let count = { (outcome: Check.Outcome) in UInt64(verification.checks(outcome).count) }
        let backend = verification.decision.choice.backend.rawValue
        return document([
            up(true), lastRun(now),
            Family(
                "ecs_netsetup_info", "What was looked at, and by which version.",
                [
                    Sample(
                        [("version", Tool.version), ("backend", backend), ("modes", TextReport.modes(request))], 1)
                ]),
            Family(
                "ecs_netsetup_check", "1 where a check passed, 0 where it failed; none where it was not decided.",
                checks.filter { $0.outcome == .passed || $0.outcome == .failed }.map {
                    Sample(labels($0), $0.outcome == .passed ? 1 : 0)
                }, joining: min),
            Family(
                "ecs_netsetup_check_undecided", "1 where a check could not be decided, 0 where it was.",
                checks.filter { $0.outcome != .skipped }.map { Sample(labels($0), $0.outcome == .undecided ? 1 : 0) },
                joining: max),
            Family("ecs_netsetup_checks_failed", "How many checks failed.", count(.failed)),
            Family("ecs_netsetup_checks_undecided", "How many checks could not be decided.", count(.undecided)),
            Family("ecs_netsetup_checks_skipped", "How many checks had nothing to look at.", count(.skipped)),
            rulePackets(verification.decision.observed),
        ])
    }

    static func failure(now: UInt64) -> String { document([up(false), lastRun(now)]) }

    private static func up(_ isUp: Bool) -> Family {
        Family("ecs_netsetup_up", "Whether the checks could be run at all.", isUp ? 1 : 0)
    }

    private static func lastRun(_ now: UInt64) -> Family {
        Family("ecs_netsetup_last_run_timestamp_seconds", "When the checks were last run.", now)
    }

    private static func labels(_ check: Check) -> [(String, String)] {
        [("id", check.kind.identifier), ("title", check.title), ("severity", check.kind.severity.rawValue)]
    }

    /// The rules' own counters, which begin anew when `apply` replaces the rules.
    private static func rulePackets(_ observation: Observation) -> Family {
        let samples = [observation.nftables, observation.iptables].flatMap { installed in
            installed.rules.compactMap { rule in
                rule.rule.map {
                    Sample(
                        [
                            ("backend", installed.backend.rawValue), ("place", $0.place.rawValue),
                            ("family", $0.family.rawValue), ("title", $0.title),
                        ], rule.packets)
                }
            }
        }
        return Family(
            "ecs_netsetup_rule_packets_total", "How many packets a rule has counted.", type: "counter", samples,
            joining: { $0 &+ $1 })
    }

    private static func document(_ families: [Family]) -> String { families.map(\.text).joined() }
}

/// A value with its labels.
private struct Sample {
    let labels: String
    let value: UInt64

    init(_ labels: [(String, String)], _ value: UInt64) {
        self.labels = labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
        self.value = value
    }

    fileprivate init(labels: String, _ value: UInt64) { (self.labels, self.value) = (labels, value) }

    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

/// All samples of one name.
private struct Family {
    private let name: String
    private let help: String
    private let type: String
    private let samples: [Sample]

    /// - Parameter joining: what two samples with the same labels become, as a collector refuses the whole file otherwise.
    init(
        _ name: String, _ help: String, type: String = "gauge", _ samples: [Sample],
        joining join: (UInt64, UInt64) -> UInt64 = { $1 }
    ) {
        (self.name, self.help, self.type) = (name, help, type)
        var joined: [Sample] = []
        for sample in samples {
            if let index = joined.firstIndex(where: { $0.labels == sample.labels }) {
                joined[index] = Sample(labels: sample.labels, join(joined[index].value, sample.value))
            } else {
                joined.append(sample)
            }
        }
        self.samples = joined
    }

    /// One sample without labels.
    init(_ name: String, _ help: String, _ value: UInt64) {
        self.init(name, help, [Sample(labels: "", value)])
    }

    /// Empty without samples.
    var text: String {
        if samples.isEmpty { return "" }
        let lines = samples.map { $0.labels.isEmpty ? "\(name) \($0.value)" : "\(name){\($0.labels)} \($0.value)" }
        return (["# HELP \(name) \(help)", "# TYPE \(name) \(type)"] + lines).map { $0 + "\n" }.joined()
    }
}
