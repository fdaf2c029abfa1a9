import Model
import TestSupport
import Testing

@testable import Planning

@Suite("Rules files on a host")
struct RulesFilePlannerTests {
    private static let units: Set = ["iptables.service", "ip6tables.service", "netfilter-persistent.service"]
    private static let host = MemoryDisk.Host(
        osRelease: OSReleases.text("Amazon Linux 2"), installed: units, flavour: .iptables)
    private static let (v4, v6) = (HostPath.sysconfigRules[0], HostPath.sysconfigRules[1])
    private static let stock = "*filter\n-A INPUT -j REJECT\nCOMMIT\n"

    private func wish(
        _ modes: [Mode], _ mechanism: Mechanism? = .iptablesServices, _ change: (inout Settings) -> Void = { _ in }
    ) -> Wish {
        var settings = settings(modes, change)
        settings.persistence = mechanism
        return Wish(settings: settings, backend: .iptables)
    }

    private func disk(enabled: Set<String> = [], _ files: [String: String] = [:]) -> MemoryDisk {
        var disk = MemoryDisk()
        disk.enabled = enabled
        for (path, text) in files { disk.put(text, at: path, mode: 0o600) }
        return disk
    }

    @Test("the parameter does not stay at boot where nothing restores them any more")
    func restoredNoMore() throws {
        var disk = disk(enabled: Self.units, [Self.v4: Self.stock])
        try disk.apply(wish([.bridge]), Self.host)
        #expect(disk.text(HostPath.sysctl) != nil)
        // Nothing can be set up now, but what was set up before works at the next boot.
        var host = Self.host
        host.hasSystemd = false
        let wish = wish([.bridge], nil)
        try disk.apply(wish, host)
        #expect(disk.text(HostPath.sysctl) != nil)
        // As by systemctl mask.
        host.installed = []
        let plan = try disk.apply(wish, host)
        #expect(plan.notes.contains { $0.hasPrefix("nothing brings the rules back after a reboot") })
        #expect(disk.text(HostPath.sysctl) == nil)
        #expect(try disk.plan(wish, host).isFulfilled)
    }

    @Test("one that is restored already keeps everything, and has its backup beside it")
    func kept() throws {
        let original = disk(enabled: Self.units, [Self.v4: Self.stock])
        var disk = original
        try disk.apply(wish([.host]), Self.host)
        #expect(disk.text(Self.v4)?.hasSuffix(Self.stock) == true)
        #expect(disk.text(HostPath.backup(of: Self.v4)) == Self.stock)
        #expect(disk.files[Self.v6]?.mode == 0o600)
        #expect(disk.text(HostPath.backup(of: Self.v6)) == nil)
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
    }

    @Test("one that is not restored is set aside, never activated")
    func setAside() throws {
        let original = disk([Self.v4: Self.stock, Self.v6: "# theirs\n"])
        var disk = original
        let plan = try disk.apply(wish([.host]), Self.host)
        #expect(disk.text(Self.v4)?.contains("REJECT") == false)
        #expect(disk.text(HostPath.backup(of: Self.v4)) == Self.stock)
        #expect(disk.enabled == ["iptables.service", "ip6tables.service"])
        let index = { (step: (PersistenceStep) -> Bool) in plan.steps.firstIndex(where: step) ?? 99 }
        let enable = index { if case .service = $0 { true } else { false } }
        let writes = plan.steps.indices.filter { index in
            if case .file(let change) = plan.steps[index] { change.path.hasPrefix("/etc/sysconfig") } else { false }
        }
        #expect(writes.count == 4 && writes.allSatisfy { $0 < enable })
        #expect(plan.notes.contains { $0.contains("are not active, and apply does not activate them") })
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
    }

