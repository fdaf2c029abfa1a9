import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

/// What an image asks of `--root` besides the right files.
@Suite("Images")
struct ImageTests {
    static let amazonLinux2 = Distro.all[1]

    @Test("Bottlerocket and Windows are refused with the reason", arguments: ["bottlerocket", "windows"])
    func refused(_ identifier: String) throws {
        let image = try HostImage(Distro("x", identifier, "1"))
        let before = try image.snapshot()
        for command in ["apply", "diff", "verify"] {
            let result = try image.netsetup([command, "--mode", "bridge"])
            #expect(result.status == 2)
            #expect(result.errors.contains("is not for this program: "), "\(result.errors)")
        }
        #expect(try image.snapshot() == before)
    }

    @Test("an unknown distribution with systemd gets the unit, and is told so")
    func unknown() throws {
        let image = try HostImage(Distro("Somebody's Linux", "somebody", "7"))
        let result = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(result.status == 0)
        #expect(
            result.errors.contains("Somebody's Linux is not a distribution that this program knows"), "\(result.errors)"
        )
        #expect(image.root.exists("/etc/systemd/system/ecs-netsetup.service"))
    }

    @Test("no program of the image is run", .enabled(if: getuid() == 0, "chroot needs root"))
    func noProgram() throws {
        let image = try HostImage(Distro.all[3])
        for folder in ["/bin", "/etc/init.d"] { try image.root.makeFolder(folder) }
        let shell = image.root.path + "/bin/sh"
        _ = try Machine.execute(["install", "-m", "755", "/bin/busybox", shell])
        for script in ["/usr/sbin/update-rc.d", "/etc/init.d/ecs-netsetup"] {
            try image.root.write("#!/bin/sh\necho $0 $* >> /run-as-root\n", to: script)
            _ = try Machine.execute(["chmod", "755", image.root.path + script])
        }
        // It would run there.
        let control = try Machine.execute(["chroot", image.root.path, "/usr/sbin/update-rc.d"])
        #expect(control.status == 0 && image.root.exists("/run-as-root"), "\(control.errors)")
        try FileManager.default.removeItem(atPath: image.root.path + "/run-as-root")
        for command in [["apply", "--mode", "bridge"], ["remove"]] {
            let result = try image.netsetup(command)
            #expect(result.status == 0, "\(result.errors)")
        }
        #expect(!image.root.exists("/run-as-root"))
    }

    @Test("what an image holds without measure is refused, and is not held in memory")
    func measureless() throws {
        let trapped = try HostImage(Self.amazonLinux2)
        try trapped.root.write("", to: "/etc/ecs-netsetup.conf.ecs-netsetup-new")
        _ = try Machine.execute([
            "truncate", "-s", "20G", trapped.root.path + "/etc/ecs-netsetup.conf.ecs-netsetup-new",
        ])
        try trapped.link("/etc/ecs-netsetup.conf.change.ecs-netsetup-new", to: "1 1 1 1")
        let many = try HostImage(Self.amazonLinux2)
        try many.root.write(String(repeating: "#", count: 1 << 20), to: "/etc/sysctl.d/0.conf")
        for number in 1...40 {
            _ = try Machine.execute([
                "ln", many.root.path + "/etc/sysctl.d/0.conf", many.root.path + "/etc/sysctl.d/\(number).conf",
            ])
        }
        for image in [trapped, many] {
            let apply = [Tool.path, "apply", "--mode", "bridge", "--root", image.root.path]
            let result = try Machine.execute(["/usr/bin/time", "-f", "%M"] + apply)
            #expect(result.status == 2)
            #expect(result.errors.contains("file too large"), "\(result.errors)")
            let memory = try #require(result.errors.split(separator: "\n").last.flatMap { Int($0) }, "\(result.errors)")
            #expect(memory < Sanitizer.limit(1_000_000), "kilobytes")
        }
    }

    @Test(
        "works for a user who owns the tree, without privileges",
        .enabled(if: getuid() == 0, "becoming another user needs root"))
    func unprivileged() throws {
        let image = try HostImage(Self.amazonLinux2)
        let program = image.root.path + "/usr/sbin/tool"
        _ = try Machine.execute(["install", "-m", "755", Tool.path, program])
        _ = try Machine.execute(["chown", "-R", "65534:65534", image.root.path])
        let before = try image.snapshot()
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program]
        let root = ["--root", image.root.path]
        for (command, status) in [("diff", 1), ("apply", 0), ("verify", 0), ("remove", 0)] as [(String, CInt)] {
            let result = try Machine.execute(
                user + [command] + (command == "remove" ? [] : ["--mode", "bridge"]) + root)
            #expect(result.status == status, "\(command): \(result.output)\(result.errors)")
        }
        #expect(try image.snapshot() == before)
    }

    @Test(
        "no symbolic link leads out of the tree",
        arguments: ["/etc", "/etc/ecs", "/etc/sysconfig", "/etc/sysctl.d", "/var"])
    func links(_ folder: String) throws {
        let outside = try HostImage(Self.amazonLinux2, usesRulesFiles: true)
        let untouched = try outside.snapshot()
        let image = try HostImage(Self.amazonLinux2, usesRulesFiles: true)
        // The folder is elsewhere, as an absolute link has it that is right in the image and wrong on the builder.
        try FileManager.default.moveItem(atPath: image.root.path + folder, toPath: image.root.path + "/moved")
        try image.link(folder, to: outside.root.path + folder)
        let lost = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(lost.status == 0 || lost.status == 2)
        #expect(try outside.snapshot() == untouched)
        try FileManager.default.removeItem(atPath: image.root.path + folder)
        try image.link(folder, to: "/moved")
        let before = try image.snapshot()
        let applied = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(applied.status == 0, "\(applied.errors)")
        #expect(try image.snapshot().contains { $0.path.hasPrefix("/moved/") && !before.contains($0) })
        #expect(try image.netsetup(["remove"]).status == 0)
        #expect(try image.snapshot() == before)
        #expect(try outside.snapshot() == untouched)
    }

    @Test("iptables-services where its service is not enabled: the stock rules are set aside, never activated")
    func stockRules() throws {
        let stock = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n"
        let image = try HostImage(Self.amazonLinux2)
        try image.root.write(stock, to: "/etc/sysconfig/iptables")
        let before = try image.snapshot()
        let applied = try image.netsetup(["apply", "--mode", "bridge", "--persist", "iptables-services"])
        #expect(applied.status == 0, "\(applied.errors)")
        #expect(applied.errors.contains("are not active, and apply does not activate them"), "\(applied.errors)")
        let rules = try #require(image.root.read("/etc/sysconfig/iptables"))
        #expect(!rules.contains("REJECT") && rules.contains("ecs-netsetup: "))
        #expect(image.root.read("/etc/sysconfig/iptables.before-ecs-netsetup") == stock)
        let link = "/etc/systemd/system/basic.target.wants/iptables.service"
        #expect(try image.snapshot().contains { $0.path == link && $0.mode == "l" })
        #expect(try image.netsetup(["apply"]).output.hasPrefix("nothing to do"))
        #expect(try image.netsetup(["remove"]).status == 0)
        #expect(try image.snapshot() == before)
    }

    @Test("an empty folder, an image without the program, and advice that names the image")
    func unfit() throws {
        let image = try HostImage(Self.amazonLinux2)
        let verified = try image.netsetup(["verify", "--mode", "bridge"])
        #expect(verified.output.contains("to mend: ecs-netsetup apply --mode bridge --root \(image.root.path)\n"))
        let diff = try image.netsetup(["diff", "--mode", "bridge"])
        #expect(diff.output.contains("+ systemctl --root=\(image.root.path) enable ecs-netsetup.service"))
        try FileManager.default.removeItem(atPath: image.root.path + "/usr/sbin/ecs-netsetup")
        let before = try image.snapshot()
        let refused = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(refused.status == 2)
        #expect(refused.errors.contains("ecs-netsetup itself is not in the image"), "\(refused.errors)")
        #expect(try image.snapshot() == before)
        try FileManager.default.removeItem(atPath: image.root.path)
        try FileManager.default.createDirectory(atPath: image.root.path, withIntermediateDirectories: false)
        let empty = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(empty.status == 2 && empty.errors.contains("is the image mounted there"), "\(empty.errors)")
        #expect(try image.snapshot() == [])
    }

    @Test("an image of which nothing is looked at is not told to match", arguments: ["apply", "diff", "verify"])
    func nothingToLookAt(_ command: String) throws {
        let image = try HostImage(Self.amazonLinux2)
        let before = try image.snapshot()
        let result = try image.netsetup([command, "--mode", "bridge", "--persist", "none"])
        #expect(result.status == 2 && result.output.isEmpty, "\(result.output)")
        #expect(result.errors.contains("there is nothing to \(command): an image has files only"), "\(result.errors)")
        #expect(try image.snapshot() == before)
    }

    @Test("options that only override are not expected in the settings file, but the file is")
    func overriding() throws {
        let image = try HostImage(Self.amazonLinux2)
        #expect(try image.netsetup(["apply", "--mode", "bridge"]).status == 0)
        #expect(try image.netsetup(["verify", "--wait", "9", "--persist", "systemd"]).status == 0)
        try FileManager.default.removeItem(atPath: image.root.path + "/etc/ecs-netsetup.conf")
        let missing = try image.netsetup(["verify", "--mode", "bridge"])
        #expect(
            missing.status == 1 && missing.output.contains("FAIL  ECS-NET-016  /etc/ecs-netsetup.conf"),
            "\(missing.output)")
    }

    @Test("folders that are not there are made, and gone after remove")
    func missingFolders() throws {
        let image = try HostImage(Self.amazonLinux2)
        for folder in ["/var", "/etc/ecs", "/etc/sysctl.d"] {
            try FileManager.default.removeItem(atPath: image.root.path + folder)
        }
        let before = try image.snapshot()
        #expect(try image.netsetup(["apply", "--mode", "bridge"]).status == 0)
        #expect(try image.netsetup(["verify"]).status == 0)
        #expect(try image.netsetup(["remove"]).status == 0)
        #expect(try image.snapshot() == before)
    }

    /// A file in the way, and what must be said of it.
    struct InTheWay: Sendable, CustomTestStringConvertible {
        let path: String
        let text: String
        let message: String
        var testDescription: String { message }
    }

    @Test(
        "a file that cannot be changed: verify and diff exit 1 and apply 2, with its name and line; nothing is touched",
        arguments: [
            InTheWay(
                path: "/etc/sysconfig/iptables", text: "*filter\r\nCOMMIT\r\n",
                message: "/etc/sysconfig/iptables: line 1 ends with a carriage return"),
            InTheWay(
                path: "/etc/sysconfig/iptables", text: "*filter\n-A INPUT -j DROP\n",
                message: "/etc/sysconfig/iptables: table filter, begun in line 1, has no COMMIT"),
            InTheWay(
                path: "/etc/sysconfig/ip6tables", text: "-A INPUT -j DROP\n",
                message: "/etc/sysconfig/ip6tables: line 1 is outside a table"),
        ])
    func inTheWay(_ this: InTheWay) throws {
        let image = try HostImage(Self.amazonLinux2, usesRulesFiles: true)
        try image.root.write(this.text, to: this.path)
        let before = try image.snapshot()
        for (command, status) in [("diff", 1), ("verify", 1), ("apply", 2)] as [(String, CInt)] {
            let result = try image.netsetup([command, "--mode", "bridge"])
            #expect(result.status == status, "\(command)")
            #expect((result.output + result.errors).contains(this.message), "\(result.output)\(result.errors)")
            #expect(try image.snapshot() == before)
        }
    }

    @Test("a unit that somebody edited: set aside once, and back after remove; twice, only a person can tell")
    func editedUnit() throws {
        let path = "/etc/systemd/system/ecs-netsetup.service"
        let image = try HostImage(Self.amazonLinux2)
        try image.root.write("[Service]\n# mine\n", to: path)
        let before = try image.snapshot()
        let applied = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(applied.status == 0 && applied.errors.contains("has contents of somebody else"), "\(applied.errors)")
        try image.root.write("[Service]\n# mine again\n", to: path)
        let edited = try image.snapshot()
        #expect(try image.netsetup(["verify"]).status == 1)
        let refused = try image.netsetup(["apply"])
        #expect(refused.status == 2 && refused.errors.contains("\(path).before-ecs-netsetup"), "\(refused.errors)")
        #expect(try image.snapshot() == edited)
        let removed = try image.netsetup(["remove"])
        #expect(removed.errors.contains("\(path) stays: somebody changed it since"), "\(removed.errors)")
        #expect(!removed.output.contains("\n- /etc/systemd/"), "\(removed.output)")
        #expect(image.root.read(path) == "[Service]\n# mine again\n")
        #expect(
            try image.snapshot().filter { !$0.path.contains("ecs-netsetup.service") }
                == before.filter { $0.path != path })
    }

    @Test(
        "legacy Amazon Linux with its scripts switched off: the image's own chkconfig is run, in the image",
        .enabled(if: getuid() == 0, "chroot needs root"))
    func chkconfig() throws {
        let image = try HostImage(Distro.all[0])
        for name in ["iptables", "ip6tables"] {
            try FileManager.default.removeItem(atPath: image.root.path + "/etc/rc.d/rc3.d/S08\(name)")
        }
        let before = try image.snapshot()
        for mechanism in ["auto", "iptables-services"] {
            let without = try image.netsetup(["apply", "--mode", "bridge", "--persist", mechanism])
            #expect(without.status == 2)
            #expect(without.errors.contains("chkconfig is not there to enable iptables"), "\(without.errors)")
        }
        #expect(try image.snapshot() == before)
        try addChkconfig(to: image)
        let applied = try image.netsetup(["apply", "--mode", "bridge"])
        #expect(applied.status == 0, "\(applied.errors)")
        #expect(applied.output.contains("+ chroot \(image.root.path) chkconfig iptables on"))
        #expect(image.root.exists("/etc/rc.d/rc3.d/S08ip6tables"))
        #expect(try image.netsetup(["apply"]).output.hasPrefix("nothing to do"))
        #expect(try image.netsetup(["remove"]).status == 0)
        for path in ["/sbin", "/bin"] { try FileManager.default.removeItem(atPath: image.root.path + path) }
        #expect(try image.snapshot() == before)
    }

    /// A stand-in that makes and removes the link of runlevel 3, for busybox's shell.
    private func addChkconfig(to image: HostImage) throws {
        try image.root.makeFolder("/bin")
        for name in ["sh", "ln", "rm"] {
            _ = try Machine.execute(["install", "-m", "755", "/bin/busybox", "\(image.root.path)/bin/\(name)"])
        }
        let script = """
            #!/bin/sh
            link=/etc/rc.d/rc3.d/S08$1
            case $2 in
            on) ln -sf ../init.d/$1 $link ;;
            off) rm -f $link ;;
            esac
            """
        try image.root.write(script, to: "/sbin/chkconfig")
        _ = try Machine.execute(["chmod", "755", image.root.path + "/sbin/chkconfig"])
    }
}
