import Foundation
import Laboratory
import Testing

/// The tarball's script in the root folder of a Debian system, without `DESTDIR`.
@Suite("Tarball in a root folder", .serialized)
struct TarballInRootTests {
    private let root: CleanRoot
    private static let script = "/tmp/ecs-netsetup/install.sh"
    private static let apply = ["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables"]

    init() throws {
        root = try CleanRoot()
        let unpacked = "\(root.path)/tmp/ecs-netsetup"
        try root.namespace.require(["mkdir", unpacked])
        try root.namespace.require([
            "tar", "-C", unpacked, "--strip-components=1", "-xzf", try Package.path(".tar.gz"),
        ])
    }

    /// As with the packages, in an image the rules of the host that builds it are nobody's business.
    @Test(
        "is installed and taken away in an image, and the host's rules stay",
        arguments: [CleanRoot.Setting.chroot, .build])
    func image(_ setting: CleanRoot.Setting) throws {
        let before = try root.snapshot()
        try root.addTable()
        let rules = try root.rules()
        try root.require([Self.script], setting)
        try root.require(Self.apply + ["--root", "/"], setting)
        #expect(try root.exists("/etc/sysctl.d/90-ecs-netsetup.conf"))
        try root.require([Self.script, "--uninstall"], setting)
        #expect(try root.rules() == rules)
        try root.expect(before)
    }

    @Test("on a running host, the rules go with the program")
    func booted() throws {
        try root.require([Self.script], .booted)
        try root.require(Self.apply, .booted)
        #expect(try root.rules().contains("169.254.170.2"))
        try root.require([Self.script, "--uninstall"], .booted)
        #expect(try root.rules().isEmpty)
    }

    @Test("systemd reads its units anew, and an active one applies the settings", arguments: [true, false])
    func reload(isActive: Bool) throws {
        try root.standInForSystemd(isActive: isActive)
        try root.require([Self.script], .booted)
        let asked = ["--quiet daemon-reload", "--quiet is-active ecs-netsetup.service"]
        #expect(try root.commands() == asked + (isActive ? ["reload ecs-netsetup.service"] : []))
        try root.standInForSystemd(isActive: isActive)
        try root.require([Self.script, "--uninstall"], .booted)
        #expect(try root.commands().last == "--quiet daemon-reload")
    }

    @Test("leaves a package's files to its package manager", arguments: [[], ["--uninstall"]])
    func owned(_ words: [String]) throws {
        let package = try Package.path(".deb")
        try root.bring(package)
        let name = (package as NSString).lastPathComponent
        try root.require(["apt-get", "-oDpkg::Use-Pty=0", "install", "-qq", "-y", "/tmp/\(name)"])
        let before = try root.snapshot()
        let result = try root.execute([Self.script] + words)
        #expect(result.status == 1 && result.errors.contains("belongs to a package"), "\(result.errors)")
        try root.expect(before)
        // What is left of a removed package owns nothing.
        try root.require(["dpkg", "-r", "ecs-netsetup"])
        try root.require([Self.script] + words)
    }

    @Test("leaves the files of an image's RPM package to rpm")
    func ownedByRPM() throws {
        let outside = ["env", "DESTDIR=\(root.path)", root.path + Self.script]
        try root.namespace.require(["rpm", "--root", root.path, "--initdb"])
        #expect(try root.namespace.execute(outside).status == 0)
        #expect(try root.namespace.execute(outside + ["--uninstall"]).status == 0)
        try root.namespace.require([
            "rpm", "--root", root.path, "--nodeps", "--force-debian", "--justdb", "--noscripts", "-i",
            try Package.path(".rpm"),
        ])
        let result = try root.namespace.execute(outside)
        #expect(result.status == 1 && result.errors.contains("belongs to a package"), "\(result.errors)")
    }
}