    @Test("a service that restores both files does not bring back the one that we have no rules for")
    func sharedService() throws {
        let path = HostPath.persistentRules[1]
        let only4 = wish([.host], .netfilterPersistent) { $0.allowsOffhostIntrospection = true }
        let original = disk([path: Self.stock])
        var disk = original
        try disk.apply(only4, Self.host)
        #expect(disk.enabled == ["netfilter-persistent.service"])
        #expect(disk.text(path) == "")
        #expect(disk.text(HostPath.backup(of: path)) == Self.stock)
        #expect(try disk.plan(only4, Self.host).isFulfilled)
        try disk.apply(wish([.host], .netfilterPersistent), Self.host)
        #expect(disk.text(path)?.contains("REJECT") == false)
        try disk.apply(only4, Self.host)
        #expect(disk.text(path) == "")
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
        // Where it is enabled already, the file is active and stays as it is; one that is not there is not made.
        for original in [self.disk(enabled: Self.units, [path: Self.stock]), self.disk()] {
            var disk = original
            try disk.apply(only4, Self.host)
            #expect(disk.text(path) == original.text(path))
            try disk.remove(Self.host)
            #expect(disk.enabled == original.enabled)
            #expect(disk.text(path) == original.text(path))
        }
    }

    @Test("one that somebody put back, and whose service somebody disabled, is set aside now")
    func putBack() throws {
        var disk = disk(enabled: Self.units, [Self.v4: Self.stock])
        try disk.apply(wish([.host]), Self.host)
        disk.put(Self.stock, at: Self.v4)
        disk.enabled = []
        try disk.apply(wish([.host]), Self.host)
        #expect(disk.text(Self.v4)?.contains("REJECT") == false)
        try disk.remove(Self.host)
        #expect(disk.text(Self.v4) == Self.stock)
    }

    @Test("one that somebody deleted is made again, and is gone after remove, with its backup")
    func deleted() throws {
        var disk = disk(enabled: Self.units, [Self.v4: Self.stock])
        try disk.apply(wish([.host]), Self.host)
        disk.files[Self.v4] = nil
        try disk.apply(wish([.host]), Self.host)
        try disk.remove(Self.host)
        #expect(disk.files.isEmpty)
    }

    @Test("rules that somebody saved over ours since stay, and what was set aside is kept")
    func savedOver() throws {
        let saved = "-A OUTPUT -j DOCKER\n"
        for original in [disk([Self.v4: Self.stock]), disk()] {
            var disk = original
            try disk.apply(wish([.host]), Self.host)
            disk.put(disk.text(Self.v4)?.replacing("COMMIT\n", with: saved + "COMMIT\n") ?? "", at: Self.v4)
            #expect(try disk.plan(wish([.host]), Self.host).isFulfilled)
            let plan = try disk.remove(Self.host)
            #expect(disk.text(Self.v4) == "*mangle\n\(saved)COMMIT\n*nat\n\(saved)COMMIT\n")
            #expect(disk.text(HostPath.backup(of: Self.v4)) == original.text(Self.v4))
            #expect(plan.notes.count == 1)
        }
    }

