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
    /// What changes in a file, a line each that begins with its own sign; empty where the text says it all.
    var details: [String] = []
    /// Nil for lines that belong to the one above.
    let why: String?

    /// All lines of a decision, in the order in which they are carried out.
    static func lines(of decision: Decision) -> [ChangeLine] {
        let disk = diskLines(of: decision)
        return decision.plan.needsRouteLocalnet ? kernelLines(of: decision) + disk : disk + kernelLines(of: decision)
    }

    /// Those that tell of files and services.
    static func diskLines(of decision: Decision) -> [ChangeLine] {
        decision.persistence.steps.flatMap { lines(of: $0, root: decision.observed.disk.root) }
    }

    private static func kernelLines(of decision: Decision) -> [ChangeLine] {
        let rules = decision.changes.flatMap { part in
            let planned = part.backend == decision.choice.backend ? decision.plan.rules.map(\.rule) : []
            return lines(of: part, planned: planned, installed: decision.observed[part.backend])
        }
        guard let change = decision.sysctl else { return rules }
        let line = ChangeLine(
            sign: .alter, text: "sysctl -w \(change.name)=\(change.to)", why: "was \(change.from); \(change.why)")
        return decision.plan.needsRouteLocalnet ? rules + [line] : [line] + rules
    }

    /// - Parameter root: the folder of an image; empty for the machine itself.
    private static func lines(of step: PersistenceStep, root: String) -> [ChangeLine] {
        switch step {
        case .folder(let path): return [ChangeLine(sign: .add, text: path + "/", why: nil)]
        case .emptyFolder(let path):
            return [ChangeLine(sign: .remove, text: path + "/", why: "it was not there before")]
        case .obstacle(let obstacle): return [line(of: obstacle)]
        case .service(let action):
            let sign: Sign =
                switch action.verb {
                case .enable, .start: .add
                case .disable, .stop: .remove
                case .reload: .alter
                }
            return [ChangeLine(sign: sign, text: action.command(below: root), why: action.why)]
        case .file(let change):
            let sign: Sign = change.before == nil ? .add : change.after == nil ? .remove : .alter
            return [ChangeLine(sign: sign, text: change.path, details: change.details, why: change.why)]
        }
    }

    private static func lines(
        of part: BackendChanges, planned: [Rule], installed: InstalledRuleset
    ) -> [ChangeLine] {
        if part.changes.isEmpty { return [] }
        switch part.backend {
        case .iptables:
            return commands(part.changes) { rule in
                let chain = planned.filter { $0.place == rule.place && $0.family == rule.family }
                return IptablesSpelling.insert(rule, position: (chain.firstIndex(of: rule) ?? 0) + 1)
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
            return part.changes.compactMap(structure) + removed
        }
        let made = NftSpelling.addChains(
            for: planned, existing: installed.ownChains, hasTable: !installed.ownTables.isEmpty)
        return made.map { ChangeLine(sign: .add, text: $0, why: nil) }
            + commands(part.changes) { rule in
                let position = planned.filter { $0.place == rule.place }.firstIndex(of: rule)
                let isNew = !installed.ownChains.contains(rule.place.baseChain.name)
                return NftSpelling.add(rule, position: isNew ? nil : position)
            }
    }

    /// What is wrong with the structure, then the deletions, then the additions in the plan's order: typed one after
    /// the other, each finds its place.
    ///
    /// - Parameter added: spells the command that adds a rule.
    private static func commands(_ changes: [Change], added: (Rule) -> String) -> [ChangeLine] {
        changes.compactMap(structure) + changes.compactMap(deletion)
            + changes.compactMap { change in
                switch change {
                case .add(let rule): ChangeLine(sign: .add, text: added(rule.rule), why: rule.why)
                case .move(_, let rule), .alter(_, let rule):
                    ChangeLine(sign: .alter, text: added(rule.rule), why: rule.why)
                default: nil
                }
            }
    }

    private static func line(of obstacle: Obstacle) -> ChangeLine {
        ChangeLine(sign: .alter, text: obstacle.what, why: "only its owner can take it away: \(obstacle.advice)")
    }

    private static func structure(_ change: Change) -> ChangeLine? {
        switch change {
        case .repair(let text): ChangeLine(sign: .alter, text: text, why: "the table is made anew")
        case .obstacle(let obstacle): line(of: obstacle)
        default: nil
        }
    }

    private static func deletion(_ change: Change) -> ChangeLine? {
        switch change {
        case .remove(let old):
            ChangeLine(
                sign: .remove, text: spell(removing: old, at: nil), why: old.handle > 0 ? old.rule?.title : nil)
        case .move(let old, let rule):
            ChangeLine(
                sign: .alter, text: spell(removing: old, at: rule.rule.place), why: "is there, but not at its place")
        case .alter(let old, let rule):
            ChangeLine(
                sign: .alter, text: spell(removing: old, at: rule.rule.place), why: "is now: \(describe(old))")
        default: nil
        }
    }

    private static func describe(_ installed: InstalledRule) -> String {
        switch installed.content {
        case .unknown(let text): text
        case .rule(let rule):
            installed.handle > 0 ? NftSpelling.specification(rule) : IptablesSpelling.specification(rule)
        }
    }

    /// Only nf_tables has handles, by which a rule can be deleted without being understood.
    private static func spell(removing installed: InstalledRule, at place: Place?) -> String {
        switch installed.content {
        case .unknown(let text):
            if let place, installed.handle > 0 { NftSpelling.delete(at: place, handle: installed.handle) } else { text }
        case .rule(let rule):
            installed.handle > 0
                ? NftSpelling.delete(at: rule.place, handle: installed.handle) : IptablesSpelling.delete(rule)
        }
    }
}
