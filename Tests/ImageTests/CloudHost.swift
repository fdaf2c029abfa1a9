import FoundationEssentials
import Laboratory
import TestSupport

/// A host on its first boot: an image without this program, but with an agent that starts by itself, and what user data may
/// call there. These take down how they were called, and the file systems of the machine and its network are out of reach.
final class CloudHost {
    let image: HostImage
    private let isUpstart: Bool
    private var root: FixtureRoot { image.root }

    private static let repository = String(#filePath.dropLast("/Tests/ImageTests/CloudHost.swift".utf8.count))
    private static let consumers = repository + "/.build/consumers"
    static let examples = repository + "/packaging/cloud-init/"

    /// - Parameters:
    ///   - tools: its package manager.
    ///   - failing: a program that fails whenever it is called.
    init(_ distro: Distro, tools: [String], failing: String? = nil) throws {
        image = try HostImage(distro)
        isUpstart = distro.isUpstart
        try FileManager.default.removeItem(atPath: root.path + "/usr/sbin/ecs-netsetup")
        try root.write("root:x:0:0:root:/root:/bin/sh\n", to: "/etc/passwd")
        try root.write("root:x:0:\n", to: "/etc/group")
        for folder in ["/var/log", "/run", "/etc/cloud", "/package"] { try root.makeFolder(folder) }
        try addAgent()
        try addStubs(tools, failing)
    }

    private func addAgent() throws {
        if isUpstart { return try root.write("start on stopped rc RUNLEVEL=[345]\n", to: "/etc/init/ecs.conf") }
        try root.write(
            "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
            to: "/usr/lib/systemd/system/ecs.service")
        try root.makeFolder("/etc/systemd/system/multi-user.target.wants")
        try image.link(
            "/etc/systemd/system/multi-user.target.wants/ecs.service", to: "/usr/lib/systemd/system/ecs.service")
    }

    private func addStubs(_ tools: [String], _ failing: String?) throws {
        let install = "touch '\(root.path)/usr/sbin/ecs-netsetup'"
        var stubs = [
            // Not found before it is installed.
            "ecs-netsetup": "[ -e '\(root.path)/usr/sbin/ecs-netsetup' ] || exit 127\n"
                + "exec '\(Tool.path)' \"$@\" --root '\(root.path)'",
            "systemctl": """
            case $1 in
            enable | disable) exec /usr/bin/systemctl --root='\(root.path)' "$@" ;;
            cat) test -e "\(root.path)/usr/lib/systemd/system/$2" ;;
            *) case " $* " in *" --no-block "*) ;; *) echo "$* waits for ever" >&2; exit 1 ;; esac ;;
            esac
            """,
            // The file that is fetched is the tarball where it is unpacked, and a package else.
            "curl": """
            while [ "$1" != --output ]; do shift; done
            tar -czf "$2" -C '\(root.path)/package' .
            """,
            "initctl": "", "start": "", "stop": "exit 1",
        ]
        for tool in tools { stubs[tool] = install }
        if let failing { stubs[failing] = "exit 3" }
        for (name, text) in stubs {
            try script("/stubs/" + name, "echo \"\(name) $*\" >>'\(root.path)/calls'\n" + text)
        }
        try root.makeFolder("/package/ecs-netsetup-0.1.0-linux-x86_64")
        try script("/package/ecs-netsetup-0.1.0-linux-x86_64/install.sh", install)
    }

    private func script(_ path: String, _ text: String) throws {
        try root.write("#!/bin/sh\n\(text)\n", to: path)
        _ = try Machine.execute(["chmod", "755", root.path + path])
    }

    /// How a boot went.
    struct Boot: Decodable {
        /// What `cloud-init status` tells of.
        let errors: [String]
        /// What was called, in this order.
        var calls: [String] = []

        private enum CodingKeys: CodingKey { case errors }
    }

    /// Boots with user data. What it is to do once for each instance, it does at the first boot only.
    func boot(_ userData: String, distribution: String = "amazon") throws -> Boot {
        try root.write("", to: "/calls")
        // JSON is YAML. The modules in the order of Debian's package, and no others: they would change the machine.
        let configuration = CloudConfiguration(userData, distribution)
        try root.write(
            String(decoding: try JSONEncoder().encode(configuration), as: UTF8.self), to: "/etc/cloud/cloud.cfg")
        let result = try Machine.execute([
            Self.repository + "/Tests/Consumers/cloud-init-boot", root.path, Self.consumers,
        ])
        guard result.status == 0 else { throw LaboratoryError("cloud-init: \(result.errors)") }
        let recorded = try JSONDecoder().decode([String: Boot].self, from: Data(result.output.utf8))
        guard var boot = recorded["v1"] else { throw LaboratoryError("cloud-init: \(result.output)") }
        boot.calls = (root.read("/calls") ?? "").split(separator: "\n").map(String.init)
        return boot
    }

    /// Whether the agent starts at the next boot. The link that says so leads to nowhere outside the image.
    var startsAgent: Bool {
        let path = isUpstart ? "/etc/init/ecs.conf" : "/etc/systemd/system/multi-user.target.wants/ecs.service"
        return (try? FileManager.default.attributesOfItem(atPath: root.path + path)) != nil
    }
}

/// What cloud-init is configured with.
private struct CloudConfiguration: Encodable {
    struct Fallback: Encodable { let userdata_raw: String }
    struct System: Encodable { let distro: String }

    let cloud_init_modules = ["bootcmd", "write-files"]
    let cloud_config_modules = ["runcmd"]
    let cloud_final_modules = ["package-update-upgrade-install", "scripts-user"]
    let datasource_list = ["None"]
    let datasource: [String: Fallback]
    let network = ["config": "disabled"]
    let system_info: System

    init(_ userData: String, _ distribution: String) {
        datasource = ["None": Fallback(userdata_raw: userData)]
        system_info = System(distro: distribution)
    }
}