    @Test("one that cannot be read is refused before anything is done, and remove takes only our own lines")
    func unreadable() throws {
        var disk = disk(enabled: Self.units, [Self.v4: "*nat\n"])
        let obstacles = try disk.plan(wish([.host]), Self.host).obstacles
        #expect(
            obstacles.map(\.what) == ["cannot put rules into \(Self.v4): table nat, begun in line 1, has no COMMIT"])
        disk.files[Self.v4] = nil
        try disk.apply(wish([.host]), Self.host)
        let ours = try #require(disk.text(Self.v4))
        disk.put("*nat\n# mine\n\(ours)-A INPUT -j DROP\n", at: Self.v4)
        let plan = try disk.remove(Self.host)
        let left = try #require(disk.text(Self.v4))
        #expect(left.hasPrefix("*nat\n# mine\n") && left.hasSuffix("-A INPUT -j DROP\n"))
        #expect(!left.contains("ecs-netsetup"))
        #expect(plan.notes.contains { $0.hasPrefix("\(Self.v4) is no file that iptables-restore takes any more") })
    }

    @Test("setting one aside never overwrites a backup that says something else")
    func otherBackup() throws {
        let backup = HostPath.backup(of: Self.v4)
        let disk = disk([Self.v4: Self.stock, backup: "other"])
        let obstacles = try disk.plan(wish([.host]), Self.host).obstacles
        #expect(obstacles.count == 1 && obstacles[0].what.contains("\(backup), where it would be kept, exists already"))
        // Nor does keeping one that is restored already, an empty one, or one of which the record is lost.
        var enabled = disk
        enabled.enabled = Self.units
        #expect(try enabled.plan(wish([.host]), Self.host).obstacles.count == 1)
        enabled.put("", at: Self.v4)
        #expect(try enabled.plan(wish([.host]), Self.host).obstacles.count == 1)
        var lost = self.disk([Self.v4: Self.stock])
        try lost.apply(wish([.host]), Self.host)
        lost.record = nil
        #expect(try lost.plan(wish([.host]), Self.host).obstacles.count == 1)
    }

    @Test("what was set aside stays in its backup where somebody replaced or deleted the file since")
    func replaced() throws {
        let backup = HostPath.backup(of: Self.v4)
        var disk = disk([Self.v4: Self.stock])
        try disk.apply(wish([.host]), Self.host)
        var deleted = disk
        deleted.files[Self.v4] = nil
        #expect(
            try deleted.remove(Self.host).notes == [
                "\(Self.v4) is gone; what was in it before apply stays in \(backup)"
            ])
        #expect(deleted.text(backup) == Self.stock)
        disk.put("*filter\n-A INPUT -j ACCEPT\nCOMMIT\n", at: Self.v4)
        try disk.apply(wish([.host]), Self.host)
        #expect(disk.text(backup) == Self.stock)
        try disk.remove(Self.host)
        #expect(disk.text(Self.v4) == "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n")
        #expect(disk.text(backup) == Self.stock)
    }
}

@Suite("Files that are all ours")
struct WholeFilePlannerTests {
    private static let host = MemoryDisk.Host(osRelease: OSReleases.text("Debian GNU/Linux 12"))
    private static let wish = Wish(settings: settings([.bridge]), backend: .nftables)
    private static let path = HostPath.sysctl

    @Test("is made with its mode, and the parameter comes last")
    func made() throws {
        var disk = MemoryDisk()
        let original = disk
        let plan = try disk.apply(Self.wish, Self.host)
        #expect(disk.text(Self.path) == SysctlFiles.text)
        #expect(disk.files[Self.path]?.mode == 0o644)
        #expect(disk.text(HostPath.unit) == SystemdUnit.text(program: "/usr/sbin/ecs-netsetup"))
        let paths = plan.steps.compactMap { step in if case .file(let change) = step { change.path } else { nil } }
        #expect(paths == [HostPath.unit, HostPath.sysctl, HostPath.agentConfiguration])
        // At removal it goes first: it must not be set at boot by a file whose guard is gone.
        let removal = try disk.remove(Self.host)
        if case .file(let change)? = removal.steps.first {
            #expect(change.path == Self.path)
        } else {
            #expect(Bool(false))
        }
        #expect(disk.differences(from: original) == [])
    }

