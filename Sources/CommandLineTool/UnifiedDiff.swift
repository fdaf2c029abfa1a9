import Engine
import Model
import Planning

/// Captured rules of ours against those of the plan, as `diff -u` has it: a hunk a chain, a line a rule. It is for people, and
/// no patch that a program could apply.
struct UnifiedDiff {
    /// What is compared: where the lines stand, and what they are.
    private struct Hunk {
        let place: String
        let old: [String]
        let new: [String]
    }

    let palette: Palette

    /// The lines; none where nothing differs.
    ///
    /// - Parameter plan: what to call the plan.
    func lines(of decision: Decision, plan: String) -> [String] {
        let hunks = decision.changes.flatMap { part in
            part.changes.isEmpty ? [] : Self.hunks(of: part, decision)
        }
        let lines = hunks.flatMap(lines)
        if lines.isEmpty { return [] }
        let captured = decision.observed.captured?.names.joined(separator: ", ") ?? ""
        return [palette.bold(Self.printable("--- \(captured)")), palette.bold("+++ \(plan)")] + lines
    }

    private static func hunks(of part: BackendChanges, _ decision: Decision) -> [Hunk] {
        let installed = decision.observed[part.backend]
        let isChosen = part.backend == decision.choice.backend
        let planned = isChosen ? decision.plan.rules.map(\.rule) : []
        let structure = Hunk(place: "structure", old: comments(part.changes.compactMap(wrong)), new: [])
        let unknown = Hunk(place: "not understood", old: comments(installed.rules.compactMap(unknown)), new: [])
        let chains = AddressFamily.allCases.filter { !isChosen || !decision.uncaptured.contains($0) }.flatMap {
            family in
            Place.allCases.map { place in
                Hunk(
                    place: name(place, family, part.backend), old: old(installed.rules, place, family, part.backend),
                    new: planned.filter { $0.place == place && $0.family == family }.map { spell($0, part.backend) })
            }
        }
        return [structure] + chains + [unknown]
    }

    /// The rules in a chain, and a comment where others' rules come before one that has to come first.
    private static func old(
        _ rules: [InstalledRule], _ place: Place, _ family: AddressFamily, _ backend: BackendKind
    ) -> [String] {
        var lines: [String] = []
        var isTold = !place.mustComeFirst
        for installed in rules {
            guard let rule = installed.rule, rule.place == place, rule.family == family else { continue }
            if installed.hasForeignRuleAhead, !isTold {
                lines.append("# rules of others come first")
                isTold = true
            }
            lines.append(spell(rule, backend))
        }
        return lines
    }

    private static func name(_ place: Place, _ family: AddressFamily, _ backend: BackendKind) -> String {
        switch backend {
        case .nftables: "\(NftSpelling.table) \(place.rawValue), \(family == .ipv4 ? "IPv4" : "IPv6")"
        case .iptables:
            "\(IptablesSpelling.program(family)) -t \(place.stockChain.table), chain \(place.stockChain.chain)"
        }
    }

    private static func spell(_ rule: Rule, _ backend: BackendKind) -> String {
        switch backend {
        case .nftables: NftSpelling.specification(rule)
        case .iptables: "-A \(rule.place.stockChain.chain) \(IptablesSpelling.specification(rule))"
        }
    }

    private static func wrong(_ change: Change) -> String? {
        switch change {
        case .repair(let text): text
        case .obstacle(let obstacle): "\(obstacle.what); \(obstacle.advice)"
        default: nil
        }
    }

    private static func unknown(_ installed: InstalledRule) -> String? {
        if case .unknown(let text) = installed.content { text } else { nil }
    }

    private static func comments(_ texts: [String]) -> [String] { texts.map { "# \($0)" } }

    // MARK: Lines

    private func lines(of hunk: Hunk) -> [String] {
        if hunk.old == hunk.new { return [] }
        let body = Self.merged(hunk.old, hunk.new).map { sign, text in
            let line = Self.printable("\(sign)\(text)")
            return sign == "-" ? palette.red(line) : sign == "+" ? palette.green(line) : line
        }
        let head = "@@ -\(Self.range(hunk.old)) +\(Self.range(hunk.new)) @@"
        return [palette.cyan(head) + " " + hunk.place] + body
    }

    /// First line and number of lines; no line begins at 0.
    private static func range(_ lines: [String]) -> String { "\(lines.isEmpty ? 0 : 1),\(lines.count)" }

    /// The lines of both with their signs. Those that stand in both in the same order are kept, and as many as there can be.
    private static func merged(_ old: [String], _ new: [String]) -> [(sign: Character, text: String)] {
        var lengths = Array(repeating: Array(repeating: 0, count: new.count + 1), count: old.count + 1)
        for i in old.indices.reversed() {
            for j in new.indices.reversed() {
                lengths[i][j] =
                    old[i] == new[j] ? lengths[i + 1][j + 1] + 1 : max(lengths[i + 1][j], lengths[i][j + 1])
            }
        }
        var lines: [(Character, String)] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, j < new.count, old[i] == new[j] {
                lines.append((" ", old[i]))
                i += 1
                j += 1
            } else if i < old.count, j == new.count || lengths[i + 1][j] >= lengths[i][j + 1] {
                lines.append(("-", old[i]))
                i += 1
            } else {
                lines.append(("+", new[j]))
                j += 1
            }
        }
        return lines
    }

    /// With control characters shown, line breaks too: a line is a rule.
    private static func printable(_ text: String) -> String { text.showingControls(keeping: ["\t"]) }
}
