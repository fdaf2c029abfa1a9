package import Model

/// What has to be done on a host's disk, in the order in which it is done.
package struct PersistencePlan: Sendable {
    /// Something that should be so on disk.
    package struct Finding: Sendable {
        package let kind: CheckKind
        package let title: String
        /// What is wrong; nil when nothing is.
        package let problem: String?
        package let why: String
        /// What mends it; nil where `apply` does, or an obstacle says what.
        package var mend: Check.Mend?
    }

    /// A setting as it is saved.
    package struct SavedSetting: Hashable, Sendable {
        package let key: String
        package let value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Nil where everything is taken back.
    package let choice: MechanismChoice?
    package private(set) var steps: [PersistenceStep] = []
    /// What the record has to say while the steps are done, and after them.
    package private(set) var record: Record
    /// Whether the record is another one than is on disk.
    package private(set) var isRecordNew = false
    package private(set) var findings: [Finding] = []
    package private(set) var notes: [String] = []
    /// What of ours, or beside it, is left after everything was taken back: a sentence each.
    package private(set) var leftovers: [String] = []
    /// Whether the agent has to read its configuration again.
    package private(set) var changesAgentConfiguration = false

    /// What only its owner can take away, and what keeps everything from being done.
    package var obstacles: [Obstacle] {
        steps.compactMap { step in
            if case .obstacle(let obstacle) = step { obstacle } else { nil }
        }
    }

    /// Whether the file in `sysctl.d` raises `route_localnet` after this plan.
    package func keepsRaising(_ facts: PersistenceFacts) -> Bool {
        for case .file(let change) in steps.reversed() where change.path == HostPath.sysctl {
            return change.after?.raisesRouteLocalnet ?? false
        }
        return facts.contents(HostPath.sysctl)?.raisesRouteLocalnet ?? false
    }

    /// Whether the disk is as desired.
    package var isFulfilled: Bool { steps.isEmpty && !isRecordNew }

    /// The plan that looks at nothing and changes nothing.
    package static let untouched = PersistencePlan(choice: nil, record: Record())

    private init(choice: MechanismChoice?, record: Record) {
        self.choice = choice
        self.record = record
    }

    /// The plan for these settings on this host.
    ///
    /// - Parameters:
    ///   - settings: what is asked for.
    ///   - saved: what of it goes into the settings file.
    ///   - plan: the rules that belong to it.
    ///   - facts: what is on disk.
    /// - Throws: `Failure` where it cannot be done on this host.
    package init(
        settings: Settings, saved: [SavedSetting], plan: Plan, facts: PersistenceFacts
    ) throws(Failure) {
        let choice = try MechanismChoice.choose(
            requested: settings.persistence, facts: facts, backend: plan.backend)
        self.init(choice: choice, record: Record())
        let files = DesiredFiles(
            settings: settings, saved: saved, plan: plan, facts: facts, mechanism: choice.mechanism)
        build(files, facts.withAdopted, keepsMechanism: choice.advice != nil)
        isRecordNew = record != facts.record
        notes += Self.notes(choice, settings, plan, facts)
        findConflict(plan, facts)
    }

    /// The plan that takes everything back.
    package init(removing facts: PersistenceFacts) {
        self.init(choice: nil, record: Record())
        let known = facts.withAdopted
        build(DesiredFiles(), known)
        isRecordNew = !facts.record.isEmpty
        leftovers = notes
        for path in [HostPath.unit, HostPath.sysctl, HostPath.upstartJob, HostPath.settings]
        where known.record.file(path) == nil {
            let header = path == HostPath.settings ? DesiredFiles.header(of: path) : DesiredFiles.mark
            guard let contents = facts.contents(path),
                contents.text.hasPrefix(header) || path == HostPath.sysctl && contents.raisesRouteLocalnet
            else { continue }
            leftovers.append("\(path) looks like ours, but no record says so: it stays; take it away by hand")
        }
        notes = leftovers
    }

    /// - Parameter keepsMechanism: whether what was set up before stays, because nothing can be set up now.
    private mutating func build(_ desired: DesiredFiles, _ facts: PersistenceFacts, keepsMechanism: Bool = false) {
        record.folders = facts.record.folders
        record.services = facts.record.services
        // The parameter first: it must not be set at boot by a file whose guard is not.
        let keepsParameter = keepsMechanism && facts.bringsRulesBack
        if desired.sysctl == nil, !keepsParameter { takeBack([HostPath.sysctl], facts) }
        for file in [desired.settings].compactMap(\.self) + desired.mechanism { add(file, facts) }
        enable(desired.services, facts)
        let wanted = Set(desired.all.map(\.path))
        // The sysctl file was taken back above, unless it is kept.
        let others = facts.record.files.filter {
            !wanted.contains($0.path) && (keepsParameter || $0.path != HostPath.sysctl)
        }
        if keepsMechanism {
            record.files += others
        } else {
            disable(allBut: desired.services, facts)
            takeBack(others.map(\.path), facts)
        }
        if let file = desired.sysctl { add(file, facts) }
        if let file = desired.agent { add(file, facts) }
        if !record.isEmpty { makeFolders(above: RecordFolder.path, facts) }
        removeFolders(facts)
        record.files.sort { $0.path < $1.path }
    }

    // MARK: Files

    private mutating func add(_ file: DesiredFile, _ facts: PersistenceFacts) {
        let plan = FilePlanner(facts: facts).plan(file)
        if !plan.changes.isEmpty { makeFolders(above: file.path, facts) }
        take(plan, path: file.path, facts)
        let details = plan.changes.flatMap(\.details).joined(separator: ", ")
        let difference =
            facts.contents(file.path) == nil ? "is missing" : details.isEmpty ? "differs" : "differs: \(details)"
        let problem = plan.obstacle?.what ?? (plan.changes.isEmpty ? nil : difference)
        let why = plan.changes.first?.why ?? file.why
        findings.append(
            Finding(
                kind: Self.kind(of: file.path), title: file.path, problem: problem, why: why.isEmpty ? file.why : why))
        if let recorded = plan.record { record.files.append(recorded) }
    }

    private static func kind(of path: String) -> CheckKind {
        switch path {
        case HostPath.settings: .settingsFile
        case HostPath.sysctl: .sysctlFile
        case HostPath.agentConfiguration: .agentConfiguration
        default: .mechanismFile
        }
    }

    private mutating func takeBack(_ paths: [String], _ facts: PersistenceFacts) {
        for recorded in facts.record.files where paths.contains(recorded.path) {
            let plan = FilePlanner(facts: facts).takeBack(recorded, header: DesiredFiles.header(of: recorded.path))
            take(plan, path: recorded.path, facts)
            if !plan.changes.isEmpty {
                let why = "only what the settings ask for should be there"
                findings.append(
                    Finding(
                        kind: Self.kind(of: recorded.path), title: recorded.path,
                        problem: "holds what is not asked for", why: why))
            }
        }
    }

    private mutating func take(_ plan: FilePlan, path: String, _ facts: PersistenceFacts) {
        steps +=
            plan.changes.map(PersistenceStep.file) + [plan.obstacle].compactMap(\.self).map(PersistenceStep.obstacle)
        notes += plan.notes
        if plan.changes.isEmpty { return }
        if path == HostPath.agentConfiguration { changesAgentConfiguration = true }
        if path == HostPath.unit, facts.runsServices { steps.append(.service(Self.reload)) }
    }

    private static let reload = ServiceAction(
        .reload, "", .systemctl, why: "systemd reads units again when it is told to")

    private mutating func makeFolders(above path: String, _ facts: PersistenceFacts) {
        for folder in HostPath.folders(above: path)
        where !facts.folders.contains(folder) && !steps.contains(.folder(folder)) {
            steps.append(.folder(folder))
            if !record.folders.contains(folder) { record.folders.append(folder) }
        }
    }

    /// Folders that were made for files that are not there any more.
    private mutating func removeFolders(_ facts: PersistenceFacts) {
        let paths =
            record.files.map(\.path) + (record.files.isEmpty && record.services.isEmpty ? [] : [HostPath.record])
        let needed = Set(paths.flatMap(HostPath.folders))
        let removed = steps.compactMap {
            if case .file(let change) = $0, change.after == nil { change.path } else { nil }
        }
        let staying = facts.files.map(\.path).filter { !removed.contains($0) }
        let filled = Set(staying.flatMap(HostPath.folders))
        for folder in record.folders.reversed() where !needed.contains(folder) {
            if facts.folders.contains(folder), !filled.contains(folder) { steps.append(.emptyFolder(folder)) }
            record.folders.removeAll { $0 == folder }
        }
    }

    // MARK: Services

    private mutating func enable(_ services: [DesiredFiles.Service], _ facts: PersistenceFacts) {
        for service in services {
            let isEnabled = facts.service(service.name).isEnabled && (!service.isOurs || facts.hasAllUnitLinks)
            findings.append(
                Finding(
                    kind: .mechanism, title: "\(service.name) is enabled", problem: isEnabled ? nil : "is not",
                    why: service.why))
            if isEnabled { continue }
            let isRepair = facts.service(service.name).isLinked
            steps.append(
                .service(ServiceAction(.enable, service.name, service.manager, why: service.why, isRepair: isRepair)))
            if service.isOurs, facts.runsServices {
                let why = "so that it follows those who flush rules"
                steps.append(
                    .service(ServiceAction(.start, service.name, service.manager, why: why, isRepair: isRepair)))
            }
            let entry = Record.Service(name: service.name, manager: service.manager)
            if !record.services.contains(entry) { record.services.append(entry) }
        }
    }

    private mutating func disable(allBut wanted: [DesiredFiles.Service], _ facts: PersistenceFacts) {
        for service in record.services where !wanted.contains(where: { $0.name == service.name }) {
            let isOurs = service.name == HostPath.unitName
            let why = isOurs ? "nothing needs it any more" : "it was not enabled before"
            if facts.service(service.name).isLinked {
                steps.append(.service(ServiceAction(.disable, service.name, service.manager, why: why)))
                if isOurs, facts.runsServices {
                    steps.append(.service(ServiceAction(.stop, service.name, service.manager, why: why)))
                }
            }
            record.services.removeAll { $0 == service }
        }
    }

    // MARK: Notes

    /// A later file that sets the parameter back, which only its owner can take away.
    private mutating func findConflict(_ plan: Plan, _ facts: PersistenceFacts) {
        guard plan.needsRouteLocalnet, record.raisesRouteLocalnet else { return }
        let other = SysctlFiles.last(Endpoint.routeLocalnet, in: facts.sysctlFilesWithOurs)
        let isConflict = other.map { $0.path != HostPath.sysctl && $0.value != "1" } ?? false
        let problem = other.map {
            "\($0.path):\($0.line) sets \(Endpoint.routeLocalnet) back to \($0.value), as it is read after \(HostPath.sysctl)"
        }
        findings.append(
            Finding(
                kind: .sysctlFile, title: "no other file sets \(Endpoint.routeLocalnet)",
                problem: isConflict ? problem : nil,
                why: "the parameter is set at boot and by sysctl --system",
                mend: other.map { .command("take line \($0.line) out of \($0.path)") }))
        if isConflict, let problem { notes.append("\(problem): take that line out") }
    }

    private static func notes(
        _ choice: MechanismChoice, _ settings: Settings, _ plan: Plan, _ facts: PersistenceFacts
    ) -> [String] {
        var notes: [String] = []
        if let advice = choice.advice {
            notes.append("nothing brings the rules back after a reboot: \(choice.reason); \(advice)")
        }
        if choice.mechanism == .systemd, facts.distribution == nil {
            notes.append("persisted with systemd: \(choice.reason)")
        }
        if AgentConfiguration.settings(settings).contains(where: { $0.key == AgentConfiguration.blockMetadata }),
            facts.isIPv6Disabled
        {
            notes.append(
                "IPv6 is disabled on this host: with \(AgentConfiguration.blockMetadata)=true, tasks in awsvpc mode fail to start (aws/amazon-vpc-cni-plugins#106); enable IPv6, or leave it out with --allow-imds"
            )
        }
        if choice.mechanism == .systemd, !facts.isUnitPackaged, !Self.lasting.contains(where: facts.program.hasPrefix) {
            notes.append(
                "\(HostPath.unitName) runs \(facts.program), which may be gone or out of reach at boot: install it below /usr or /opt"
            )
        }
        return notes
    }

    /// Where programs are that a unit can rely on.
    private static let lasting = ["/usr/", "/opt/", "/bin/", "/sbin/"]
}
