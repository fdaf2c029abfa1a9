import Engine
import Model
import Planning

/// A change as it is told: a sign, the command that a person would type, and the reason.
struct ChangeLine {
    enum Sign: String {
        case add = "+"
        case remove = "-"
        case alter = "~"
    }

    let sign: Sign
    let text: String
    /// Nil for lines that belong to the one above.
    let why: String?

    /// All lines of a decision, in the order in which they are carried out.
    static func lines(of decision: Decision) -> [ChangeLine] {
        let rules = decision.changes.flatMap { part in
            lines(of: part, isFirst: !decision.observed[part.backend].holdsOurs, plan: decision.plan)
        }
        guard let change = decision.sysctl else { return rules }
        let line = ChangeLine(
            sign: .alter, text: "sysctl -w \(change.name)=\(change.to)", why: "was \(change.from); \(change.why)")
        return decision.plan.needsRouteLocalnet ? rules + [line] : [line] + rules
    }

    private static func lines(of part: BackendChanges, isFirst: Bool, plan: Plan) -> [ChangeLine] {
        let planned = plan.rules.map(\.rule)
        var lines: [ChangeLine] = []
        if part.backend == .nftables, isFirst, !part.changes.isEmpty {
            lines = NftSpelling.addChains(for: planned).map { ChangeLine(sign: .add, text: $0, why: nil) }
        }
        return lines + part.changes.map { line(of: $0, backend: part.backend, planned: planned) }
    }

    private static func line(of change: Change, backend: BackendKind, planned: [Rule]) -> ChangeLine {
        func added(_ rule: Rule) -> String { spell(adding: rule, backend: backend, planned: planned) }
        switch change {
        case .add(let rule): return ChangeLine(sign: .add, text: added(rule.rule), why: rule.why)
        case .move(let rule):
            return ChangeLine(
                sign: .alter, text: added(rule.rule), why: "is there, but not at its place; \(rule.why)")
        case .alter(let old, let rule):
            return ChangeLine(
                sign: .alter, text: added(rule.rule), why: "was altered to: \(describe(old, backend)); \(rule.why)")
        case .remove(let old):
            return ChangeLine(
                sign: .remove, text: spell(removing: old, backend: backend),
                why: "\(old.rule.map { "\($0.title): " } ?? "")nothing asks for it")
        case .repair(let text): return ChangeLine(sign: .alter, text: text, why: "the table is made anew")
        case .obstacle(let obstacle):
            return ChangeLine(
                sign: .alter, text: obstacle.what, why: "only its owner can take it away: \(obstacle.advice)")
        case .sysctl(let change):
            return ChangeLine(sign: .alter, text: "sysctl -w \(change.name)=\(change.to)", why: change.why)
        }
    }

    private static func spell(adding rule: Rule, backend: BackendKind, planned: [Rule]) -> String {
        switch backend {
        case .nftables: return NftSpelling.add(rule)
        case .iptables:
            let chain = planned.filter { $0.place == rule.place && $0.family == rule.family }
            return IptablesSpelling.insert(rule, position: (chain.firstIndex(of: rule) ?? 0) + 1)
        }
    }

    private static func spell(removing installed: InstalledRule, backend: BackendKind) -> String {
        guard let rule = installed.rule else { return describe(installed, backend) }
        switch backend {
        case .nftables: return NftSpelling.delete(rule, handle: installed.handle)
        case .iptables: return IptablesSpelling.delete(rule)
        }
    }

    private static func describe(_ installed: InstalledRule, _ backend: BackendKind) -> String {
        switch installed.content {
        case .unknown(let text): text
        case .rule(let rule):
            backend == .nftables ? NftSpelling.specification(rule) : IptablesSpelling.specification(rule)
        }
    }
}
