import Model

/// Rules files, in which our rules stand among others'.
struct RulesFilePlanner {
    private let facts: PersistenceFacts

    init(_ facts: PersistenceFacts) { self.facts = facts }

    func plan(_ desired: DesiredFile, _ rules: [Rule], _ isRestored: Bool) -> FilePlan {
        do throws(Failure) {
            return try merge(rules, into: desired, isRestored)
        } catch {
            return FilePlan(
                obstacle: Obstacle(error.subject, advice: error.advice ?? "mend the file"),
                record: facts.record.file(desired.path))
        }
    }

    private func merge(_ rules: [Rule], into desired: DesiredFile, _ isRestored: Bool) throws(Failure) -> FilePlan {
        let recorded = facts.record.file(desired.path)
        let current = facts.contents(desired.path)
        let present = try RulesFile(current?.bytes ?? [], path: desired.path)
        let isUntouched = current != nil && present.ourRuleCount == 0 && !present.bytes.isEmpty
        // What somebody else keeps in a file that is not restored would become active with ours.
        let setsAside = isUntouched && !isRestored
        let base = setsAside ? try RulesFile([], path: desired.path) : present
        let merged = base.merged(with: rules).bytes
        // What the record says may be older: somebody put the file back, or deleted it.
        let isGone = current == nil && recorded?.origin != .setAside
        let origin = setsAside ? .setAside : isGone ? .created : recorded?.origin ?? .kept
        var plan = FilePlan(record: Record.File(path: desired.path, origin: origin, treatment: .rules))
        let backup = HostPath.backup(of: desired.path)
        // One that no record tells of may be all that is left of what was set aside.
        if let current, setsAside || recorded == nil,
            let obstacle = facts.obstacle(toSettingAside: desired.path, current)
        {
            return FilePlan(obstacle: obstacle, record: recorded)
        }
        if merged == current?.bytes { return plan }
        if let current, isUntouched {
            // What was set aside before stays there; what is in the file now stays in it.
            if setsAside || origin == .kept { plan.changes = facts.backup(of: desired.path, current) }
        } else if current == nil, recorded?.origin == .kept {
            plan.changes = facts.removal(of: backup, why: "\(desired.path) was deleted since")
        }
        let kept = base.stripped.bytes.isEmpty ? "" : ", every other line kept"
        plan.changes.append(
            FileChange(
                path: desired.path, before: current,
                after: FileContents(bytes: merged, mode: current?.mode ?? desired.mode),
                details: rules.isEmpty ? [] : ["+ \(rules.count) rules of ecs-netsetup" + kept], why: desired.why))
        if setsAside {
            plan.notes.append(
                "the rules in \(desired.path) are not active, and apply does not activate them: it keeps them in \(backup)"
            )
        }
        return plan
    }

    func takeBack(_ recorded: Record.File) -> FilePlan {
        let path = recorded.path
        let backup = HostPath.backup(of: path)
        guard let current = facts.contents(path) else {
            if recorded.origin == .setAside, facts.contents(backup) != nil {
                return FilePlan(notes: ["\(path) is gone; what was in it before apply stays in \(backup)"])
            }
            return FilePlan(changes: recorded.origin == .kept ? facts.removal(of: backup, why: "\(path) is gone") : [])
        }
        let stripped: [UInt8]
        do throws(Failure) {
            stripped = try RulesFile(current.bytes, path: path).stripped.bytes
        } catch {
            return FilePlan(
                changes: change(path, current, to: RulesFile.withoutOurLines(current.bytes)),
                notes: [
                    "\(path) is no file that iptables-restore takes any more (\(error.subject)); only our own lines go"
                ])
        }
        let isOursAlone = stripped.isEmpty
        if recorded.origin == .created, isOursAlone {
            return FilePlan(changes: facts.removal(of: path, why: "apply made it"))
        }
        let earlier = recorded.origin == .setAside ? facts.contents(backup) : nil
        let isStillThere = earlier?.bytes == stripped
        if recorded.origin == .setAside, !isStillThere, !isOursAlone || earlier == nil {
            return FilePlan(
                changes: change(path, current, to: stripped),
                notes: ["\(path) has rules of others since; what was in it before stays in \(backup)"])
        }
        if recorded.origin == .created {
            return FilePlan(
                changes: change(path, current, to: stripped),
                notes: ["\(path) stays: it has lines of others since"])
        }
        let restored =
            earlier.map {
                change(path, current, to: $0.bytes, details: "+ all of \(backup)", why: "its earlier contents")
            } ?? change(path, current, to: stripped)
        return FilePlan(changes: restored + facts.removal(of: backup, why: "it is not needed any more"))
    }

    private func change(
        _ path: String, _ current: FileContents, to bytes: [UInt8],
        details: String = "- the rules of ecs-netsetup, every other line kept",
        why: String = "what apply put in is taken out"
    ) -> [FileChange] {
        if bytes == current.bytes { return [] }
        let after = FileContents(bytes: bytes, mode: current.mode)
        return [FileChange(path: path, before: current, after: after, details: [details], why: why)]
    }
}