    @Test("somebody else's contents are set aside and come back")
    func setAside() throws {
        var disk = MemoryDisk()
        disk.put("x = 1\n", at: Self.path, mode: 0o640)
        let original = disk
        let plan = try disk.apply(Self.wish, Self.host)
        #expect(disk.text(Self.path) == SysctlFiles.text)
        #expect(
            plan.notes == [
                "\(Self.path) has contents of somebody else's; apply keeps them in \(HostPath.backup(of: Self.path))"
            ])
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
    }

    @Test("one just as we write it is ours without a record, as after /var/lib was emptied")
    func adopted() throws {
        let original = MemoryDisk()
        var disk = original
        try disk.apply(Self.wish, Self.host)
        disk.record = nil
        var again = disk
        try again.apply(Self.wish, Self.host)
        for var lost in [disk, again] {
            try lost.remove(Self.host)
            #expect(lost.files[Self.path] == nil && lost.enabled.isEmpty)
        }
    }

    @Test("our own line goes out of an edited sysctl file: without its guard, nothing may raise the parameter at boot")
    func editedSysctl() throws {
        var disk = MemoryDisk()
        try disk.apply(Self.wish, Self.host)
        disk.put("# mine\n" + SysctlFiles.text + "vm.swappiness = 1\n", at: Self.path)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "# mine\nvm.swappiness = 1\n")
        #expect(plan.leftovers.contains { $0.hasPrefix("\(Self.path) stays without our lines") })
    }

    @Test(
        "nor may a line of it that was spelled otherwise, and a file that held nothing else goes",
        arguments: [
            "net.ipv4.conf.all.route_localnet = 1", "net.ipv4.conf.all.route_localnet=1\n",
            "-net.ipv4.conf.all.route_localnet = 1\n", "net/ipv4/conf/all/route_localnet = 1\r\n",
            String(SysctlFiles.text.dropLast()), SysctlFiles.text.replacing("\n", with: "\r\n"),
        ])
    func spelledOtherwise(_ text: String) throws {
        var disk = MemoryDisk()
        let original = disk
        try disk.apply(Self.wish, Self.host)
        disk.put(text, at: Self.path)
        var edited = disk
        try edited.remove(Self.host)
        #expect(edited.differences(from: original) == [])
        // Set aside by another apply, it must not come back either; nor where somebody put it back by hand.
        for isPutBack in [false, true] {
            var again = disk
            try again.apply(Self.wish, Self.host)
            #expect(again.text(Self.path) == SysctlFiles.text)
            if isPutBack { again.put(text, at: Self.path) }
            try again.remove(Self.host)
            let left = again.text(Self.path).map { FileContents(text: $0, mode: 0o644).raisesRouteLocalnet } ?? false
            #expect(!left || !SysctlFiles.holdsOurs(Array(text.utf8)), "\(again.text(Self.path) ?? "")")
        }
    }

    @Test("lines that somebody added to ours come back without ours")
    func setAsideWithOurs() throws {
        var disk = MemoryDisk()
        try disk.apply(Self.wish, Self.host)
        disk.put("# note\n" + SysctlFiles.text, at: Self.path)
        try disk.apply(Self.wish, Self.host)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "# note\n")
        #expect(plan.leftovers == ["\(Self.path) is back without our lines, which somebody had added to"])
    }

    @Test("does not stay where somebody masked the unit of a package since: nothing would bring the guard at boot")
    func maskedSince() throws {
        var host = Self.host
        host.isUnitPackaged = true
        var disk = MemoryDisk()
        try disk.apply(Self.wish, host)
        #expect(disk.text(Self.path) != nil)
        host.masked = [HostPath.unit]
        try disk.apply(Self.wish, host)
        #expect(disk.text(Self.path) == nil)
        #expect(try disk.plan(Self.wish, host).isFulfilled)
        // Systemd that does not run now may run at the next boot.
        host.masked = []
        try disk.apply(Self.wish, host)
        host.hasSystemd = false
        try disk.apply(Self.wish, host)
        #expect(disk.text(Self.path) != nil)
    }

    @Test("contents that were set aside come back, or are named, where somebody edited or deleted ours")
    func setAsideAndEdited() throws {
        let backup = HostPath.backup(of: Self.path)
        var disk = MemoryDisk()
        disk.put("vm.swappiness = 7\n", at: Self.path)
        let original = disk
        try disk.apply(Self.wish, Self.host)
        var bare = disk
        bare.put("\(Endpoint.routeLocalnet) = 1\n", at: Self.path)
        try bare.remove(Self.host)
        #expect(bare.differences(from: original) == [])
        for edited in ["x = 2\n", "x = 2\n" + SysctlFiles.text, nil] {
            var other = disk
            if let edited { other.put(edited, at: Self.path) } else { other.files[Self.path] = nil }
            let plan = try other.remove(Self.host)
            #expect(other.text(backup) == "vm.swappiness = 7\n")
            #expect(plan.leftovers.contains { $0.contains(backup) }, "\(plan.leftovers)")
        }
    }

    @Test("one that is masked is in the way before anything is done")
    func masked() throws {
        var host = Self.host
        host.masked = [Self.path]
        let obstacles = try MemoryDisk().plan(Self.wish, host).obstacles
        #expect(obstacles == [Obstacle("\(Self.path) is masked: a link to /dev/null", advice: "rm \(Self.path)")])
    }

    @Test("what somebody changed since stays and is mentioned")
    func changed() throws {
        var disk = MemoryDisk()
        try disk.apply(Self.wish, Self.host)
        disk.put("y\n", at: Self.path)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "y\n")
        #expect(plan.notes == ["\(Self.path) stays: somebody changed it since"])
    }

    @Test("two backups of different contents are one too many")
    func otherBackup() throws {
        var disk = MemoryDisk()
        disk.put("x\n", at: Self.path)
        disk.put("z\n", at: HostPath.backup(of: Self.path))
        let obstacles = try disk.plan(Self.wish, Self.host).obstacles
        #expect(obstacles.count == 1 && obstacles[0].what.contains(HostPath.backup(of: Self.path)))
    }

    @Test("a packaged unit is not written, only enabled")
    func packaged() throws {
        var (disk, host) = (MemoryDisk(), Self.host)
        host.isUnitPackaged = true
        try disk.apply(Self.wish, host)
        #expect(disk.text(HostPath.unit) == nil)
        #expect(disk.enabled == [HostPath.unitName])
        try disk.remove(host)
        #expect(disk.enabled.isEmpty)
    }

    @Test("a running host reloads systemd and starts the unit, an image does neither", arguments: [true, false])
    func services(_ isImage: Bool) throws {
        var (disk, host) = (MemoryDisk(), Self.host)
        host.isImage = isImage
        let commands = { (plan: PersistencePlan) in
            plan.steps.compactMap { step in if case .service(let action) = step { action.command() } else { nil } }
        }
        let unit = HostPath.unitName
        #expect(
            commands(try disk.apply(Self.wish, host))
                == (isImage
                    ? ["systemctl enable \(unit)"]
                    : ["systemctl daemon-reload", "systemctl enable \(unit)", "systemctl start --no-block \(unit)"]))
        #expect(
            commands(try disk.remove(host))
                == (isImage
                    ? ["systemctl disable \(unit)"]
                    : ["systemctl disable \(unit)", "systemctl stop --no-block \(unit)", "systemctl daemon-reload"]))
    }

    @Test("the upstart job and the unit call the program as it lies there, and save nothing")
    func texts() {
        for text in [SystemdUnit.text(program: "/opt/bin/x"), UpstartJob.text(program: "/opt/bin/x")] {
            #expect(text.contains("/opt/bin/x apply --persist none --force-old-agent --quiet\n"))
            #expect(text.hasPrefix("# Written by ecs-netsetup apply, taken back by ecs-netsetup remove.\n"))
            #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
        }
    }

    @Test("a path that a unit would misread is quoted")
    func oddPath() {
        let text = SystemdUnit.text(program: "/opt/a b%n/$x")
        #expect(text.contains("\nExecStart=\"/opt/a b%%n/$$x\" apply --persist none"))
        #expect(text.contains("\nRequiresMountsFor=\"/opt/a b%%n/$x\" /etc"))
    }
}

