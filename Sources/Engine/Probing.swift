import Host
import Model
import Planning

extension Engine {
    /// Proves by packets what the settings promise.
    ///
    /// - Parameter milliseconds: how long to wait for an answer or for a rule to count.
    /// - Returns: what was found; a report with an obstacle where nothing could be sent.
    func probe(_ decision: Decision, for settings: Settings, milliseconds: Int) -> ProbeReport {
        guard let probe = packetProbe, !host.isImage else { return ProbeReport(obstacle: "there is no host to probe") }
        do throws(Failure) {
            let plan = ProbePlan(settings: settings, plan: decision.plan, bridges: try probe.bridges())
            if plan.joins.isEmpty, plan.others.isEmpty {
                let isAwaitingTasks = !settings.modes.contains(.bridge) && settings.modes.contains(.awsvpc)
                return isAwaitingTasks ? ProbeReport() : ProbeReport(obstacle: Self.noBridge(settings))
            }
            let backend = backend(decision.choice.backend)
            let probes = try probe.probe(
                plan.joins, milliseconds: milliseconds,
                counters: { () throws(Failure) in try Self.counters(of: backend) },
                tracers: [nftables, iptables].compactMap { $0 as? any PacketTracer })
            let unrouted = try host.hasRoute(to: Endpoint.metadata6) ? [] : [Endpoint.metadata6]
            return ProbeReport(bridges: probes + plan.others, forwarding: forwarding, unrouted: Set(unrouted))
        } catch {
            return ProbeReport(obstacle: error.description)
        }
    }

    private static func noBridge(_ settings: Settings) -> String {
        let patterns = settings.modes.contains(.bridge) ? settings.bridgeInterfaces.map(\.description) : []
        let names = patterns + (settings.modes.contains(.awsvpc) ? [Endpoint.taskBridge] : [])
        return "no bridge matches \(names.joined(separator: " or "))"
    }

    /// Our rules' packet counters. A change of the rules in between is waited out.
    private static func counters(of backend: any RulesetBackend) throws(Failure) -> [Rule: UInt64] {
        let limit = Deadline(milliseconds: 100)
        while true {
            do throws(Failure) {
                return Dictionary(
                    try backend.read(.look).rules.compactMap { rule in rule.rule.map { ($0, rule.packets) } },
                    uniquingKeysWith: +)
            } catch let error where error.kind == .concurrentChange && !limit.hasPassed {
                limit.pause(milliseconds: 1)
            }
        }
    }

    /// Whether the host forwards packets at all.
    private var forwarding: Set<AddressFamily> {
        Set(
            AddressFamily.allCases.filter { family in
                do throws(Failure) { return try host.sysctl(ProbeReport.parameter(family)) != "0" } catch {
                    return false
                }
            })
    }
}
