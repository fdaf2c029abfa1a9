import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

/// What `generate user-data` prints, and the examples in `packaging/cloud-init`, taken by cloud-init itself: Debian's, with
/// an image's files in place of the machine's.
@Suite("User data", .enabled(if: getuid() == 0, "mount namespaces need root"))
struct CloudInitTests {
    private static let options = ["--mode", "bridge", "--bridge-interface", "docker+,br-+"]
    private static let amazonLinux2023 = Distro.all[2]

    private static func userData(_ options: [String] = options) throws -> String {
        let result = try Machine.execute([Tool.path, "generate", "user-data"] + options)
        try #require(result.status == 0, "\(result.errors)")
        return result.output
    }

    private static func example(_ name: String) throws -> String {
        try String(contentsOfFile: CloudHost.examples + name, encoding: .utf8)
    }

    /// Between the parts of `with-others.txt`.
    private static let boundary = "--====part===="
    private static let held = ["systemctl disable ecs.service", "systemctl stop --no-block ecs.service"]
    private static let released = [
        "systemctl cat ecs.service", "systemctl enable ecs.service", "systemctl start --no-block ecs.service",
    ]

    @Test("holds the agent, installs, applies, and lets the agent start; the next boot does nothing")
    func generated() throws {
        let host = try CloudHost(Self.amazonLinux2023, tools: ["dnf"])
        let userData = try Self.userData()
        #expect(try Documentation.snippet("user-data", of: "cloud-init.md") == userData)
        let first = try host.boot(userData)
        #expect(first.errors == [])
        #expect(first.calls == Self.held + ["dnf -y install ecs-netsetup", "ecs-netsetup apply"] + Self.released)
        #expect(host.startsAgent)
        #expect(try host.image.netsetup(["verify"]).status == 0)
        #expect(try host.image.netsetup(["verify"] + Self.options).status == 0)
        let second = try host.boot(userData)
        #expect(second.errors == [] && second.calls == [])
    }

    @Test(
        "what fails leaves the agent held, also at the next boot, and cloud-init tells of it",
        arguments: ["dnf", "ecs-netsetup"])
    func failed(_ program: String) throws {
        let host = try CloudHost(Self.amazonLinux2023, tools: ["dnf"], failing: program)
        let userData = try Self.userData()
        let first = try host.boot(userData)
        #expect(first.errors.contains { $0.contains("runcmd") || $0.contains("Runparts") }, "\(first.errors)")
        #expect(first.calls.last == "ecs-netsetup apply" && !host.startsAgent, "\(first.calls)")
        #expect(try host.boot(userData).calls == [] && !host.startsAgent)
    }

    @Test("an agent that is not there yet is no error")
    func absent() throws {
        let host = try CloudHost(Self.amazonLinux2023, tools: ["dnf"])
        for path in ["/usr/lib/systemd/system", "/etc/systemd/system/multi-user.target.wants"] {
            try FileManager.default.removeItem(atPath: host.image.root.path + path + "/ecs.service")
        }
        let boot = try host.boot(try Self.userData())
        #expect(boot.errors == [] && boot.calls.last == Self.released[0])
        #expect(try host.image.netsetup(["verify"]).status == 0)
    }

    @Test("combined with others' user data, theirs runs before; without a word on merging, only the last one's does")
    func combined() throws {
        let text = try Self.example("with-others.txt")
        #expect(text.contains(try Self.userData()))
        let both = try CloudHost(Self.amazonLinux2023, tools: ["dnf"])
        let boot = try both.boot(text)
        #expect(boot.errors == [])
        #expect(boot.calls == Self.held + ["dnf -y install htop ecs-netsetup", "ecs-netsetup apply"] + Self.released)
        #expect(try both.image.netsetup(["verify"]).status == 0)
        // A script of theirs runs before all commands.
        let script = "\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ninitctl yours\n\n"
        let parts = text.components(separatedBy: Self.boundary)
        let scripted = try CloudHost(Self.amazonLinux2023, tools: ["dnf"])
        let with = (parts.prefix(3) + [script, parts[3]]).joined(separator: Self.boundary)
        let order = try scripted.boot(with).calls
        #expect(order.firstIndex(of: "initctl yours") == 3 && order.firstIndex(of: "ecs-netsetup apply") == 4)
        // Theirs last and without it takes the place of our commands: the host stays without an agent, not without rules.
        let merge = "Merge-Type: list(append)+dict(recurse_array)+str()\n"
        let swapped = [parts[0], parts[2].replacing(merge, with: ""), parts[1], parts[3]]
        let lost = try CloudHost(Self.amazonLinux2023, tools: ["dnf"])
        let calls = try lost.boot(swapped.joined(separator: Self.boundary)).calls
        #expect(calls == Self.held + ["dnf -y install htop"] && !lost.startsAgent)
    }

