import Foundation
import Laboratory
import Testing

/// The RPM package in clean roots, with the stock rpm. The root is Debian's, so the names that the package asks for are not
/// in rpm's book: that they are there is looked at by running the program.
@Suite("RPM package", .serialized)
struct RPMTests {
    private let root: CleanRoot

    init() throws {
        root = try CleanRoot()
        try root.require([
            "apt-get", "install", "-qq", "-y", "libip4tc2", "libip6tc2", "libmnl0", "libnftnl11",
        ])
        try root.namespace.require(["rpm", "--root", root.path, "--initdb"])
        // Of the package "filesystem" on the distributions that this is for.
        try root.namespace.require(["mkdir", "-p", "\(root.path)/usr/share/licenses"])
    }

    /// The same package with a lower version, made by the same script.
    private static let older = Result {
        let made = try Machine.execute(["packaging/rpm/build", "0.0.1", ".build/packages/older-rpm"])
        try #require(made.status == 0, "\(made.errors)")
        return try Package.path(".rpm", in: "\(Package.folder)/older-rpm")
    }

    private func rpm(_ words: [String]) throws -> ProgramResult {
        // rpm changes its root folder by itself, below an init of another.
        let shell =
            "mount -t proc proc \(root.path)/proc && rpm --root \(root.path) --nodeps --force-debian \"$@\"; exit $?"
        return try root.namespace.execute(
            ["unshare", "--pid", "--mount", "--fork", "--kill-child", "/run/init", "-c", shell, "sh"] + words)
    }

    private func require(_ words: [String]) throws {
        let result = try rpm(words)
        // A script that fails after an installation does not change the status.
        try #require(result.status == 0 && result.errors.isEmpty, "\(words): \(result.output)\(result.errors)")
    }

    @Test("rpmlint finds no error and nothing to warn of")
    func rpmlint() throws {
        let result = try Machine.execute([
            "rpmlint", "-c", "packaging/rpm/rpmlint.toml", try Package.path(".rpm"), "packaging/rpm/ecs-netsetup.spec",
        ])
        #expect(result.output.contains("1 packages and 1 specfiles checked; 0 errors, 0 warnings"), "\(result.output)")
    }

    @Test("asks for the libraries by the names that Amazon Linux 2023 and RHEL 9 have")
    func libraries() throws {
        let wanted = try Machine.execute(["rpm", "-qp", "--requires", try Package.path(".rpm")]).output
        for name in ["libip4tc.so.2()", "libip6tc.so.2()", "libnftnl.so.11()", "libmnl.so.0()"] {
            #expect(wanted.contains(name), "\(wanted)")
        }
    }

    @Test("is installed, upgraded and erased in an image, and the host's rules stay")
    func image() throws {
        let before = try root.snapshot()
        try root.addTable()
        let rules = try root.rules()
        try require(["-i", try Self.older.get()])
        #expect(try root.require(["ecs-netsetup", "--version"]) == Package.version())
        #expect(try rpm(["-V", "ecs-netsetup"]).output.isEmpty)
        #expect(try root.links().isEmpty)
        try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables", "--root", "/"])
        let links = try root.links()
        #expect(!links.isEmpty)
        let settings = try root.read("/etc/ecs-netsetup.conf")

        try require(["-U", try Package.path(".rpm")])
        #expect(try root.links() == links)
        #expect(try root.read("/etc/ecs-netsetup.conf") == settings)

        #expect(try rpm(["-e", "ecs-netsetup"]).status == 0)
        #expect(try root.links().isEmpty)
        #expect(try root.read("/etc/ecs-netsetup.conf") == settings)
        try root.namespace.require(["rm", "\(root.path)/etc/ecs-netsetup.conf"])
        try root.expect(before)
        #expect(try root.rules() == rules)
    }

    @Test("an upgrade reloads the unit where it is active, and starts nothing", arguments: [true, false])
    func reload(isActive: Bool) throws {
        try root.standInForSystemd(isActive: isActive)
        try require(["-i", try Self.older.get()])
        #expect(try root.commands() == [])
        try require(["-U", try Package.path(".rpm")])
        let asked = ["--quiet daemon-reload", "--quiet is-active ecs-netsetup.service"]
        #expect(try root.commands() == asked + (isActive ? ["reload ecs-netsetup.service"] : []))
    }

    @Test("keeps settings that lie elsewhere, and the link to them")
    func linkedSettings() throws {
        try require(["-i", try Package.path(".rpm")])
        try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables", "--root", "/"])
        let link = "/etc/ecs-netsetup.conf"
        let settings = try root.read(link)
        try root.require(["sh", "-c", "mv $0 /srv/settings && ln -s ../srv/settings $0", link])
        #expect(try rpm(["-e", "ecs-netsetup"]).status == 0)
        #expect(try root.require(["readlink", link]) == "../srv/settings\n")
        #expect(try root.read("/srv/settings") == settings)
    }

    @Test("is erased without its program where apply left nothing, and stays where it did", arguments: [true, false])
    func missingProgram(isApplied: Bool) throws {
        try require(["-i", try Package.path(".rpm")])
        if isApplied {
            try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables", "--root", "/"])
        }
        try root.require(["rm", "/usr/sbin/ecs-netsetup"])
        let result = try rpm(["-e", "ecs-netsetup"])
        #expect((result.status == 0) == !isApplied, "\(result.errors)")
        #expect(result.errors.contains("reinstall the package") == isApplied, "\(result.errors)")
        #expect(try root.exists("/usr/lib/systemd/system/ecs-netsetup.service") == isApplied)
    }

    @Test("stays where what apply did cannot be taken back")
    func refused() throws {
        try require(["-i", try Package.path(".rpm")])
        try root.require(["ecs-netsetup", "apply", "--mode", "bridge", "--backend", "nftables", "--root", "/"])
        try root.namespace.require(["sh", "-c", "cd $0/var/lib/ecs-netsetup && rm record && mkdir record", root.path])
        #expect(try rpm(["-e", "ecs-netsetup"]).status != 0)
        #expect(try root.exists("/usr/sbin/ecs-netsetup") && root.exists("/etc/ecs-netsetup.conf"))
    }
}