@Suite("Kernel parameters in files")
struct SysctlFilesTests {
    private func last(_ files: (String, String)...) -> String? {
        let contents = files.map { (path: $0.0, contents: FileContents(text: $0.1, mode: 0o644)) }
        return SysctlFiles.last(Endpoint.routeLocalnet, in: contents).map { "\($0.path):\($0.line) \($0.value)" }
    }

    @Test("the last line of the last file counts, in every spelling of sysctl.d(5)")
    func lastLine() {
        let key = Endpoint.routeLocalnet
        let slashed = "net/ipv4/conf/all/route_localnet"
        #expect(last() == nil)
        #expect(last(("/a", "# \(key) = 1\n; \(key)=1\nnet.ipv4.conf.default.route_localnet=1\n")) == nil)
        #expect(last(("/a", "\(key)=1"), ("/b", "x = 1\n\(key) = 0\n")) == "/b:2 0")
        #expect(last(("/a", "\(slashed)=1\n\(key)=0\n-\(slashed) = 1\n"), ("/b", "x=1\n")) == "/a:3 1")
        #expect(last(("/a", " \(key) = 1\r\n")) == "/a:1 1")
    }

    @Test("the value without us is that of the last line which the kernel takes, and no link to our file counts")
    func valueWithoutUs() {
        let key = Endpoint.routeLocalnet
        func value(_ files: (String, String)...) -> String? {
            var facts = PersistenceFacts()
            facts.files = [(HostPath.sysctl, .sysctl)]
            facts.sysctlFiles = files.map { ($0.0, FileContents(text: $0.1, mode: 0o644)) }
            return facts.routeLocalnetWithoutUs
        }
        #expect(value() == "0")
        #expect(value(("/a", "\(key) = 1\n"), (HostPath.sysctl, SysctlFiles.text)) == "1")
        #expect(value(("/a", "\(key) = no\n")) == "0")
        #expect(value(("/a", "\(key) = 1\n"), ("/b", "\(key) =\n\(key) = 1 0\n")) == "1")
        #expect(value(("/95-link.conf", SysctlFiles.text)) == "0")
    }

