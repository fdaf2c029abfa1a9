import Model
import Testing

@testable import Planning

/// A host's disk in memory, which carries out the steps of a plan as `Host` does.
struct MemoryDisk: Equatable {
    var files: [String: FileContents] = [:]
    var folders: Set<String> = ["/etc", "/var", "/var/lib"]
    var enabled: Set<String> = []
    /// The text of the record; nil where there is none.
    var record: String?
    /// What was done that `Host` would refuse.
    var mistakes: [String] = []

    /// What does not change on a host.
    struct Host {
        var osRelease: String?
        var isImage = false
        var hasSystemd = true
        var isUnitPackaged = false
        var managers: [ServiceManager] = [.systemctl]
        /// Units and scripts that are there without us.
        var installed: Set<String> = []
        var flavour: BackendKind?
        /// Files that somebody masked.
        var masked: [String] = []
    }

    /// Puts a file on the disk, with the folders above it.
    mutating func put(_ text: String, at path: String, mode: UInt32 = 0o644) {
        put(Array(text.utf8), at: path, mode: mode)
    }

    mutating func put(_ bytes: [UInt8], at path: String, mode: UInt32 = 0o644) {
        folders.formUnion(HostPath.folders(above: path))
        files[path] = FileContents(bytes: bytes, mode: mode)
    }

    /// A file's text; nil where there is none.
    func text(_ path: String) -> String? { files[path]?.text }

    /// What is found on the disk. The record is read from its text.
    func facts(_ host: Host) throws(Failure) -> PersistenceFacts {
        var facts = PersistenceFacts()
        facts.osRelease = host.osRelease
        facts.isImage = host.isImage
        facts.hasSystemd = host.hasSystemd
        facts.isUnitPackaged = host.isUnitPackaged
        facts.managers = host.managers
        facts.iptablesFlavour = host.flavour
        facts.masked = host.masked
        facts.program = "/usr/sbin/ecs-netsetup"
        if let record { facts.record = try Record(text: record, path: HostPath.record) }
        facts.files = files.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        facts.folders = folders.sorted()
        facts.services = (PersistenceFacts.units + PersistenceFacts.scripts).map { name in
            let isOurs = name == HostPath.unitName && (host.isUnitPackaged || files[HostPath.unit] != nil)
            return (
                name, .init(isInstalled: host.installed.contains(name) || isOurs, isLinked: enabled.contains(name))
            )
        }
        facts.sysctlFiles = facts.files.filter { $0.path.hasPrefix("/etc/sysctl.d/") }
        return facts
    }

    /// What is otherwise than on another disk, a line each.
    func differences(from other: MemoryDisk) -> [String] {
        var lines = mistakes
        for path in Set(files.keys).union(other.files.keys).sorted() where files[path] != other.files[path] {
            let tell = { (contents: FileContents?) in
                contents.map { "\(String($0.mode, radix: 8)) \($0.text.debugDescription)" } ?? "nothing"
            }
            lines.append("\(path): \(tell(files[path])) instead of \(tell(other.files[path]))")
        }
        if folders != other.folders { lines.append("folders \(folders.symmetricDifference(other.folders).sorted())") }
        if enabled != other.enabled { lines.append("services \(enabled.symmetricDifference(other.enabled).sorted())") }
        if record != other.record { lines.append("record \(record ?? "none") instead of \(other.record ?? "none")") }
        return lines
    }

    /// Does a step. Refuses what a real disk would.
    mutating func perform(_ step: PersistenceStep) {
        switch step {
        case .obstacle(let obstacle): mistakes.append("not to be done: \(obstacle.what)")
        case .folder(let path):
            if let above = HostPath.folders(above: path).last, !folders.contains(above) {
                mistakes.append("no folder for \(path)")
            }
            folders.insert(path)
        case .emptyFolder(let path):
            let isUsed =
                files.keys.contains { $0.hasPrefix(path + "/") } || folders.contains { $0.hasPrefix(path + "/") }
            if !isUsed { folders.remove(path) }
        case .file(let change):
            if files[change.path]?.bytes != change.before?.bytes { mistakes.append("other bytes in \(change.path)") }
            if let above = HostPath.folders(above: change.path).last, !folders.contains(above) {
                mistakes.append("no folder for \(change.path)")
            }
            // One that is replaced keeps its mode.
            files[change.path] = change.after.map { after in
                FileContents(bytes: after.bytes, mode: files[change.path]?.mode ?? after.mode)
            }
        case .service(let action):
            switch action.verb {
            case .enable: enabled.insert(action.service)
            case .disable: enabled.remove(action.service)
            case .start, .stop, .reload: break
            }
        }
    }

    /// Does the steps of a plan, or as many of them as are done before a kill, as `Engine` does.
    mutating func carryOut(_ plan: PersistencePlan, earlier: Record, killedAfter count: Int? = nil) {
        if plan.isFulfilled { return }
        write(plan.record.including(earlier))
        for step in plan.steps.prefix(count ?? plan.steps.count) { perform(step) }
        if count == nil { write(plan.record) }
    }

    private mutating func write(_ record: Record) { self.record = record.isEmpty ? nil : record.text }
}

/// What `apply` is asked for on one host.
struct Wish {
    var settings: Settings
    var backend: BackendKind
    var hasIPv6 = true
    var saved: [PersistencePlan.SavedSetting] = []

    func plan(_ facts: PersistenceFacts) throws(Failure) -> PersistencePlan {
        try PersistencePlan(
            settings: settings, saved: saved, plan: try Plan(settings: settings, backend: backend, hasIPv6: hasIPv6),
            facts: facts)
    }
}

extension MemoryDisk {
    /// What `apply` would do.
    func plan(_ wish: Wish, _ host: Host) throws(Failure) -> PersistencePlan { try wish.plan(try facts(host)) }

    /// Applies, and says what the plan was.
    @discardableResult
    mutating func apply(_ wish: Wish, _ host: Host, killedAfter count: Int? = nil) throws(Failure) -> PersistencePlan {
        let facts = try facts(host)
        let plan = try wish.plan(facts)
        // As Engine does, before anything else.
        if let obstacle = plan.obstacles.first { throw Failure(.trouble, obstacle.what, advice: obstacle.advice) }
        carryOut(plan, earlier: facts.record, killedAfter: count)
        return plan
    }

    /// Removes, and says what the plan was.
    @discardableResult
    mutating func remove(_ host: Host, killedAfter count: Int? = nil) throws(Failure) -> PersistencePlan {
        let facts = try facts(host)
        let plan = PersistencePlan(removing: facts)
        carryOut(plan, earlier: facts.record, killedAfter: count)
        return plan
    }
}
