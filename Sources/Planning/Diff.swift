package import Model

/// The comparison of what is desired with what is there.
package enum Diff {
    /// The changes that make the installed rules equal to the plan's, in the plan's order.
    package static func changes(from installed: InstalledRuleset, to rules: [PlannedRule]) -> [Change] {
        var changes = installed.obstacles.map(Change.obstacle) + installed.defects.map(Change.repair)
        var leftOver = installed.rules.filter { $0.rule == nil }
        for family in AddressFamily.allCases {
            for place in Place.allCases {
                let here = { (rule: Rule) in rule.family == family && rule.place == place }
                let list = ListDiff(
                    installed: installed.rules.filter { $0.rule.map(here) ?? false },
                    desired: rules.filter { here($0.rule) })
                changes += list.changes
                leftOver += list.leftOver
            }
        }
        changes += leftOver.map(Change.remove)
        if changes.isEmpty, rules.isEmpty, installed.holdsOurs {
            return [.repair("a table of ours is left, and is empty")]
        }
        return changes
    }

    /// The change of `route_localnet`, if one is due. It is never raised without need: whoever lowered it meanwhile meant to.
    ///
    /// - Parameters:
    ///   - current: the value now.
    ///   - earlier: the value from before this program changed it; nil when it did not.
    package static func sysctlChange(current: String, earlier: String?, plan: Plan) -> SysctlChange? {
        if plan.needsRouteLocalnet {
            guard current != "1" else { return nil }
            return SysctlChange(
                name: Endpoint.routeLocalnet, from: current, to: "1",
                why: "the kernel drops redirected requests to 127.0.0.1 otherwise")
        }
        guard let earlier, current != earlier, current != "0" else { return nil }
        return SysctlChange(
            name: Endpoint.routeLocalnet, from: current, to: earlier,
            why: "nothing needs it any more; this is the value from before")
    }
}

/// The comparison of one chain's rules.
private struct ListDiff {
    private(set) var changes: [Change] = []
    /// What is installed and has no counterpart.
    private(set) var leftOver: [InstalledRule]

    init(installed: [InstalledRule], desired: [PlannedRule]) {
        let partners = Self.longestCommon(installed.map(\.rule), desired.map(\.rule))
        leftOver = installed.enumerated().filter { !partners.contains($0.offset) }.map(\.element)
        for (index, planned) in desired.enumerated() {
            if let partner = partners[index] {
                if planned.rule.place.mustComeFirst, installed[partner].hasForeignRuleAhead {
                    changes.append(.move(installed[partner], to: planned))
                }
            } else if let same = leftOver.firstIndex(where: { $0.rule == planned.rule }) {
                changes.append(.move(leftOver.remove(at: same), to: planned))
            } else if let altered = leftOver.firstIndex(where: { $0.rule?.comment == planned.rule.comment }) {
                changes.append(.alter(leftOver.remove(at: altered), to: planned))
            } else {
                changes.append(.add(planned))
            }
        }
    }

    /// The longest run of rules that stand in both lists in the same order: for each desired rule the index of the
    /// installed one, or nil.
    private static func longestCommon(_ installed: [Rule?], _ desired: [Rule]) -> [Int?] {
        // The usual case, and the fast one.
        if installed.elementsEqual(desired.map(Optional.some)) { return Array(desired.indices) }
        var lengths = Array(repeating: Array(repeating: 0, count: desired.count + 1), count: installed.count + 1)
        for i in installed.indices.reversed() {
            for j in desired.indices.reversed() {
                lengths[i][j] =
                    installed[i] == desired[j] ? lengths[i + 1][j + 1] + 1 : max(lengths[i + 1][j], lengths[i][j + 1])
            }
        }
        var partners = [Int?](repeating: nil, count: desired.count)
        var (i, j) = (0, 0)
        while i < installed.count, j < desired.count {
            if installed[i] == desired[j] {
                partners[j] = i
                i += 1
                j += 1
            } else if lengths[i + 1][j] >= lengths[i][j + 1] {
                i += 1
            } else {
                j += 1
            }
        }
        return partners
    }
}
