import Glibc
import Laboratory
import Model
import TestSupport
import Testing

@testable import Host

@Suite("Services")
struct ServicesTests {
    private static let name = "iptables.service"
    private static let unitText = """
        [Unit]
        Description=A service

        [Service]
        Type=oneshot
        ExecStart=/bin/true

        [Install]
        WantedBy=basic.target

        """
    private let root: FixtureRoot
    private var host: Host { root.host }

    init() throws { root = try FixtureRoot() }

    /// A tree in which a unit is in some state.
    struct Tree: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Files that hold the unit.
        var units: [String] = []
        /// Links, each with its target.
        var links: [(place: String, target: String)] = []
        let isInstalled: Bool
        let isEnabled: Bool
        /// What `systemctl is-enabled` says; nil where it says something else than this program asks.
        let systemctl: [String]?
    }

    private static let vendor = "/usr/lib/systemd/system/iptables.service"
    private static let local = "/etc/systemd/system/iptables.service"
    private static let wants = "/etc/systemd/system/basic.target.wants/iptables.service"
    private static let requires = "/etc/systemd/system/basic.target.requires/iptables.service"

    private static let trees = [
        Tree(testDescription: "nothing", isInstalled: false, isEnabled: false, systemctl: []),
        Tree(
            testDescription: "installed by a package", units: [vendor], isInstalled: true, isEnabled: false,
            systemctl: ["disabled"]),
        Tree(
            testDescription: "enabled through .wants", units: [vendor], links: [(wants, vendor)], isInstalled: true,
            isEnabled: true, systemctl: ["enabled"]),
        Tree(
            testDescription: "enabled through .requires", units: [vendor], links: [(requires, vendor)],
            isInstalled: true, isEnabled: true, systemctl: ["enabled"]),
        Tree(
            testDescription: "enabled through a relative link", units: [vendor],
            links: [(wants, "../../../../usr/lib/systemd/system/iptables.service")], isInstalled: true,
            isEnabled: true, systemctl: ["enabled"]),
        Tree(
            testDescription: "written by the administrator", units: [local], isInstalled: true, isEnabled: false,
            systemctl: ["disabled"]),
        Tree(
            testDescription: "written by the administrator over a package's, enabled", units: [local, vendor],
            links: [(wants, local)], isInstalled: true, isEnabled: true, systemctl: ["enabled"]),
        Tree(
            testDescription: "masked", units: [vendor], links: [(local, "/dev/null")], isInstalled: false,
            isEnabled: false, systemctl: ["masked"]),
        Tree(
            testDescription: "masked where it was enabled", units: [vendor],
            links: [(local, "/dev/null"), (wants, vendor)], isInstalled: false, isEnabled: false,
            systemctl: ["masked"]),
        Tree(
            testDescription: "masked where none is", links: [(local, "/dev/null")], isInstalled: false,
            isEnabled: false, systemctl: ["masked"]),
        Tree(
            testDescription: "enabled, and the package is gone", links: [(wants, vendor)], isInstalled: false,
            isEnabled: false, systemctl: []),
        Tree(
            testDescription: "in /lib, which is /usr/lib", units: [vendor],
            links: [("/lib", "usr/lib"), (wants, "/lib/systemd/system/iptables.service")], isInstalled: true,
            isEnabled: true, systemctl: ["enabled"]),
        Tree(
            testDescription: "in /lib, which is a folder of its own", units: ["/lib/systemd/system/iptables.service"],
            links: [(wants, "/lib/systemd/system/iptables.service")], isInstalled: true, isEnabled: true,
            systemctl: nil),
        Tree(
            testDescription: "linked from elsewhere", units: ["/opt/units/iptables.service"],
            links: [(local, "/opt/units/iptables.service")], isInstalled: true, isEnabled: false,
            systemctl: ["linked"]),
        Tree(
            testDescription: "under /usr/local", units: ["/usr/local/lib/systemd/system/iptables.service"],
            isInstalled: true, isEnabled: false, systemctl: ["disabled"]),
        Tree(
            testDescription: "another one is enabled", units: [vendor],
            links: [("/etc/systemd/system/basic.target.wants/ip6tables.service", vendor)], isInstalled: true,
            isEnabled: false, systemctl: nil),
        Tree(
            testDescription: "a link in a folder of no target", units: [vendor],
            links: [("/etc/systemd/system/iptables.service.d/iptables.service", vendor)], isInstalled: true,
            isEnabled: false, systemctl: ["disabled"]),
    ]

    private func make(_ tree: Tree) throws {
        for unit in tree.units { try root.write(Self.unitText, to: unit) }
        for (place, target) in tree.links { try root.makeLink(place, to: target) }
    }

    @Test("the state of a unit is read from its files, as systemctl does", arguments: trees)
    func unit(_ tree: Tree) throws {
        try make(tree)
        #expect(
            try host.unit(Self.name).says(isInstalled: tree.isInstalled, isEnabled: tree.isEnabled))
        guard let expected = tree.systemctl, let systemctl = HelperProgram.find(among: ["/usr/bin/systemctl"]) else {
            return print("\(tree.testDescription): without systemctl as a witness")
        }
        let said = try Machine.execute([systemctl, "--root=\(root.path)", "is-enabled", Self.name])
        // Where there is no such unit, versions differ in what they write and where.
        #expect(
            expected.isEmpty
                ? said.status != 0 && !said.output.contains("enabled") : expected.contains(said.output.trimmedLine),
            "systemctl says: \(said.output)\(said.errors)")
    }
}

