import FoundationEssentials
import Laboratory
import TestSupport

/// A distribution as its image looks to this program.
struct Distro: Sendable, CustomStringConvertible {
    /// The name of its golden file.
    let name: String
    let osRelease: String
    var isUpstart = false
    /// Whether its own `iptables` is the legacy one.
    var isLegacy = false
    /// The services that restore rules files, as its packages bring them.
    var services: [String] = []

    var description: String { name }

    init(
        _ name: String, _ identifier: String, _ version: String, isUpstart: Bool = false, isLegacy: Bool = false,
        services: [String] = []
    ) {
        self.name = name
        osRelease = "NAME=\"\(name)\"\nID=\"\(identifier)\"\nVERSION_ID=\"\(version)\"\nPRETTY_NAME=\"\(name)\"\n"
        self.isUpstart = isUpstart
        self.isLegacy = isLegacy
        self.services = services
    }

    private static let redHat = ["iptables.service", "ip6tables.service"]
    private static let debian = ["netfilter-persistent.service"]

    /// One for each row of the table of distributions, and one that is in no row.
    static let all = [
        Distro("amazon-linux-2018.03", "amzn", "2018.03", isUpstart: true, isLegacy: true),
        Distro("amazon-linux-2", "amzn", "2", isLegacy: true, services: redHat),
        Distro("amazon-linux-2023", "amzn", "2023", services: redHat),
        Distro("debian-12", "debian", "12", services: debian),
        Distro("ubuntu-20.04", "ubuntu", "20.04", isLegacy: true, services: debian),
        Distro("ubuntu-24.04", "ubuntu", "24.04", services: debian),
        Distro("rhel-9.4", "rhel", "9.4", services: redHat),
        Distro("fedora-43", "fedora", "43", services: redHat),
        Distro("sles-15.6", "sles", "15.6", isLegacy: true),
        Distro("flatcar", "flatcar", "4230.2.0"),
        Distro("unknown", "nixos", "25.11"),
    ]
}

/// An image of a host in a temporary folder, with rules and a configuration of somebody else's.
final class HostImage: Sendable {
    let root: FixtureRoot

    /// - Parameters:
    ///   - usesRulesFiles: whether its rules files are restored at boot already, by a legacy `iptables`.
    ///   - folder: where it is made; the machine's folder for temporary files if nil.
    init(_ distro: Distro, usesRulesFiles: Bool = false, in folder: String? = nil) throws {
        root = try FixtureRoot(in: folder)
        try root.write(distro.osRelease, to: "/usr/lib/os-release")
        try root.makeFolder("/etc/sysctl.d")
        try link("/etc/os-release", to: "../usr/lib/os-release")
        try root.write("program", to: "/usr/sbin/ecs-netsetup")
        try root.makeFolder("/var/lib")
        try root.write(
            "# one cluster\nECS_CLUSTER=blue\n\nECS_ENABLE_TASK_IAM_ROLE=\"false\"", to: "/etc/ecs/ecs.config")
        try root.write("net.ipv4.ip_forward = 1\n", to: "/etc/sysctl.d/50-forward.conf")
        try addTools(isLegacy: distro.isLegacy || usesRulesFiles)
        if distro.isUpstart { try addScripts() } else { try addUnits(distro, areEnabled: usesRulesFiles) }
    }

    private func addTools(isLegacy: Bool) throws {
        let program = isLegacy ? "xtables-legacy-multi" : "xtables-nft-multi"
        try root.write("program", to: "/usr/sbin/\(program)")
        try link("/usr/sbin/iptables-restore", to: "/etc/alternatives/iptables-restore")
        try root.makeFolder("/etc/alternatives")
        try link("/etc/alternatives/iptables-restore", to: "/usr/sbin/\(program)")
    }

    private func addScripts() throws {
        for name in ["iptables", "ip6tables"] {
            try root.write("#!/bin/sh\n", to: "/etc/rc.d/init.d/\(name)")
            try root.makeFolder("/etc/rc.d/rc3.d")
            try link("/etc/rc.d/rc3.d/S08\(name)", to: "../init.d/\(name)")
        }
        try root.makeFolder("/etc/init")
        try addRules(["/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"])
    }

    private func addUnits(_ distro: Distro, areEnabled: Bool) throws {
        try root.write("program", to: "/usr/lib/systemd/systemd")
        try root.makeFolder("/etc/systemd/system")
        for service in distro.services {
            try root.write(
                "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=basic.target\n",
                to: "/usr/lib/systemd/system/\(service)")
            guard areEnabled else { continue }
            try root.makeFolder("/etc/systemd/system/basic.target.wants")
            try link("/etc/systemd/system/basic.target.wants/\(service)", to: "/usr/lib/systemd/system/\(service)")
        }
        if distro.services.count == 2 { try addRules(["/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"]) }
        if distro.services.count == 1 { try addRules(["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"]) }
    }

    private func addRules(_ paths: [String]) throws {
        for path in paths { try root.write(Self.foreignRules, to: path) }
    }

    /// As `iptables-save -c` writes them, with a comment of the operator's.
    static let foreignRules = """
        # Generated by iptables-save
        *filter
        :INPUT ACCEPT [120:9000]
        :FORWARD DROP [0:0]
        :OUTPUT ACCEPT [80:7000]
        # the bastion
        [5:300] -A INPUT -s 10.0.0.9/32 -p tcp -m tcp --dport 22 -j ACCEPT
        [0:0] -A FORWARD -i eth9 -j ACCEPT
        COMMIT
        # Completed

        """

    func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: root.path + path, withDestinationPath: target)
    }

    /// Runs the program on the image.
    func netsetup(_ arguments: [String]) throws -> ProgramResult {
        try Machine.execute([Tool.path] + arguments + ["--root", root.path])
    }

    /// Every file, link and folder with its mode and contents.
    func snapshot() throws -> [Entry] {
        try FileManager.default.subpathsOfDirectory(atPath: root.path).sorted().map { try Entry($0, below: root.path) }
    }

    struct Entry: Hashable {
        let path: String
        /// `drwxr-xr-x` in octal digits, with `d`, `l` or `-` before it.
        let mode: String
        /// A file's bytes, or where a link leads.
        let contents: [UInt8]

        init(_ path: String, below root: String) throws {
            let full = root + "/" + path
            self.path = "/" + path
            let attributes = try FileManager.default.attributesOfItem(atPath: full)
            let permissions = String(attributes[.posixPermissions] as? Int ?? 0, radix: 8)
            switch attributes[.type] as? FileAttributeType {
            case .typeSymbolicLink:
                mode = "l"
                contents = Array(try FileManager.default.destinationOfSymbolicLink(atPath: full).utf8)
            case .typeDirectory: (mode, contents) = ("d\(permissions)", [])
            default:
                mode = "-\(permissions)"
                contents = Array(try Data(contentsOf: URL(filePath: full)))
            }
        }
    }
}
