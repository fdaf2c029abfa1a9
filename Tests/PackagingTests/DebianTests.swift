import Foundation
import Laboratory
import Testing

/// The Debian package in clean roots, with the stock apt-get and dpkg.
@Suite("Debian package", .serialized)
struct DebianTests {
    private let root: CleanRoot

    init() throws {
        root = try CleanRoot()
        try root.bring(try Package.path(".deb"))
        try root.bring(try Self.older())
    }

    /// The same package with a lower version and another unit, made once.
    private static func older() throws -> String {
        let folder = "\(Package.folder)/older"
        let shell = """
            set -e; rm -rf \(folder); mkdir \(folder); cd \(folder); dpkg-deb -R "$0" tree
            sed -i 's/^Version: .*/Version: 0.0.1/' tree/DEBIAN/control
            echo '# of an older version' >>tree/usr/lib/systemd/system/ecs-netsetup.service
            dpkg-deb --root-owner-group -Zgzip -z1 -b tree ecs-netsetup_0.0.1_older.deb
            """
        let made = try Machine.execute(["sh", "-c", shell, try Package.path(".deb")])
        try #require(made.status == 0, "\(made.errors)")
        return "\(folder)/ecs-netsetup_0.0.1_older.deb"
    }

    private func install(_ version: String, _ setting: CleanRoot.Setting) throws {
        let name =
            version == "older"
            ? "ecs-netsetup_0.0.1_older.deb" : (try Package.path(".deb") as NSString).lastPathComponent
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "install", "-qq", "-y", "/tmp/\(name)"], setting)
    }

    private static let settings = "/etc/ecs-netsetup.conf"
    private static let unit = "/usr/lib/systemd/system/ecs-netsetup.service"

    @Test("lintian finds no error and nothing to warn of")
    func lintian() throws {
        let result = try Machine.execute([
            "lintian", "--allow-root", "--fail-on", "error,warning", try Package.path(".deb"),
        ])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test("is installed with what it depends on, and activates nothing")
    func install() throws {
        try root.addTable()
        let rules = try root.rules()
        try install("newer", .chroot)
        #expect(try root.require(["ecs-netsetup", "--version"]) == Package.version())
        // Every file is there as it was packed; conffiles it has none.
        #expect(try root.require(["dpkg", "--verify", "ecs-netsetup"]).isEmpty)
        for file in Self.files { #expect(try root.exists(file), "\(file)") }
        #expect(try root.links().isEmpty)
        #expect(try root.execute(["systemctl", "is-enabled", "ecs-netsetup.service"]).output == "disabled\n")
        #expect(try root.require(["find", "/etc", "-name", "*ecs*"]).isEmpty)
        #expect(try root.rules() == rules)
    }

    private static let files = [
        unit, "/usr/sbin/ecs-netsetup", "/usr/share/man/man8/ecs-netsetup.8.gz",
        "/usr/share/man/man5/ecs-netsetup.conf.5.gz",
        "/usr/share/bash-completion/completions/ecs-netsetup", "/usr/share/zsh/vendor-completions/_ecs-netsetup",
        "/usr/share/fish/vendor_completions.d/ecs-netsetup.fish", "/usr/share/doc/ecs-netsetup/copyright",
        "/usr/share/doc/ecs-netsetup/changelog.gz", "/usr/share/doc/ecs-netsetup/docs/cloud-init.md",
        "/usr/share/doc/ecs-netsetup/packaging/cloud-init/debian.yaml",
    ]

    @Test("systemd-analyze finds nothing wrong with the unit, and would find something")
    func unit() throws {
        try install("newer", .chroot)
        let verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes"]
        let result = try root.execute(verify + [Self.unit])
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        try root.namespace.require([
            "sh", "-c", "sed 's/^ExecStart=/ExecStrat=/' <$0$1 >$0/tmp/wrong.service", root.path, Self.unit,
        ])
        #expect(try root.execute(verify + ["/tmp/wrong.service"]).status != 0)
    }

    /// In an image, the rules of the host that builds it are nobody's business.
    @Test("is upgraded, removed and purged in an image", arguments: [CleanRoot.Setting.chroot, .build])
    func image(_ setting: CleanRoot.Setting) throws {
        let before = try root.snapshot()
        try root.addTable()
        let rules = try root.rules()

        try install("older", setting)
        try root.require(Self.apply, setting)
        let links = try root.links()
        #expect(links.contains("/etc/systemd/system/multi-user.target.wants/ecs-netsetup.service"))
        #expect(!links.contains("/etc/systemd/system/ecs-netsetup.service"))
        #expect(try root.exists("/etc/sysctl.d/90-ecs-netsetup.conf"))
        #expect(try root.read(Self.unit).contains("older"))

        let settings = try root.read(Self.settings)
        try install("newer", setting)
        #expect(try root.links() == links)
        #expect(try root.read(Self.settings) == settings)
        #expect(try !root.read(Self.unit).contains("older"))
        #expect(try root.execute(["ecs-netsetup", "diff", "--root", "/"], setting).status == 0)

        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "remove", "-qq", "-y", "ecs-netsetup"], setting)
        #expect(try root.read(Self.settings) == settings)
        #expect(try root.links().isEmpty)
        #expect(try !root.exists("/etc/sysctl.d/90-ecs-netsetup.conf"))
        try purge(setting, leaving: before)
        #expect(try root.rules() == rules)
    }

    private func purge(_ setting: CleanRoot.Setting, leaving before: Set<String>) throws {
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "purge", "-qq", "-y", "ecs-netsetup"], setting)
        #expect(try !root.exists(Self.settings))
        // The libraries that came with it.
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "autoremove", "--purge", "-qq", "-y"], setting)
        try root.expect(before)
    }

    /// What the test above rests on: told no root folder, the program means the host that it runs on.
    @Test("without --root, remove in a chroot would reach the host's rules")
    func control() throws {
        try root.addTable()
        try install("newer", .chroot)
        try root.require(["ecs-netsetup", "remove", "--root", "/"])
        #expect(try root.rules().contains("ecs-netsetup"))
        try root.require(["ecs-netsetup", "remove"])
        #expect(try !root.rules().contains("ecs-netsetup"))
    }

    @Test("on a running host, an upgrade keeps the rules, and removal takes them back")
    func booted() throws {
        let before = try root.snapshot()
        try install("older", .booted)
        #expect(try root.rules().isEmpty)
        try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables"], .booted)
        let rules = try root.rules()
        #expect(rules.contains("169.254.170.2"))
        let settings = try root.read(Self.settings)

        try install("newer", .booted)
        #expect(try root.rules() == rules)
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "remove", "-qq", "-y", "ecs-netsetup"], .booted)
        #expect(try root.rules().isEmpty)
        #expect(try root.read(Self.settings) == settings)
        try purge(.booted, leaving: before)
    }

    @Test("an upgrade reloads the unit where it is active, and starts nothing", arguments: [true, false])
    func reload(isActive: Bool) throws {
        try root.standInForSystemd(isActive: isActive)
        try install("older", .booted)
        #expect(
            try !root.commands().contains { $0.contains("start") || $0.contains("enable") || $0.contains("reload ecs") }
        )
        try root.standInForSystemd(isActive: isActive)
        try install("newer", .booted)
        let commands = try root.commands()
        #expect(commands.contains("--quiet daemon-reload"), "\(commands)")
        #expect(commands.contains("reload ecs-netsetup.service") == isActive, "\(commands)")
        #expect(!commands.contains { $0.contains("start") || $0.contains("enable") }, "\(commands)")
    }

    @Test("stays where what apply did cannot be taken back")
    func refused() throws {
        try install("newer", .booted)
        try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables"], .booted)
        let rules = try root.rules()
        // A folder in the place of the record.
        try root.namespace.require([
            "sh", "-c", "cd $0/var/lib/ecs-netsetup && mv record kept && mkdir record", root.path,
        ])
        let result = try root.execute(["apt-get", "-oDpkg::Use-Pty=0", "remove", "-qq", "-y", "ecs-netsetup"], .booted)
        #expect(result.status != 0 && result.errors.contains("/var/lib/ecs-netsetup/record"), "\(result.errors)")
        #expect(try root.exists("/usr/sbin/ecs-netsetup"))
        #expect(try root.rules() == rules)
        #expect(try root.exists(Self.settings))
        try root.namespace.require([
            "sh", "-c", "cd $0/var/lib/ecs-netsetup && rmdir record && mv kept record", root.path,
        ])
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "remove", "-qq", "-y", "ecs-netsetup"], .booted)
        #expect(try root.rules().isEmpty)
    }

    private static let apply = ["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables", "--root", "/"]
    private static let sysctl = "/etc/sysctl.d/90-ecs-netsetup.conf"

    @Test("takes back with its own program, whatever PATH names first")
    func decoy() throws {
        try install("newer", .chroot)
        try root.require(Self.apply)
        let shell = "printf '#!/bin/sh\n' >$0/usr/local/sbin/ecs-netsetup && chmod 755 $0/usr/local/sbin/ecs-netsetup"
        try root.namespace.require(["sh", "-c", shell, root.path])
        let path = ["env", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"]
        let first = try root.require(path + ["sh", "-c", "command -v ecs-netsetup"])
        #expect(first == "/usr/local/sbin/ecs-netsetup\n")
        try root.require(path + ["dpkg", "-r", "ecs-netsetup"])
        #expect(try !root.exists(Self.sysctl))
    }

    /// What another installation left, or still has.
    enum Other: CaseIterable { case program, whatApplyDid }

    @Test("purge keeps what another installation needs", arguments: Other.allCases)
    func purgeBesideAnother(_ other: Other) throws {
        try install("newer", .chroot)
        try root.require(["cp", "/usr/sbin/ecs-netsetup", "/usr/local/sbin"])
        try root.require(["dpkg", "-r", "ecs-netsetup"])
        try root.require(["/usr/local/sbin/ecs-netsetup"] + Self.apply.dropFirst())
        let extra =
            switch other {
            case .program: Self.sysctl
            case .whatApplyDid: "/usr/local/sbin/ecs-netsetup"
            }
        try root.require(["rm", extra])
        let result = try root.execute(["dpkg", "-P", "ecs-netsetup"])
        #expect(result.status == 0 && result.errors.contains("keeping \(Self.settings)"), "\(result.errors)")
        #expect(try root.exists(Self.settings))
        #expect(try root.exists("/var/lib/ecs-netsetup/record"))
        // And the package is forgotten.
        #expect(try root.execute(["dpkg-query", "-W", "ecs-netsetup"]).status == 1)
    }

    @Test("keeps settings that lie elsewhere, and the link to them")
    func linkedSettings() throws {
        try install("newer", .chroot)
        try root.require(Self.apply)
        let settings = try root.read(Self.settings)
        try root.require(["sh", "-c", "mv $0 /srv/settings && ln -s ../srv/settings $0", Self.settings])
        try root.require(["dpkg", "-r", "ecs-netsetup"])
        #expect(try root.require(["readlink", Self.settings]) == "../srv/settings\n")
        #expect(try root.read("/srv/settings") == settings)
    }

    @Test("is removed without its program where apply left nothing, and stays where it did", arguments: [true, false])
    func missingProgram(isApplied: Bool) throws {
        try install("newer", .chroot)
        if isApplied { try root.require(Self.apply) }
        try root.require(["rm", "/usr/sbin/ecs-netsetup"])
        let result = try root.execute(["dpkg", "-r", "ecs-netsetup"])
        #expect((result.status == 0) == !isApplied, "\(result.errors)")
        #expect(result.errors.contains("install the package again") == isApplied, "\(result.errors)")
        #expect(try root.exists(Self.unit) == isApplied)
        guard isApplied else { return }
        // As it says.
        try root.require(["dpkg", "-i", "/tmp/" + (try Package.path(".deb") as NSString).lastPathComponent])
        try root.require(["dpkg", "-r", "ecs-netsetup"])
        #expect(try !root.exists(Self.sysctl))
    }
}
