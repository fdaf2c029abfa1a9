import Host
import Model
import Planning

extension Host {
    /// Stores the record of what was changed on disk, or deletes it where it says nothing.
    func write(_ record: Record) throws(Failure) {
        if record.isEmpty {
            try files.remove(HostPath.record, followsLast: false)
            return try files.removeEmptyFolder(RecordFolder.path)
        }
        for folder in HostPath.folders(above: HostPath.record) { try files.makeFolder(folder, mode: 0o755) }
        // Readable for root alone: it holds lines of ecs.config, which may hold passwords. Nobody has a reason to put a link
        // in this folder.
        try files.write(FileContents(text: record.text, mode: 0o600), to: HostPath.record, followsLast: false)
    }

    /// Takes away what a run that was killed may have left: files that it was writing, and the record's empty folder.
    func removeLeftovers() throws(Failure) {
        for path in HostPath.managed.flatMap({ [$0, HostPath.backup(of: $0)] }) + [HostPath.record] {
            try files.removeLeftover(of: path)
        }
        try files.removeEmptyFolder(RecordFolder.path)
    }

    /// Does one step on disk.
    func perform(_ step: PersistenceStep) throws(Failure) {
        switch step {
        case .folder(let path): try files.makeFolder(path, mode: 0o755)
        case .emptyFolder(let path): try files.removeEmptyFolder(path)
        case .obstacle: break
        case .file(let change):
            try files.change(
                change.path, from: change.before?.bytes, to: change.after, limit: HostPath.largest(change.path))
        case .service(let action): try carryOut(action)
        }
    }

    /// Does something to a service, if it is not so already. Of our own unit, takes away the folders that systemctl made for
    /// links and, killed, made no link in; those that it gets empty it removes itself.
    private func carryOut(_ action: ServiceAction) throws(Failure) {
        guard action.verb == .disable else { return try perform(action) }
        let state = action.manager == .systemctl ? try unit(action.service) : try script(action.service)
        // systemctl disables nothing of which there is no unit.
        if state.isEnabled { try perform(action) }
        guard action.service == HostPath.unitName else { return }
        if !state.isInstalled { for link in SystemdUnit.links { try files.removeLink(link) } }
        for folder in SystemdUnit.linkFolders where try files.linkTarget(folder) == nil {
            try files.removeEmptyFolder(folder)
        }
    }

    /// Takes one step on disk back.
    ///
    /// - Returns: whether there was anything to take back that a person would see.
    func takeBack(_ step: PersistenceStep) throws(Failure) -> Bool {
        switch step {
        case .folder(let path):
            try files.removeEmptyFolder(path)
            return false
        case .emptyFolder(let path):
            try files.makeFolder(path, mode: 0o755)
            return false
        case .obstacle: return false
        case .file(let change):
            let limit = HostPath.largest(change.path)
            if try files.read(change.path, limit: limit)?.bytes == change.before?.bytes { return false }
            do throws(Failure) {
                try files.change(change.path, from: change.after?.bytes, to: change.before, limit: limit)
            } catch let error where error.kind == .concurrentChange {
                throw Failure(.trouble, "\(change.path) was changed by somebody at the same time, so it stays")
            }
            return true
        case .service(let action):
            guard let inverse = action.inverse else { return false }
            try carryOut(inverse)
            return action.isLasting
        }
    }
}
