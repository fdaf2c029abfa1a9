package import Model

/// What is on a host's disk, as far as persistence depends on it.
package struct PersistenceFacts: Sendable {
    /// Whether it is an image of a host, below `--root`.
    package var isImage = false
    /// That folder; empty for the machine itself.
    package var root = ""
    package var osRelease: String? { didSet { identify() } }
    /// Whether the tree is one of Windows.
    package var isWindows = false { didSet { identify() } }
    /// The row for it; nil where there is none.
    package private(set) var distribution: Distribution?
    /// The files that may be written and their backups, as far as they exist.
    package var files: [(path: String, contents: FileContents)] = []
    /// Those that somebody masked: links to `/dev/null` (systemd.unit(5), sysctl.d(5)).
    package var masked: [String] = []
    /// The folders above them that exist.
    package var folders: [String] = []
    /// What was changed before; empty where nothing was.
    package var record = Record()
    /// Units and SysV services by their names, as far as they exist.
    package var services: [(name: String, state: ServiceState)] = []
    /// The managers that can be used: their programs exist, and what they talk to.
    package var managers: [ServiceManager] = []
    /// Whether a package installed our unit.
    package var isUnitPackaged = false
    /// Whether every link that enables our unit is there, where it is enabled.
    package var hasAllUnitLinks = true
    /// Whether systemd is the first process, or, on an image, whether it is in it.
    package var hasSystemd = false
    /// The kernel interface of the host's own `iptables-restore`, told by where its links lead; nil where they do not
    /// tell.
    package var iptablesFlavour: BackendKind?
    /// The program as a unit of the host has to call it.
    package var program = ""
    /// Whether it is there; only of an image it may not be.
    package var hasProgram = true
    /// The files that set kernel parameters, in the order in which they are read.
    package var sysctlFiles: [(path: String, contents: FileContents)] = []
    /// How the ECS agent is restarted.
    package var agentStarter = AgentStarter.unknown
    /// Whether IPv6 is disabled on the host.
    package var isIPv6Disabled = false

    package init() {}

    private mutating func identify() {
        distribution = isWindows ? Distribution.windows : Distribution.find(osRelease: osRelease)
    }

    /// The kernel interface that the host's own tools write to: by their links, else as the distribution has it.
    package var flavour: BackendKind? { iptablesFlavour ?? distribution?.iptablesFlavour }

    /// Every unit and every SysV script whose state is asked for.
    package static let units = [HostPath.unitName] + RulesFiles.allUnits
    package static let scripts = RulesFiles.allScripts

    /// Whether a file that is read at boot disables IPv6 on every interface.
    package var disablesIPv6AtBoot: Bool {
        SysctlFiles.last("net.ipv6.conf.all.disable_ipv6", in: sysctlFiles)?.value == "1"
    }

    /// What `net.ipv4.conf.all.route_localnet` would be after a boot without our file: as other files set it, else 0, the
    /// kernel's own default (kernel documentation, `ip-sysctl`). nil where we have no file.
    package var routeLocalnetWithoutUs: String? {
        if !raisesRouteLocalnet { return nil }
        // A link to our file is no other file.
        let own = contents(HostPath.sysctl)?.bytes
        let others = sysctlFiles.filter { $0.path != HostPath.sysctl && $0.contents.bytes != own }
        return SysctlFiles.lastNumber(Endpoint.routeLocalnet, in: others) ?? "0"
    }

    /// Whether a file of ours sets the parameter at boot: as the record has it, or one of its name without a record.
    package var raisesRouteLocalnet: Bool {
        record.raisesRouteLocalnet || contents(HostPath.sysctl)?.raisesRouteLocalnet ?? false
    }

    /// The files that set kernel parameters, with ours in its place among them whether it is there yet or not.
    var sysctlFilesWithOurs: [(path: String, contents: FileContents)] {
        if sysctlFiles.contains(where: { $0.path == HostPath.sysctl }) { return sysctlFiles }
        let name = { (path: String) in path.split(separator: "/").last ?? "" }
        let next = sysctlFiles.firstIndex { file in
            file.path == HostPath.sysctlFile || name(file.path) > name(HostPath.sysctl)
        }
        var files = sysctlFiles
        files.insert((HostPath.sysctl, .sysctl), at: next ?? files.endIndex)
        return files
    }

    /// The same, with a record of what is ours without one, as after `/var/lib` was emptied: files that are just as this
    /// program writes them.
    var withAdopted: PersistenceFacts {
        var facts = self
        let texts = [
            (HostPath.unit, SystemdUnit.text(program: program)), (HostPath.sysctl, SysctlFiles.text),
            (HostPath.upstartJob, UpstartJob.text(program: program)),
        ]
        for (path, text) in texts where record.file(path) == nil && contents(path)?.bytes == Array(text.utf8) {
            facts.record.files.append(
                Record.File(path: path, origin: .created, treatment: .whole(digests: [Record.digest(Array(text.utf8))]))
            )
            let unit = Record.Service(name: HostPath.unitName, manager: .systemctl)
            if path == HostPath.unit, service(HostPath.unitName).isLinked, !record.services.contains(unit) {
                facts.record.services.append(unit)
            }
        }
        return facts
    }

    /// Whether what was set up before still brings the rules back at boot: its service is enabled, and nobody masked it.
    var bringsRulesBack: Bool {
        let hasUnit = isUnitPackaged || record.file(HostPath.unit) != nil
        if hasUnit, !masked.contains(HostPath.unit), service(HostPath.unitName).isEnabled { return true }
        return [Mechanism.iptablesServices, .netfilterPersistent].contains { mechanism in
            guard let files = RulesFiles.of(mechanism, on: self) else { return false }
            return record.file(files.paths[0]) != nil && service(files.services[0]).isEnabled
        }
    }

    /// Whether a manager is running that starts and stops services.
    var runsServices: Bool { hasSystemd && !isImage }

    /// Whether there is a settings file.
    package var hasSettings: Bool { contents(HostPath.settings) != nil }

    /// A file as it was read; nil where there is none.
    package func contents(_ path: String) -> FileContents? { files.first { $0.path == path }?.contents }

    func service(_ name: String) -> ServiceState { services.first { $0.name == name }?.state ?? .absent }
}
