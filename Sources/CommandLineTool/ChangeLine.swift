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
            let planned = part.backend == decision.choice.backend ? decision.plan.rules.map(\.rule) : []
            return lines(of: part, planned: planned, installed: decision.observed[part.backend])
        }
        guard let change = decision.sysctl else { return rules }
        let line = line(of: .sysctl(change)) { _ in "" }
        return decision.plan.needsRouteLocalnet ? rules + [line] : [line] + rules
    }

    private static func lines(
        of part: BackendChanges, planned: [Rule], installed: InstalledRuleset
    ) -> [ChangeLine] {
        if part.changes.isEmpty { return [] }
        switch part.backend {
        case .iptables:
            return part.changes.map { change in
                line(of: change) { rule in
                    let chain = planned.filter { $0.place == rule.place && $0.family == rule.family }
                    return IptablesSpelling.insert(rule, position: (chain.firstIndex(of: rule) ?? 0) + 1)
                }
            }
        case .nftables: return nftLines(of: part, planned: planned, installed: installed)
        }
    }

    private static func nftLines(
        of part: BackendChanges, planned: [Rule], installed: InstalledRuleset
    ) -> [ChangeLine] {
        if planned.isEmpty {
            let removed = installed.ownTables.map { table in
                ChangeLine(
                    sign: .remove, text: NftSpelling.deleteTable(table),
                    why: "with its \(installed.rules.count == 1 ? "rule" : "\(installed.rules.count) rules")")
            }
            return obstacles(in: part) + removed
        }
        let made = NftSpelling.addChains(
            for: planned, existing: installed.ownChains, hasTable: !installed.ownTables.isEmpty)
        return made.map { ChangeLine(sign: .add, text: $0, why: nil) }
            + part.changes.map { change in
                line(of: change) { rule in
                    let position = planned.filter { $0.place == rule.place }.firstIndex(of: rule)
                    let isNew = !installed.ownChains.contains(rule.place.baseChain.name)
                    return NftSpelling.add(rule, position: isNew ? nil : position)
                }
            }
    }

    private static func obstacles(in part: BackendChanges) -> [ChangeLine] {
        part.changes.compactMap { if case .obstacle = $0 { line(of: $0) { _ in "" } } else { nil } }
    }

    /// - Parameter added: spells the command that adds a rule.
    private static func line(of change: Change, added: (Rule) -> String) -> ChangeLine {
        switch change {
        case .add(let rule): ChangeLine(sign: .add, text: added(rule.rule), why: rule.why)
        case .move(let rule):
            ChangeLine(sign: .alter, text: added(rule.rule), why: "is there, but not at its place; \(rule.why)")
        case .alter(let old, let rule):
            ChangeLine(
                sign: .alter, text: added(rule.rule), why: "was altered to: \(describe(old)); \(rule.why)")
        case .remove(let old): ChangeLine(sign: .remove, text: spell(removing: old), why: reason(removing: old))
        case .repair(let text): ChangeLine(sign: .alter, text: text, why: "the table is made anew")
        case .obstacle(let obstacle):
            ChangeLine(
                sign: .alter, text: obstacle.what, why: "only its owner can take it away: \(obstacle.advice)")
        case .sysctl(let change):
            ChangeLine(
                sign: .alter, text: "sysctl -w \(change.name)=\(change.to)", why: "was \(change.from); \(change.why)")
        }
    }

    private static func reason(removing installed: InstalledRule) -> String {
        installed.rule.map { "\($0.title): not asked for" } ?? "a rule of ours that was altered"
    }

    private static func describe(_ installed: InstalledRule) -> String {
        switch installed.content {
        case .unknown(let text): text
        case .rule(let rule):
            installed.handle > 0 ? NftSpelling.specification(rule) : IptablesSpelling.specification(rule)
        }
    }

    /// Only nf_tables has handles.
    private static func spell(removing installed: InstalledRule) -> String {
        switch installed.content {
        case .unknown(let text): text
        case .rule(let rule):
            installed.handle > 0 ? NftSpelling.delete(rule, handle: installed.handle) : IptablesSpelling.delete(rule)
        }
    }
}
