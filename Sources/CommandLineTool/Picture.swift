import Model

/// The packets' ways in one small drawing. Pure.
///
///     container ── docker+ ─┬─ nat ─▶ agent :51679             12 packets  ok
///                           ├─✗ IMDS 169.254.169.254           3 packets  ok
///                           └─✗ IMDS fd00:ec2::254             0 packets  ok
///     neighbour ──────────────✗ 127.0.0.1                      0 packets  ok
struct Picture {
    let palette: Palette
    /// Whether the characters of Unicode's block "Box Drawing" may be used.
    let isUnicode: Bool

    /// The drawing, with a line break at its end; empty where there is no way.
    func draw(_ ways: [Way]) -> String {
        let trunks = ways.map { Self.trunk($0) }
        let width = trunks.map(\.count).max() ?? 0
        let lines = ways.indices.map { index in
            let isFirst = index == 0 || trunks[index] != trunks[index - 1]
            let isLast = index == ways.count - 1 || trunks[index] != trunks[index + 1]
            return line(
                ways[index], stem: isFirst ? stem(ways[index], width) : String(repeating: " ", count: width + 6),
                branch: branch(isFirst: isFirst, isLast: isLast))
        }
        return palette.shown(lines.joined())
    }

    /// How many columns the names of bridges may take.
    private static let bridgeWidth = 14

    /// The part that ways share: who sends, and the bridges.
    private static func trunk(_ way: Way) -> String { way.source + bridges(way) }

    private static func bridges(_ way: Way) -> String {
        let names = way.bridges.joined(separator: ",")
        return names.count <= bridgeWidth ? names : "\(way.bridges.count) patterns"
    }

    /// `container ── docker+ ─`, as long as the longest of them.
    private func stem(_ way: Way, _ width: Int) -> String {
        let bridges = Self.bridges(way)
        let source = way.source + " " + horizontal(1)
        let text = bridges.isEmpty ? source : source + horizontal(1) + " " + bridges + " "
        return text + horizontal(width + 6 - text.count)
    }

    private func line(_ way: Way, stem: String, branch: String) -> String {
        let isOpen = way.outcome == .failed ? !way.isMeantOpen : way.isMeantOpen
        let isTold = way.outcome != .undecided
        let nat = way.isTranslated ? horizontal(1) + " nat " : ""
        let tip = isTold ? (isOpen ? arrow : cross) : "?"
        let course = nat + horizontal(1) + tip + " " + way.target
        let painted =
            switch way.outcome {
            case .passed?: palette.green(course)
            case .failed?: palette.red(course)
            case .undecided?: palette.yellow(course)
            case .skipped?, nil: course
            }
        let count = way.packets.map { "\($0)" } ?? "no"
        let noun = way.packets.map { $0 == 1 ? " packet " : " packets" } ?? " rule   "
        let padding = String(repeating: " ", count: max(1, 24 - course.count) + max(1, 11 - count.count))
        let outcome = word(way.outcome)
        return stem + branch + painted + padding + count + (outcome.isEmpty ? noun.trimmedEnd : noun + outcome) + "\n"
    }

    private func word(_ outcome: Check.Outcome?) -> String {
        switch outcome {
        case .passed?: "  " + palette.green("ok")
        case .failed?: "  " + palette.red("FAIL")
        case .undecided?: "  " + palette.yellow("??")
        case .skipped?: "  " + palette.dim("skip")
        case nil: ""
        }
    }

    private func horizontal(_ count: Int) -> String { String(repeating: isUnicode ? "─" : "-", count: max(count, 0)) }

    private var arrow: String { isUnicode ? "▶" : ">" }
    private var cross: String { isUnicode ? "✗" : "x" }

    private func branch(isFirst: Bool, isLast: Bool) -> String {
        switch (isFirst, isLast) {
        case (true, true): horizontal(1)
        case (true, false): isUnicode ? "┬" : "+"
        case (false, false): isUnicode ? "├" : "+"
        case (false, true): isUnicode ? "└" : "`"
        }
    }
}

extension String {
    /// Without the blanks at its end.
    fileprivate var trimmedEnd: String { String(reversed().drop { $0 == " " }.reversed()) }
}