extension ServicesTests {
    @Test("only a unit where packages put theirs is a packaged one")
    func packaged() throws {
        #expect(try !host.isUnitPackaged(Self.name))
        try root.write(Self.unitText, to: Self.local)
        #expect(try !host.isUnitPackaged(Self.name))
        try root.write(Self.unitText, to: "/run/systemd/system/\(Self.name)")
        #expect(try !host.isUnitPackaged(Self.name))
        try root.makeLink("/lib", to: "usr/lib")
        try root.write(Self.unitText, to: Self.vendor)
        #expect(try host.isUnitPackaged(Self.name))
    }

    @Test(
        "enabling and disabling a unit of an image leaves it as it was, by the machine's systemctl",
        .enabled(if: HelperProgram.find(among: ["/usr/bin/systemctl", "/bin/systemctl"]) != nil, "needs systemctl"))
    func enable() throws {
        let image = Host(root: root.path, isImage: true)
        try root.write(Self.unitText, to: Self.vendor)
        try root.makeFolder("/etc/systemd/system")
        let before = try root.snapshot
        let action = ServiceAction(.enable, Self.name, .systemctl, why: "")
        try image.perform(action)
        #expect(try image.unit(Self.name).says(isInstalled: true, isEnabled: true))
        #expect(try image.files.linkTarget(Self.wants) == Self.vendor)
        // What would start or stop something does nothing on an image.
        for verb: ServiceAction.Verb in [.start, .stop, .reload] {
            try image.perform(ServiceAction(verb, Self.name, .systemctl, why: ""))
        }
        try image.perform(try #require(action.inverse))
        #expect(try image.unit(Self.name).says(isInstalled: true, isEnabled: false))
        #expect(try root.snapshot.differences(to: before) == [])
    }

    @Test(
        "a link in the way is not followed out of an image, as systemctl would",
        .enabled(if: HelperProgram.find(among: ["/usr/bin/systemctl", "/bin/systemctl"]) != nil, "needs systemctl"),
        arguments: ["/etc", "/etc/systemd", "/etc/systemd/system", "/etc/systemd/system/basic.target.wants"])
    func linkOut(_ folder: String) throws {
        let image = Host(root: root.path, isImage: true)
        let outside = try FixtureRoot()
        for path in ["/systemd/system", "/system"] { try outside.makeFolder(path) }
        try root.write(Self.unitText, to: Self.vendor)
        try root.makeLink(folder, to: outside.path)
        let before = try outside.snapshot
        for verb: ServiceAction.Verb in [.enable, .disable] {
            let failure = try #require(throws: Failure.self) {
                try image.perform(ServiceAction(verb, Self.name, .systemctl, why: ""))
            }
            #expect(failure.source == root.path + folder)
        }
        #expect(try outside.snapshot == before)
    }

