import Engine
import Model
import Planning

/// Answers for people, with other people's text made safe for a terminal.
struct TextReport {
    let palette: Palette

    /// The changes that a decision asks for, or that were made, with one summary line.
    func changes(_ decision: Decision, request: Request, command: Command) -> String {
        let changes = ChangeLine.lines(of: decision)
        let summary = summary(decision, count: changes.count, request: request, command: command)
        let rules =
            decision.observed.captured == nil
            ? changes.flatMap(lines)
            : UnifiedDiff(palette: palette).lines(of: decision, plan: "plan (\(Self.place(decision, request)))")
                + ChangeLine.diskLines(of: decision).flatMap(lines)
        let lines = rules + [summary]
        return palette.shown(lines.joined(separator: "\n") + "\n")
    }

    private func lines(_ change: ChangeLine) -> [String] {
        let text = "\(change.sign.rawValue) \(change.text)"
        let painted =
            switch change.sign {
            case .add: palette.green(text)
            case .remove: palette.red(text)
            case .alter: palette.yellow(text)
            }
        let details = change.details.map { line in
            line.hasPrefix("-") ? palette.red("    \(line)") : palette.green("    \(line)")
        }
        return [painted] + details + (change.why.map { [palette.dim("      \($0)")] } ?? [])
    }

    private func summary(_ decision: Decision, count: Int, request: Request, command: Command) -> String {
        let place = Self.place(decision, request)
        let changes = count == 1 ? "1 change" : "\(count) changes"
        switch command {
        case .remove:
            let rest =
                decision.persistence.leftovers.isEmpty
                ? "nothing of ecs-netsetup is left" : "what stays is named below"
            return count == 0 ? "nothing to remove" : palette.bold("\(changes) made; \(rest)")
        case .apply:
            return count == 0
                ? "nothing to do: the host matches (\(place))"
                : palette.bold("\(changes) made and read back: the host matches (\(place))")
        default:
            if count == 0, !decision.uncaptured.isEmpty {
                return palette.bold("no difference in what was captured, which is not all that is needed (\(place))")
            }
            return count == 0
                ? "no difference: the host matches (\(place))" : palette.bold("\(changes) to make (\(place))")
        }
    }

    /// Every check with its outcome, failed ones with the reason, and one summary line.
    func checks(_ verification: Verification, request: Request) -> String {
        let checks = verification.checks
        let width = checks.map(\.title.count).max() ?? 0
        var lines = checks.flatMap { told($0, width: width, request: request) }
        let counts = [(Check.Outcome.failed, "failed"), (.undecided, "could not be decided"), (.skipped, "skipped")]
            .compactMap { outcome, word in
                let count = verification.checks(outcome).count
                return count == 0 ? nil : "\(count) \(word)"
            }
        let place = Self.place(verification.decision, request)
        let summary =
            counts.isEmpty
            ? "all \(checks.count) checks passed" : "of \(checks.count) checks, \(counts.joined(separator: ", "))"
        // Once, not with every check that it mends.
        let apply = checks.contains { $0.mend == .apply } ? "; to mend: \(request.command(for: .apply))" : ""
        lines.append(palette.bold("\(summary) (\(place))") + apply)
        return palette.shown(lines.joined(separator: "\n") + "\n")
    }

    private func told(_ check: Check, width: Int, request: Request) -> [String] {
        let (word, paint): (String, (String) -> String) =
            switch check.outcome {
            case .passed: ("ok  ", palette.green)
            case .failed: ("FAIL", palette.red)
            case .undecided: ("??  ", palette.yellow)
            case .skipped: ("skip", palette.dim)
            }
        let head = "\(paint(word))  \(palette.dim(check.kind.identifier))  "
        if check.outcome == .passed {
            return [
                head
                    + (check.evidence.isEmpty
                        ? check.title : pad(check.title, width) + "  " + palette.dim(check.evidence))
            ]
        }
        let indent = String(repeating: " ", count: 19)
        var lines = [head + pad(check.title, width) + "  " + paint(check.evidence)]
        if check.outcome == .skipped { return lines }
        lines.append(palette.dim(indent + check.why))
        if let mend = check.mend, mend != .apply { lines.append(indent + "to mend: " + request.command(for: mend)) }
        return lines
    }

    /// What is live, with counters.
    func status(_ observation: Observation) -> String {
        var lines: [String] = []
        for installed in [observation.nftables, observation.iptables] where installed.holdsOurs {
            let place = installed.backend == .nftables ? "table \(NftSpelling.table)" : "the stock tables"
            lines.append(palette.bold("\(installed.backend.rawValue): \(installed.rules.count) rules in \(place)"))
            lines.append(palette.dim("  \("packets".padded(leftTo: 10))  \("bytes".padded(leftTo: 12))  rule"))
            for rule in installed.rules {
                let packets = "\(rule.packets)".padded(leftTo: 10)
                lines.append("  \(packets)  \("\(rule.bytes)".padded(leftTo: 12))  \(Self.title(rule))")
            }
            lines += (installed.defects + installed.obstacles.map(\.what)).map { palette.red("  \($0)") }
        }
        if lines.isEmpty { lines.append("no rule of ecs-netsetup is installed") }
        if !observation.disk.record.paths.isEmpty {
            lines.append("on disk: \(observation.disk.record.paths.joined(separator: ", "))")
        }
        let earlier = observation.earlierRouteLocalnet.map { " (\($0) before ecs-netsetup)" } ?? ""
        lines.append("\(Endpoint.routeLocalnet) = \(observation.routeLocalnet)\(earlier)")
        return palette.shown(lines.joined(separator: "\n") + "\n")
    }

    /// The packets' ways, drawn as this terminal can, below a line that is empty; nothing where there is no way.
    ///
    /// - Parameter title: what stands above them; nil for nothing.
    func picture(_ ways: [Way], title: String? = nil) -> String {
        let drawing = Picture(palette: palette, isUnicode: Terminal.usesUnicode).draw(ways)
        return drawing.isEmpty ? "" : "\n" + (title.map { palette.dim($0) + "\n" } ?? "") + drawing
    }

    /// Why this backend and this mechanism, and what else was found.
    func evidence(_ decision: Decision) -> String {
        let backend = decision.choice.evidence.map { "backend  \($0)" }
        let persistence = decision.persistence.choice.map { "persist  \($0.mechanism.rawValue): \($0.reason)" }
        return palette.shown((backend + [persistence].compactMap(\.self)).map { palette.dim($0) + "\n" }.joined())
    }

    private static func title(_ installed: InstalledRule) -> String {
        switch installed.content {
        case .rule(let rule): rule.title
        case .unknown(let text): text
        }
    }

    private static func place(_ decision: Decision, _ request: Request) -> String {
        [
            decision.choice.backend.rawValue, "mode \(modes(request))",
            decision.persistence.choice.map {
                $0.mechanism == .none ? "not persisted" : "persisted with \($0.mechanism.rawValue)"
            },
        ].compactMap(\.self).joined(separator: ", ")
    }

    static func modes(_ request: Request) -> String {
        Mode.allCases.filter(request.settings.modes.contains).map(\.rawValue).joined(separator: ",")
    }
}

extension String {
    /// Blanks before the text, up to a width.
    fileprivate func padded(leftTo width: Int) -> String {
        String(repeating: " ", count: max(width - count, 0)) + self
    }
}
