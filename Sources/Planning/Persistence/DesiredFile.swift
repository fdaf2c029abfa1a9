import Model

/// What should be in a file.
struct DesiredFile {
    /// A value in a file of assignments.
    struct Assignment {
        let key: String
        let value: String
        /// Other values that are as good, so that they are left alone.
        var isFine: @Sendable (String) -> Bool
        let why: String
    }

    enum Contents {
        /// All of it is ours.
        case whole(String)
        /// Single values.
        ///
        /// - Parameters:
        ///   - header: what a new file begins with.
        ///   - takesBackOthers: whether values that were set before and are not wanted any more go back.
        case assignments([Assignment], header: String, takesBackOthers: Bool)
        /// Our rules.
        ///
        /// - Parameter isRestored: whether the file is restored at boot already, so that everything in it is kept;
        ///   otherwise what is in it never was active and must not become so.
        case rules([Rule], isRestored: Bool)
    }

    let path: String
    let contents: Contents
    /// The permission bits of a new file.
    let mode: UInt32
    let why: String
}

/// What has to be done to one file, and what is known of it then.
struct FilePlan {
    var changes: [FileChange] = []
    /// What somebody else has to take away first; nil where nothing is in the way.
    var obstacle: Obstacle?
    /// What the record says of the file afterwards; nil where nothing of ours is in it.
    var record: Record.File?
    /// What the user should know, a sentence each.
    var notes: [String] = []
}

/// Plans the changes of files, each by how it is treated. A function for putting in, a function for taking back.
struct FilePlanner {
    let facts: PersistenceFacts

    func plan(_ desired: DesiredFile) -> FilePlan {
        if facts.masked.contains(desired.path) {
            return FilePlan(
                obstacle: Obstacle("\(desired.path) is masked: a link to /dev/null", advice: "rm \(desired.path)"),
                record: facts.record.file(desired.path))
        }
        return switch desired.contents {
        case .whole(let text): WholeFilePlanner(facts).plan(desired, text)
        case .assignments(let values, let header, let takesBackOthers):
            AssignmentPlanner(facts).plan(desired, values, header, takesBackOthers: takesBackOthers)
        case .rules(let rules, let isRestored): RulesFilePlanner(facts).plan(desired, rules, isRestored)
        }
    }

    /// The plan that takes back what the record says of a file.
    ///
    /// - Parameter header: what a file of assignments that we made began with.
    func takeBack(_ recorded: Record.File, header: String) -> FilePlan {
        switch recorded.treatment {
        case .whole: WholeFilePlanner(facts).takeBack(recorded)
        case .assignments: AssignmentPlanner(facts).takeBack(recorded, header)
        case .rules: RulesFilePlanner(facts).takeBack(recorded)
        }
    }
}

extension PersistenceFacts {
    /// The change that removes a file, if it is there.
    func removal(of path: String, why: String) -> [FileChange] {
        contents(path).map { [FileChange(path: path, before: $0, after: nil, why: why)] } ?? []
    }

    /// What keeps a file from being set aside: other contents that were set aside before; nil where nothing does.
    func obstacle(toSettingAside path: String, _ contents: FileContents) -> Obstacle? {
        let backup = HostPath.backup(of: path)
        guard let other = self.contents(backup), other.bytes != contents.bytes else { return nil }
        return Obstacle(
            "\(path) was changed by somebody, and \(backup), where it would be kept, exists already",
            advice: "move \(path) or \(backup) away")
    }

    /// The change that keeps a file's contents beside it, if they are not there yet.
    func backup(of path: String, _ contents: FileContents) -> [FileChange] {
        let backup = HostPath.backup(of: path)
        let present = self.contents(backup)
        if present?.bytes == contents.bytes { return [] }
        let copy = FileContents(bytes: contents.bytes, mode: 0o600)
        return [FileChange(path: backup, before: present, after: copy, why: "the earlier contents of \(path)")]
    }
}
