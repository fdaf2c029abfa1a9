package import Model

/// What brings the rules back after a reboot, and why that.
package struct MechanismChoice: Sendable {
    package let mechanism: Mechanism
    /// What spoke for it, a sentence without a full stop.
    package let reason: String
    /// What to do so that something does; nil where something does, or where nothing was asked for.
    package let advice: String?

    /// Chooses: what was asked for; else the rules files that the host restores already; else our own unit.
    ///
    /// - Throws: `Failure` where what was asked for by name cannot be done on this host.
    package static func choose(
        requested: Mechanism?, facts: PersistenceFacts, backend: BackendKind
    ) throws(Failure) -> MechanismChoice {
        if let requested {
            if let obstacle = obstacle(to: requested, facts, backend) {
                throw Failure(
                    .trouble, "cannot persist with \(requested.rawValue): \(obstacle.why)", advice: obstacle.advice)
            }
            return MechanismChoice(requested, "asked for by name")
        }
        if facts.distribution?.initSystem == .upstart {
            let obstacle = obstacle(to: .iptablesServices, facts, backend)
            if let obstacle { return try nothing(obstacle, facts) }
            return MechanismChoice(.iptablesServices, "this is \(name(of: facts))")
        }
        var reason = "it has systemd"
        for files in RulesFiles.all where facts.service(files.units[0]).isEnabled {
            guard let obstacle = obstacle(to: files.mechanism, facts, backend) else {
                return MechanismChoice(files.mechanism, "\(files.units[0]) is enabled already")
            }
            reason += "; \(files.units[0]) is enabled, but \(obstacle.why)"
        }
        if let obstacle = obstacle(to: .systemd, facts, backend) { return try nothing(obstacle, facts) }
        if facts.distribution == nil { reason += "; \(name(of: facts)) is not a distribution that this program knows" }
        return MechanismChoice(.systemd, reason)
    }

    private init(_ mechanism: Mechanism, _ reason: String, advice: String? = nil) {
        self.mechanism = mechanism
        self.reason = reason
        self.advice = advice
    }

    /// Nothing fits. On a running host the rules hold until the next boot; in an image nothing would be left of them.
    private static func nothing(_ obstacle: Obstacle, _ facts: PersistenceFacts) throws(Failure) -> MechanismChoice {
        if facts.isImage {
            throw Failure(
                .trouble, "nothing would bring the rules back: \(obstacle.why)", source: facts.root,
                advice: obstacle.advice)
        }
        return MechanismChoice(.none, obstacle.why, advice: obstacle.advice)
    }

    /// What to call a host.
    private static func name(of facts: PersistenceFacts) -> String {
        facts.distribution?.name ?? Distribution.title(osRelease: facts.osRelease)
    }

    /// Why a mechanism cannot be used here.
    private struct Obstacle {
        let why: String
        let advice: String
    }

    private static func obstacle(
        to mechanism: Mechanism, _ facts: PersistenceFacts, _ backend: BackendKind
    ) -> Obstacle? {
        switch mechanism {
        case .none: nil
        case .systemd: obstacleToSystemd(facts)
        case .iptablesServices, .netfilterPersistent:
            RulesFiles.of(mechanism, on: facts).flatMap { obstacle(to: $0, facts, backend) }
        }
    }

    /// In an image, where nothing tells where the program will be.
    private static func obstacleToRunning(_ facts: PersistenceFacts) -> Obstacle? {
        let plain = Set("/._-+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
        if !facts.program.utf8.allSatisfy(plain.contains) {
            return Obstacle(
                why: "the program's path, \(facts.program), has characters that mean something in a unit",
                advice: "install it as /usr/sbin/ecs-netsetup")
        }
        if facts.hasProgram { return nil }
        return Obstacle(
            why: "ecs-netsetup itself is not in the image, and would have to run at boot",
            advice: "copy the program to \(facts.program) below that folder first")
    }

    private static func obstacleToSystemd(_ facts: PersistenceFacts) -> Obstacle? {
        if facts.distribution?.initSystem == .upstart {
            return Obstacle(
                why: "\(name(of: facts)) has no systemd",
                advice: "leave --persist out, or use --persist iptables-services")
        }
        if !facts.hasSystemd, facts.isImage {
            return noSystemd
        }
        if !facts.isUnitPackaged, let obstacle = obstacleToRunning(facts) { return obstacle }
        if facts.masked.contains(HostPath.unit) {
            return Obstacle(
                why: "\(HostPath.unitName) is masked, as by systemctl mask",
                advice: "systemctl unmask \(HostPath.unitName), or use --persist none")
        }
        return facts.hasSystemd ? obstacle(to: .systemctl, toEnable: HostPath.unitName, facts) : notBooted
    }

    private static let noSystemd = Obstacle(
        why: "there is no systemd in the image", advice: "is the image mounted there, and is it one of a host?")

    private static let notBooted = Obstacle(
        why:
            "systemd did not boot this machine (/run/systemd/system is missing), so \(HostPath.unitName) cannot be enabled",
        advice:
            "later, on the booted host: ecs-netsetup apply --persist systemd"
    )

    private static func obstacle(
        to manager: ServiceManager, toEnable service: String, _ facts: PersistenceFacts
    ) -> Obstacle? {
        if facts.managers.contains(manager) { return nil }
        return Obstacle(
            why: "\(manager.rawValue) is not there to enable \(service)",
            advice: "install it, or use --persist none and enable it by hand later")
    }

    private static func obstacle(
        to files: RulesFiles, _ facts: PersistenceFacts, _ backend: BackendKind
    ) -> Obstacle? {
        let service = files.units[0]
        if backend == .nftables {
            return Obstacle(
                why: "its rules files hold rules of iptables, and the backend is nftables",
                advice: "use --persist systemd, or --backend iptables")
        }
        if facts.flavour == .nftables {
            return Obstacle(
                why:
                    "iptables-restore writes to nf_tables here, and the backend is the legacy interface: the rules would come back in the wrong place",
                advice: "use --persist systemd, or switch the host's iptables to the legacy one")
        }
        for unit in files.units where !facts.service(unit).isInstalled {
            return Obstacle(
                why: "the service \(unit) is not installed",
                advice: "install \(files.package), or use another mechanism")
        }
        if files.manager == .systemctl, !facts.hasSystemd, !facts.service(service).isEnabled {
            return facts.isImage ? noSystemd : notBooted
        }
        for unit in files.units where !facts.service(unit).isEnabled {
            if let obstacle = obstacle(to: files.manager, toEnable: unit, facts) { return obstacle }
        }
        // Legacy Amazon Linux gets a job beside the rules files.
        return files.manager == .chkconfig ? obstacleToRunning(facts) : nil
    }
}

/// A mechanism that restores rules files at boot.
struct RulesFiles: Sendable {
    let mechanism: Mechanism
    /// The package that brings it.
    let package: String
    let manager: ServiceManager
    /// The service that restores the file of IPv4, and that of IPv6; the same one where it does both.
    let services: [String]
    /// The rules files, IPv4 first.
    let paths: [String]

    /// The services, each once.
    var units: [String] { services[0] == services[1] ? [services[0]] : services }

    /// Whether enabling the service for one file brings back what somebody else keeps in another one, inactive until now.
    func wouldActivate(_ path: String, on facts: PersistenceFacts) -> Bool {
        let isEnabledByUs = facts.record.services.contains { $0.name == services[0] }
        return units.count == 1 && facts.contents(path) != nil
            && (isEnabledByUs || !facts.service(services[0]).isEnabled)
    }

    /// Those of systemd hosts.
    static let all = [
        RulesFiles(
            mechanism: .iptablesServices, package: "iptables-services", manager: .systemctl,
            services: ["iptables.service", "ip6tables.service"], paths: HostPath.sysconfigRules),
        RulesFiles(
            mechanism: .netfilterPersistent, package: "netfilter-persistent and iptables-persistent",
            manager: .systemctl, services: ["netfilter-persistent.service", "netfilter-persistent.service"],
            paths: HostPath.persistentRules),
    ]

    /// The SysV scripts of legacy Amazon Linux, which read the same files as iptables-services.
    private static let scripts = RulesFiles(
        mechanism: .iptablesServices, package: "iptables", manager: .chkconfig, services: ["iptables", "ip6tables"],
        paths: HostPath.sysconfigRules)

    /// What a mechanism is on a host; nil where it is none of rules files.
    static func of(_ mechanism: Mechanism, on facts: PersistenceFacts) -> RulesFiles? {
        if mechanism == .iptablesServices, facts.distribution?.initSystem == .upstart { return scripts }
        return all.first { $0.mechanism == mechanism }
    }

    /// Every service that there may be.
    static let allUnits = all.flatMap(\.units)
    static let allScripts = scripts.units
}