    @Test("a later file that sets it back is named with its line; an earlier one is not")
    func conflict() throws {
        let host = MemoryDisk.Host(osRelease: OSReleases.text("Debian GNU/Linux 12"))
        let wish = Wish(settings: settings([.bridge]), backend: .nftables)
        for (name, value, isTold) in [("99-x.conf", "0", true), ("99-x.conf", "1", false), ("10-x.conf", "0", false)] {
            var disk = MemoryDisk()
            disk.put("#\n\(Endpoint.routeLocalnet) = \(value)\n", at: "/etc/sysctl.d/\(name)")
            let text = "/etc/sysctl.d/\(name):2 sets \(Endpoint.routeLocalnet) back to 0"
            // Before our file is there, and after.
            for _ in 0..<2 {
                let notes = try disk.apply(wish, host).notes
                #expect(notes.contains { $0.hasPrefix(text) } == isTold, "\(name) \(notes)")
            }
        }
        // Read after all folders by procps.
        var facts = try MemoryDisk().facts(host)
        let zero = FileContents(text: "\(Endpoint.routeLocalnet)=0\n", mode: 0o644)
        facts.sysctlFiles = [(HostPath.sysctlFile, zero)]
        #expect(try wish.plan(facts).notes.contains { $0.hasPrefix("\(HostPath.sysctlFile):1 sets") })
    }

    @Test("what the boot would leave without our file is read from the others")
    func withoutUs() throws {
        let host = MemoryDisk.Host(osRelease: OSReleases.text("Debian GNU/Linux 12"))
        var disk = MemoryDisk()
        disk.put("\(Endpoint.routeLocalnet)=1\n", at: "/etc/sysctl.d/10-x.conf")
        #expect(try disk.facts(host).routeLocalnetWithoutUs == nil)
        try disk.apply(Wish(settings: settings([.bridge]), backend: .nftables), host)
        #expect(try disk.facts(host).routeLocalnetWithoutUs == "1")
        disk.files["/etc/sysctl.d/10-x.conf"] = nil
        #expect(try disk.facts(host).routeLocalnetWithoutUs == "0")
    }
}
