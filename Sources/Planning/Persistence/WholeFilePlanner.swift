import Model

/// Files that are all ours. One with contents of somebody else is set aside.
struct WholeFilePlanner {
    private let facts: PersistenceFacts

    init(_ facts: PersistenceFacts) { self.facts = facts }

    func plan(_ desired: DesiredFile, _ text: String) -> FilePlan {
        let wanted = FileContents(text: text, mode: desired.mode)
        let recorded = facts.record.file(desired.path)
        let earlier = Self.digests(recorded)
        let known = { (origin: Record.Origin) in
            Record.File(
                path: desired.path, origin: origin,
                treatment: .whole(digests: Record.newest(Record.digest(wanted.bytes), before: earlier)))
        }
        guard let current = facts.contents(desired.path) else {
            let change = FileChange(path: desired.path, before: nil, after: wanted, why: desired.why)
            return FilePlan(changes: [change], record: known(recorded?.origin ?? .created))
        }
        if current.bytes == wanted.bytes { return FilePlan(record: recorded.map { known($0.origin) }) }
        let change = FileChange(
            path: desired.path, before: current, after: FileContents(bytes: wanted.bytes, mode: current.mode),
            why: desired.why)
        if let recorded, earlier.contains(Record.digest(current.bytes)) {
            return FilePlan(changes: [change], record: known(recorded.origin))
        }
        let backup = HostPath.backup(of: desired.path)
        if let obstacle = facts.obstacle(toSettingAside: desired.path, current) {
            return FilePlan(obstacle: obstacle, record: recorded)
        }
        return FilePlan(
            changes: facts.backup(of: desired.path, current) + [change], record: known(.setAside),
            notes: ["\(desired.path) has contents of somebody else's; apply keeps them in \(backup)"])
    }

    private static func digests(_ recorded: Record.File?) -> [String] {
        if case .whole(let digests)? = recorded?.treatment { digests } else { [] }
    }

    /// Leaves of an edited file what is not ours.
    private func leave(_ rest: [UInt8], of path: String, _ current: FileContents) -> FilePlan {
        if rest == current.bytes { return FilePlan(notes: [changed(path)]) }
        let after = FileContents(bytes: rest, mode: current.mode)
        return FilePlan(
            changes: [FileChange(path: path, before: current, after: after, why: "what apply wrote is taken out")],
            notes: [changed(path, " without our lines")])
    }

    /// What is told of a file that somebody edited, and of what was set aside for it.
    private func changed(_ path: String, _ how: String = "") -> String {
        let backup = HostPath.backup(of: path)
        let earlier = facts.contents(backup) == nil ? "" : "; what it held before apply stays in \(backup)"
        return "\(path) stays\(how): somebody changed it since\(earlier)"
    }

    func takeBack(_ recorded: Record.File) -> FilePlan {
        let backup = HostPath.backup(of: recorded.path)
        let earlier = recorded.origin == .setAside ? facts.contents(backup)?.bytes : nil
        guard let current = facts.contents(recorded.path) else {
            if earlier == nil { return FilePlan() }
            return FilePlan(
                notes: ["\(recorded.path) was taken away by somebody; what it held before apply stays in \(backup)"])
        }
        let isOurs = Self.digests(recorded).contains(Record.digest(current.bytes)) || earlier == current.bytes
        // The parameter must not be raised at boot after its guard is gone, whatever else somebody wrote into the file.
        let rest = recorded.path == HostPath.sysctl ? SysctlFiles.withoutOurs(current.bytes) : nil
        guard isOurs || rest == [] else { return leave(rest ?? current.bytes, of: recorded.path, current) }
        guard let earlier else { return FilePlan(changes: facts.removal(of: recorded.path, why: "apply made it")) }
        let after = Self.restorable(earlier, recorded.path)
        let change = FileChange(
            path: recorded.path, before: current,
            after: after.isEmpty && !earlier.isEmpty ? nil : FileContents(bytes: after, mode: current.mode),
            why: "its earlier contents")
        return FilePlan(
            changes: (after == current.bytes ? [] : [change])
                + facts.removal(of: backup, why: "its contents are back in their place"),
            notes: after == earlier ? [] : ["\(recorded.path) is back without our lines, which somebody had added to"])
    }

    /// What may come back of contents that were set aside: without what `apply` had written before somebody edited it.
    private static func restorable(_ earlier: [UInt8], _ path: String) -> [UInt8] {
        path == HostPath.sysctl && SysctlFiles.holdsOurs(earlier) ? SysctlFiles.withoutOurs(earlier) : earlier
    }
}
