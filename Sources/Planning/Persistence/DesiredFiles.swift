import Model

/// Everything that should be on a host's disk.
struct DesiredFiles {
    /// A service that should start at boot.
    struct Service {
        let name: String
        let manager: ServiceManager
        /// Whether it is our own unit.
        let isOurs: Bool
        let why: String
    }

    private(set) var settings: DesiredFile?
    /// The files of the mechanism that brings the rules back.
    private(set) var mechanism: [DesiredFile] = []
    private(set) var services: [Service] = []
    private(set) var sysctl: DesiredFile?
    private(set) var agent: DesiredFile?

    var all: [DesiredFile] { [settings].compactMap(\.self) + mechanism + [sysctl, agent].compactMap(\.self) }

    /// Nothing at all.
    init() {}

    init(
        settings: Settings, saved: [PersistencePlan.SavedSetting], plan: Plan, facts: PersistenceFacts,
        mechanism: Mechanism
    ) {
        if settings.persistence == Mechanism.none { return }
        self.settings = Self.settings(saved)
        agent = Self.agent(settings)
        switch mechanism {
        case .none: return
        case .systemd: addUnit(facts)
        case .iptablesServices, .netfilterPersistent:
            if let files = RulesFiles.of(mechanism, on: facts) { add(files, plan, facts) }
            if facts.distribution?.initSystem == .upstart { addJob(facts) }
        }
        if plan.needsRouteLocalnet {
            sysctl = DesiredFile(
                path: HostPath.sysctl, contents: .whole(SysctlFiles.text), mode: 0o644,
                why: "keeps \(Endpoint.routeLocalnet)=1 after a reboot and after sysctl --system")
        }
    }

    /// How a file that is all ours begins.
    static let mark = "# Written by ecs-netsetup apply, taken back by ecs-netsetup remove."

    private static let settingsHeader = """
        # Settings of ecs-netsetup, read by apply, diff and verify; options on the command line override them.
        # Written by ecs-netsetup apply, which keeps every line that it does not change.

        """

    /// What a file of assignments that we make begins with.
    static func header(of path: String) -> String { path == HostPath.settings ? settingsHeader : "" }

    private static func settings(_ saved: [PersistencePlan.SavedSetting]) -> DesiredFile {
        let why = "what apply was given, for the next boot and the next verify"
        let values = saved.map { setting in
            DesiredFile.Assignment(
                key: setting.key, value: setting.value, isFine: { $0 == setting.value }, why: why)
        }
        return DesiredFile(
            path: HostPath.settings,
            contents: .assignments(values, header: settingsHeader, takesBackOthers: false), mode: 0o644, why: why)
    }

    private static func agent(_ settings: Settings) -> DesiredFile {
        let switches = AgentConfiguration.settings(settings)
        let values = switches.map { setting in
            DesiredFile.Assignment(
                key: setting.key, value: AgentConfiguration.yes, isFine: AgentConfiguration.isYes, why: setting.why)
        }
        return DesiredFile(
            path: HostPath.agentConfiguration, contents: .assignments(values, header: "", takesBackOthers: true),
            mode: AgentConfiguration.mode, why: switches.map(\.why).joined(separator: "; "))
    }

    private mutating func addUnit(_ facts: PersistenceFacts) {
        let why = "applies the saved settings at boot, before Docker and the ECS agent"
        if !facts.isUnitPackaged {
            mechanism.append(
                DesiredFile(
                    path: HostPath.unit, contents: .whole(SystemdUnit.text(program: facts.program)), mode: 0o644,
                    why: why))
        }
        services.append(Service(name: HostPath.unitName, manager: .systemctl, isOurs: true, why: why))
    }

    private mutating func addJob(_ facts: PersistenceFacts) {
        mechanism.append(
            DesiredFile(
                path: HostPath.upstartJob, contents: .whole(UpstartJob.text(program: facts.program)), mode: 0o644,
                why: "applies the saved settings before the ECS agent starts"))
    }

    private mutating func add(_ files: RulesFiles, _ plan: Plan, _ facts: PersistenceFacts) {
        for (index, family) in AddressFamily.allCases.enumerated() {
            let rules = plan.rules.map(\.rule).filter { $0.family == family }
            let service = files.services[index]
            if rules.isEmpty, !files.wouldActivate(files.paths[index], on: facts) { continue }
            mechanism.append(
                DesiredFile(
                    path: files.paths[index],
                    contents: .rules(rules, isRestored: facts.service(service).isEnabled), mode: 0o600,
                    why: "\(service) restores it at boot"))
            if services.contains(where: { $0.name == service }) { continue }
            services.append(
                Service(
                    name: service, manager: files.manager, isOurs: false,
                    why: "it restores \(files.paths[index]) at boot"))
        }
    }
}
