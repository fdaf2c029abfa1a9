import Glibc
import Host
import Model
import Planning

/// Reads what persistence depends on. Changes nothing, and asks no service manager.
struct PersistenceFactsReader {
    let host: Host

    /// - Parameter isWhole: whether more is needed than which host this is, and whether a file of ours raises the parameter.
    func read(isWhole: Bool) throws(Failure) -> PersistenceFacts {
        isWhole ? try whole() : readable()
    }

    private var start: PersistenceFacts {
        var facts = PersistenceFacts()
        facts.isImage = host.isImage
        facts.root = host.root
        return facts
    }

    /// What can be read where no file is to be changed: nothing that is wrong with one keeps the rules from being installed.
    private func readable() -> PersistenceFacts {
        var facts = start
        facts.osRelease = try? osRelease()
        facts.isWindows = (try? isWindows(facts)) ?? false
        facts.iptablesFlavour = try? iptablesFlavour()
        do throws(Failure) {
            if let own = try host.files.readIfRegular(HostPath.sysctl) { facts.files.append((HostPath.sysctl, own)) }
        } catch {
            // It raises the parameter, for all that can be told.
            facts.files.append((HostPath.sysctl, .sysctl))
        }
        if facts.raisesRouteLocalnet { facts.sysctlFiles = (try? sysctlFiles()) ?? [] }
        return facts
    }

    private func isWindows(_ facts: PersistenceFacts) throws(Failure) -> Bool {
        if facts.osRelease != nil { return false }
        return try host.files.exists("/Windows/System32")
    }

    private func whole() throws(Failure) -> PersistenceFacts {
        var facts = start
        facts.osRelease = try osRelease()
        facts.isWindows = try isWindows(facts)
        facts.iptablesFlavour = try iptablesFlavour()
        facts.record = try record()
        facts.sysctlFiles = try sysctlFiles()
        try readManaged(&facts)
        try readServices(&facts)
        (facts.program, facts.hasProgram) = try program()
        facts.agentStarter = try host.agentStarter
        facts.isIPv6Disabled = try isIPv6Disabled(facts)
        return facts
    }

    private func osRelease() throws(Failure) -> String? {
        for path in HostPath.osRelease {
            if let contents = try host.files.read(path) { return contents.text }
        }
        return nil
    }

    /// What was changed before.
    func record() throws(Failure) -> Record {
        guard let contents = try host.files.read(HostPath.record) else { return Record() }
        return try Record(text: contents.text, path: HostPath.record)
    }

    private func readManaged(_ facts: inout PersistenceFacts) throws(Failure) {
        var folders: [String] = []
        for path in Set(HostPath.managed + facts.record.paths).sorted() {
            for name in [path, HostPath.backup(of: path)] {
                if try host.files.linkTarget(name) == "/dev/null" {
                    facts.masked.append(name)
                } else if let contents = try host.files.read(name, limit: HostPath.largest(path)) {
                    facts.files.append((name, contents))
                }
            }
            for folder in HostPath.folders(above: path) where !folders.contains(folder) { folders.append(folder) }
        }
        for folder in folders + HostPath.folders(above: HostPath.record) + facts.record.folders
        where !facts.folders.contains(folder) {
            if try host.files.exists(folder) { facts.folders.append(folder) }
        }
    }

    private func readServices(_ facts: inout PersistenceFacts) throws(Failure) {
        for name in PersistenceFacts.units {
            facts.services.append((name, try host.unit(name)))
        }
        for name in PersistenceFacts.scripts {
            facts.services.append((name, try host.script(name)))
        }
        facts.isUnitPackaged = try host.isUnitPackaged(HostPath.unitName)
        // A package's unit may want other links.
        if !facts.isUnitPackaged {
            for link in SystemdUnit.links where try !host.files.exists(link) { facts.hasAllUnitLinks = false }
        }
        facts.hasSystemd = try host.isImage ? hasSystemdInImage() : host.isBootedBySystemd
        for manager in [ServiceManager.systemctl, .chkconfig] where try host.program(of: manager) != nil {
            facts.managers.append(manager)
        }
    }

    private func hasSystemdInImage() throws(Failure) -> Bool {
        for path in ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
            if try host.files.exists(path) { return true }
        }
        return false
    }

    /// Where the links of the host's `iptables-restore` lead: `xtables-nft-multi`, `xtables-legacy-multi`, or
    /// `iptables-multi` and `xtables-multi` of versions that know the legacy interface only.
    private func iptablesFlavour() throws(Failure) -> BackendKind? {
        for path in ["/usr/sbin/iptables-restore", "/sbin/iptables-restore"] {
            guard let name = try host.files.finalName(path) else { continue }
            if name.contains("nft") { return .nftables }
            if name.contains("multi") { return .iptables }
        }
        return nil
    }

    /// How much is read of files that set kernel parameters together, in bytes: an image may hold any number of them.
    private static let mostParameters = 16 << 20

    /// The files of all folders sorted by name, the first folder's file of a name counting; then `sysctl.conf`.
    private func sysctlFiles() throws(Failure) -> [(path: String, contents: FileContents)] {
        var paths: [(name: String, path: String)] = []
        for folder in HostPath.sysctlFolders {
            for name in try host.files.list(folder) where name.hasSuffix(".conf") {
                if !paths.contains(where: { $0.name == name }) { paths.append((name, "\(folder)/\(name)")) }
            }
        }
        paths.sort { $0.name < $1.name }
        var files: [(path: String, contents: FileContents)] = []
        var size = 0
        for path in paths.map(\.path) + [HostPath.sysctlFile] {
            guard let contents = try host.files.readIfRegular(path) else { continue }
            files.append((path, contents))
            size += contents.bytes.count
            if size > Self.mostParameters {
                throw .system(
                    "cannot read", source: path, errno: EFBIG,
                    advice:
                        "of all files that set kernel parameters, more than \(Self.mostParameters >> 20) MiB are not read"
                )
            }
        }
        return files
    }

    /// Where packages and `make install` put the program.
    private static let programs = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/bin"]

    func program() throws(Failure) -> (path: String, isThere: Bool) {
        if !host.isImage { return (try Host.ownProgram, true) }
        for folder in Self.programs where try host.files.exists("\(folder)/ecs-netsetup") {
            return ("\(folder)/ecs-netsetup", true)
        }
        return ("\(Self.programs[0])/ecs-netsetup", false)
    }

    private func isIPv6Disabled(_ facts: PersistenceFacts) throws(Failure) -> Bool {
        if host.isImage { return facts.disablesIPv6AtBoot }
        if !host.hasIPv6 { return true }
        return try host.sysctl("net.ipv6.conf.all.disable_ipv6") == "1"
    }
}