    /// An example, and the host that it is for.
    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        let distro: Distro
        let distribution: String
        /// What it installs a package with; nil for the tarball.
        var tool: String?
        /// What it calls until it is installed.
        let installs: [String]
        var testDescription: String { name }
    }

    private static let address = "https://EXAMPLE-BUCKET.s3.amazonaws.com/ecs-netsetup"
    static let examples = [
        Example(
            name: "amazon-linux-2023.yaml", distro: Distro.all[2], distribution: "amazon", tool: "dnf",
            installs: ["dnf --assumeyes install \(address)-0.1.0-1.x86_64.rpm"]),
        Example(
            name: "amazon-linux-2.yaml", distro: Distro.all[1], distribution: "amazon",
            installs: [
                "curl --fail --silent --show-error --output /run/ecs-netsetup.tar.gz \(address)-0.1.0-linux-x86_64.tar.gz"
            ]),
        Example(
            name: "debian.yaml", distro: Distro.all[3], distribution: "debian", tool: "apt-get",
            installs: [
                "apt-get \(aptOptions) update",
                "curl --fail --silent --show-error --output /run/ecs-netsetup.deb \(address)_0.1.0_amd64.deb",
                "apt-get --assume-yes --option=DPkg::Lock::Timeout=300 install /run/ecs-netsetup.deb",
            ]),
        Example(
            name: "debian.yaml", distro: Distro.all[5], distribution: "ubuntu", tool: "apt-get",
            installs: [
                "apt-get \(aptOptions) update",
                "curl --fail --silent --show-error --output /run/ecs-netsetup.deb \(address)_0.1.0_amd64.deb",
                "apt-get --assume-yes --option=DPkg::Lock::Timeout=300 install /run/ecs-netsetup.deb",
            ]),
    ]
    /// Those of cloud-init's.
    private static let aptOptions =
        "--option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet"

    @Test("an example installs, keeps the cluster's name, applies and verifies", arguments: examples)
    func example(_ this: Example) throws {
        let text = try Self.example(this.name)
        let lines = text.split(separator: "\n")
        // What matters is what the program prints itself.
        for line in try Self.userData().split(separator: "\n")
        where !line.hasPrefix("packages:") && !line.hasPrefix("# ") {
            #expect(lines.contains(line), "\(line)")
        }
        let tools = [this.tool].compactMap(\.self)
        let host = try CloudHost(this.distro, tools: tools)
        let rules = host.image.root.read("/etc/sysconfig/iptables")
        let boot = try host.boot(text, distribution: this.distribution)
        #expect(boot.errors == [])
        #expect(boot.calls == Self.held + this.installs + ["ecs-netsetup apply"] + Self.released)
        #expect(host.startsAgent)
        #expect(try host.image.netsetup(["verify"]).status == 0)
        #expect(
            host.image.root.read("/etc/ecs/ecs.config")
                == "ECS_CLUSTER=EXAMPLE-CLUSTER\nECS_ENABLE_TASK_IAM_ROLE=true\n")
        // Nothing of iptables-services was touched or enabled.
        #expect(host.image.root.read("/etc/sysconfig/iptables") == rules)
        let failing = try CloudHost(this.distro, tools: tools, failing: this.tool ?? "curl")
        #expect(try failing.boot(text, distribution: this.distribution).errors != [] && !failing.startsAgent)
    }

    @Test("legacy Amazon Linux: the script is sound, installs the tarball and applies before the job starts")
    func legacy() throws {
        let name = "amazon-linux-1.sh"
        let checked = try Machine.execute(["shellcheck", CloudHost.examples + name])
        #expect(checked.status == 0, "\(checked.output)")
        let text = try Self.example(name)
        let host = try CloudHost(Distro.all[0], tools: [])
        let boot = try host.boot(text)
        #expect(boot.errors == [])
        #expect(
            boot.calls.map { String($0.prefix(12)) } == [
                "stop ecs", "initctl relo", "curl --fail ", "ecs-netsetup", "initctl relo", "start ecs",
            ])
        #expect(host.startsAgent && !host.image.root.exists("/etc/init/ecs.conf.held"))
        #expect(try host.image.netsetup(["verify"]).status == 0)
        for program in ["curl", "ecs-netsetup"] {
            let failing = try CloudHost(Distro.all[0], tools: [], failing: program)
            let failed = try failing.boot(text)
            #expect(failed.errors != [] && !failed.calls.contains("start ecs") && !failing.startsAgent)
        }
    }

    private struct Document: Decodable {
        struct File: Decodable {
            let path: String
            let content: String
        }
        let write_files: [File]
    }

    /// Some of the options that are saved, with values that they take, in any order.
    private static func randomOptions(_ random: inout SplitMix64) -> [String] {
        let patterns = ["docker+", "br-+", "docker0", "d+", "br-0123456789ab", "0123", "1e3", "no", "_.x-+"].shuffled(
            using: &random)
        let modes = ["bridge", "host", "awsvpc"].shuffled(using: &random)
        var others = [
            "--bridge-interface=\(patterns.prefix(Int.random(in: 1...4, using: &random)).joined(separator: ","))",
            "--imds-placement=\(["early", "documented"].randomElement(using: &random) ?? "")", "--imds-action=reject",
            "--allow-imds", "--allow-imds=false", "--allow-offhost-introspection", "--no-localhost-guard",
            "--backend=nftables", "--backend=auto", "--persist=systemd", "--persist=auto",
            "--wait=\(Int.random(in: 0...86400, using: &random))",
        ].shuffled(using: &random).prefix(Int.random(in: 0...6, using: &random)).map(\.self)
        let mode = "--mode=\(modes.prefix(Int.random(in: 1...3, using: &random)).joined(separator: ","))"
        others.insert(mode, at: Int.random(in: 0...others.count, using: &random))
        return others
    }

    @Test("cloud-init's schema takes it, and its file says what the options say")
    func settings() throws {
        var random = SplitMix64(state: 20)
        let nothing = try FixtureRoot()
        try nothing.write(#"{"nftables": []}"#, to: "/rules.json")
        let all = (0..<40).map { _ in Self.randomOptions(&random) }
        let texts = try all.map(Self.userData)
        let read = try Consumer.cloudConfig.read(texts.joined(separator: "---\n"))
        let documents = try JSONDecoder().decode([Document].self, from: Data(read.utf8))
        try #require(documents.count == all.count)
        for (options, document) in zip(all, documents) {
            let file = try #require(document.write_files.first)
            // In memory, where apply need not wait for a disk.
            let given = try HostImage(Self.amazonLinux2023, in: "/dev/shm")
            let written = try HostImage(Self.amazonLinux2023, in: "/dev/shm")
            try written.root.write(file.content, to: file.path)
            for (image, words) in [(given, options), (written, [])] {
                let result = try image.netsetup(["apply"] + words)
                #expect(result.status == 0, "\(options): \(result.errors)")
            }
            let saved = (given.root.read(file.path) ?? "").split(separator: "\n").filter { !$0.hasPrefix("#") }
            #expect(saved == file.content.split(separator: "\n"), "\(options)")
            #expect(try Self.rest(given, file.path) == Self.rest(written, file.path), "\(options)")
            // The rules are not on an image's disk: compared with a host that has none.
            let rules = try [(given, options), (written, [])].map { image, words in
                try Self.rules(image, ["diff", "--format", "json", "--ruleset", nothing.path + "/rules.json"] + words)
            }
            #expect(rules[0] == rules[1], "\(options)")
        }
    }

    /// All that `apply` left but the settings and what is recorded of them.
    private static func rest(_ image: HostImage, _ settings: String) throws -> [HostImage.Entry] {
        try image.snapshot().filter { $0.path != settings && $0.path != "/var/lib/ecs-netsetup/record" }
    }

    private static func rules(_ image: HostImage, _ words: [String]) throws -> String {
        let result = try image.netsetup(words)
        #expect(result.status <= 1, "\(result.errors)")
        return result.output.replacing(image.root.path, with: "")
    }

    @Test("the schema refuses keys that cloud-init does not know, and values of another kind")
    func schema() throws {
        let text = try Self.userData()
        for (right, wrong) in [("runcmd:", "runcmds:"), ("path:", "paths:"), ("packages: [", "packages: [1, ")] {
            #expect(throws: (any Error).self) { try Consumer.cloudConfig.read(text.replacing(right, with: wrong)) }
        }
        for example in ["amazon-linux-2023.yaml", "amazon-linux-2.yaml", "debian.yaml"] {
            try Consumer.cloudConfig.read(try Self.example(example))
        }
    }
}
