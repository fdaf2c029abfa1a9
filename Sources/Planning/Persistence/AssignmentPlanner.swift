import Model

/// Files of which only single values are ours.
struct AssignmentPlanner {
    private let facts: PersistenceFacts

    init(_ facts: PersistenceFacts) { self.facts = facts }

    /// A file being edited, with what the record will say of it.
    private struct Draft {
        var file: AssignmentFile
        var keys: [Record.Key]
        var unbrokenLine: [UInt8]?
        var details: [String] = []
        /// Why, each once.
        var reasons: [String] = []
        var notes: [String] = []

        mutating func add(reason: String) { if !reasons.contains(reason) { reasons.append(reason) } }

        var why: String { reasons.joined(separator: "; ") }
    }

    /// - Parameter takesBackOthers: whether what was set before and is not among the values goes back.
    func plan(
        _ desired: DesiredFile, _ values: [DesiredFile.Assignment], _ header: String, takesBackOthers: Bool
    ) -> FilePlan {
        let current = facts.contents(desired.path)
        let recorded = facts.record.file(desired.path)
        var draft = draft(recorded, current?.bytes ?? Array(header.utf8))
        for key in draft.keys where takesBackOthers && !values.contains(where: { $0.key == key.name }) {
            takeBack(key, desired.path, &draft)
        }
        mendEnd(&draft)
        values.forEach { set($0, desired.path, &draft) }
        var plan = FilePlan(notes: draft.notes)
        if draft.keys.isEmpty, current == nil { return plan }
        plan.record = Record.File(
            path: desired.path, origin: current == nil ? .created : recorded?.origin ?? .kept,
            treatment: .assignments(draft.keys, unbrokenLine: draft.unbrokenLine))
        if draft.keys.isEmpty, recorded == nil { plan.record = nil }
        if draft.file.bytes != current?.bytes {
            let after = FileContents(bytes: draft.file.bytes, mode: current?.mode ?? desired.mode)
            plan.changes = [
                FileChange(path: desired.path, before: current, after: after, details: draft.details, why: draft.why)
            ]
        }
        return plan
    }

    func takeBack(_ recorded: Record.File, _ header: String) -> FilePlan {
        guard let current = facts.contents(recorded.path) else { return FilePlan() }
        var draft = draft(recorded, current.bytes)
        draft.keys.forEach { takeBack($0, recorded.path, &draft) }
        mendEnd(&draft)
        if recorded.origin == .created, draft.file.bytes == Array(header.utf8) {
            return FilePlan(changes: facts.removal(of: recorded.path, why: "apply made it"), notes: draft.notes)
        }
        var plan = FilePlan(notes: draft.notes)
        if recorded.origin == .created {
            plan.notes.append("\(recorded.path) stays: somebody else wrote into it too")
        }
        if draft.file.bytes != current.bytes {
            let after = FileContents(bytes: draft.file.bytes, mode: current.mode)
            plan.changes = [
                FileChange(
                    path: recorded.path, before: current, after: after, details: draft.details,
                    why: draft.why)
            ]
        }
        return plan
    }

    private func draft(_ recorded: Record.File?, _ bytes: [UInt8]) -> Draft {
        let file = AssignmentFile(bytes)
        guard case .assignments(let keys, let unbroken)? = recorded?.treatment else {
            return Draft(file: file, keys: [])
        }
        return Draft(file: file, keys: keys, unbrokenLine: unbroken)
    }

    /// Sets a value: in the line that counts, or in a new one at the end.
    private func set(_ desired: DesiredFile.Assignment, _ path: String, _ draft: inout Draft) {
        let written = "\(desired.key)=\(desired.value)"
        if let known = draft.keys.first(where: { $0.name == desired.key }) { dropOverridden(known, &draft) }
        let lines = draft.file.assignments.filter { $0.key == desired.key }
        if lines.count > 1 {
            let others = lines.dropLast().map { "\($0.number)" }.joined(separator: ", ")
            draft.notes.append("\(path) sets \(desired.key) more than once: line \(others) does not count")
        }
        let known = draft.keys.first { $0.name == desired.key }
        guard let last = lines.last else {
            draft.details.append("+\(written)")
            draft.add(reason: desired.why)
            if draft.file.endsOpen {
                draft.file.prepend(written)
            } else {
                if !draft.file.endsWithLineBreak { draft.unbrokenLine = earlierLastLine(draft) }
                draft.file.append(written)
            }
            return remember(desired.key, written, earlier: nil, &draft)
        }
        if last.isBare, desired.isFine(last.value) { return }
        draft.details += ["-\(last.line)", "+\(written)"]
        draft.add(reason: desired.why)
        // What we wrote ourselves is not what was there before.
        let isOurs = known?.written.contains(last.line) ?? false
        let earlier = isOurs ? known?.earlier : draft.file.line(last.number)
        draft.file.replace(line: last.number, with: Array(written.utf8))
        remember(desired.key, written, earlier: earlier, &draft)
    }

    private func remember(_ name: String, _ written: String, earlier: [UInt8]?, _ draft: inout Draft) {
        let before = draft.keys.first { $0.name == name }?.written ?? []
        draft.keys.removeAll { $0.name == name }
        draft.keys.append(
            Record.Key(name: name, written: Record.newest(written, before: before), earlier: earlier))
    }

    /// Gives a key the line that it had before, unless somebody else changed it since.
    private func takeBack(_ key: Record.Key, _ path: String, _ draft: inout Draft) {
        draft.keys.removeAll { $0.name == key.name }
        guard let last = draft.file.last(key.name) else {
            if key.earlier != nil { draft.notes.append("\(path): somebody removed \(key.name) since; it stays so") }
            return
        }
        // Killed before the file was written.
        if key.earlier == draft.file.line(last.number) { return }
        guard key.written.contains(last.line) else {
            draft.notes.append("\(path): line \(last.number), \(key.name), stays: somebody changed it since")
            return dropOverridden(key, &draft)
        }
        draft.details.append("-\(last.line)")
        draft.add(reason: "what apply set and nothing needs any more goes back")
        if let earlier = key.earlier {
            draft.file.replace(line: last.number, with: earlier)
            draft.details.append("+\(TextLines.text(earlier))")
        } else {
            draft.file.remove(line: last.number)
        }
    }

    /// Takes our line of a key that was not there before away where somebody put one below it, which counts instead.
    private func dropOverridden(_ key: Record.Key, _ draft: inout Draft) {
        let lines = draft.file.assignments.filter { $0.key == key.name }
        guard key.earlier == nil, let last = lines.last, !key.written.contains(last.line),
            let ours = lines.last(where: { key.written.contains($0.line) })
        else { return }
        draft.details.append("-\(ours.line)")
        draft.file.remove(line: ours.number)
    }

    /// Takes away the line break that the file's last line got when others were appended, once they are gone.
    private func mendEnd(_ draft: inout Draft) {
        guard let unbroken = draft.unbrokenLine, draft.keys.allSatisfy({ $0.earlier != nil }) else { return }
        if earlierLastLine(draft) == unbroken { draft.file.dropLastLineBreak() }
        draft.unbrokenLine = nil
    }

    /// The file's last line as it was before we set a value in it.
    private func earlierLastLine(_ draft: Draft) -> [UInt8] {
        let line = draft.file.lastLine
        return draft.keys.first { $0.written.contains(TextLines.text(line)) }?.earlier ?? line
    }
}