    @Test("what a service manager says is told", .enabled(if: HelperProgram.find(among: ["/usr/bin/systemctl"]) != nil))
    func refused() throws {
        let image = Host(root: root.path, isImage: true)
        let failure = try #require(throws: Failure.self) {
            try image.perform(ServiceAction(.enable, "missing.service", .systemctl, why: ""))
        }
        #expect(failure.description.contains("systemctl --root=\(root.path) enable missing.service failed with status"))
        #expect(failure.description.contains("missing.service does not exist"), "\(failure)")
    }

    /// Scripts and their links, and the state that follows.
    struct Scripts: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let files: [String]
        let links: [String]
        let isInstalled: Bool
        let isEnabled: Bool
    }

    private static let scripts = [
        Scripts(testDescription: "nothing", files: [], links: [], isInstalled: false, isEnabled: false),
        Scripts(
            testDescription: "off", files: ["/etc/rc.d/init.d/iptables"], links: ["/etc/rc.d/rc3.d/K92iptables"],
            isInstalled: true, isEnabled: false),
        Scripts(
            testDescription: "on", files: ["/etc/rc.d/init.d/iptables"], links: ["/etc/rc.d/rc3.d/S08iptables"],
            isInstalled: true, isEnabled: true),
        Scripts(
            testDescription: "on, the folders not below rc.d", files: ["/etc/init.d/iptables"],
            links: ["/etc/rc3.d/S08iptables"], isInstalled: true, isEnabled: true),
        Scripts(
            testDescription: "on in another runlevel", files: ["/etc/rc.d/init.d/iptables"],
            links: ["/etc/rc.d/rc5.d/S08iptables"], isInstalled: true, isEnabled: false),
        Scripts(
            testDescription: "another one", files: ["/etc/rc.d/init.d/ip6tables"],
            links: ["/etc/rc.d/rc3.d/S08ip6tables", "/etc/rc.d/rc3.d/S1iptables"], isInstalled: false,
            isEnabled: false),
        Scripts(
            testDescription: "a link without a script", files: [], links: ["/etc/rc.d/rc3.d/S08iptables"],
            isInstalled: false, isEnabled: false),
    ]

    @Test("the state of a SysV script is read from its links of runlevel 3", arguments: scripts)
    func script(_ scripts: Scripts) throws {
        for file in scripts.files { try root.write("#!/bin/sh\n", to: file) }
        for link in scripts.links { try root.makeLink(link, to: "../init.d/iptables") }
        #expect(
            try host.script("iptables").says(isInstalled: scripts.isInstalled, isEnabled: scripts.isEnabled))
    }

    @Test("where /etc/init.d and /etc/rc3.d are links to folders below rc.d")
    func linkedScripts() throws {
        try root.write("#!/bin/sh\n", to: "/etc/rc.d/init.d/iptables")
        try root.makeLink("/etc/init.d", to: "rc.d/init.d")
        try root.makeLink("/etc/rc3.d", to: "rc.d/rc3.d")
        try root.makeLink("/etc/rc.d/rc3.d/S08iptables", to: "../init.d/iptables")
        #expect(try host.script("iptables").says(isInstalled: true, isEnabled: true))
    }

    @Test("the agent is restarted by what the host has")
    func starter() throws {
        #expect(try host.agentStarter == .unknown)
        try root.write("", to: "/etc/init/ecs.conf")
        #expect(try host.agentStarter == .upstart)
        try root.write(Self.unitText, to: "/usr/lib/systemd/system/ecs.service")
        #expect(try host.agentStarter == .systemd)
        try root.makeLink("/etc/systemd/system/ecs.service", to: "/dev/null")
        #expect(try host.agentStarter == .upstart)
    }
}

extension ServiceState {
    /// Whether these two are so, whatever links are there.
    fileprivate func says(isInstalled: Bool, isEnabled: Bool) -> Bool {
        self.isInstalled == isInstalled && self.isEnabled == isEnabled
    }
}
