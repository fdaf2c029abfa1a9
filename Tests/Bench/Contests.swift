import Laboratory

/// Who competes with whom.
enum Contests {
    /// The contests of one backend on one host.
    static func all(_ lab: Laboratory.Bare, _ backend: String) throws -> [Contest] {
        // The stock tools write no files, so neither do ours where both are compared.
        let tool = { (command: String) in withFiles(command, backend) + ["--persist", "none"] }
        let remove = [Tool.path, "remove", "--quiet"]
        let files = try RuleFiles(lab, backend)
        let flavour = backend == "nftables" ? "nft" : "legacy"
        var first = [Contender(name: "ecs-netsetup apply", commands: [tool("apply")], restore: [remove])]
        var check = [Contender(name: "ecs-netsetup verify", commands: [tool("verify")])]
        if backend == "nftables" {
            first += [
                Contender(
                    name: "nft -f", commands: [["nft", "-f", files.nft]],
                    restore: [["nft", "delete", "table", "inet", "ecs-netsetup"]])
            ]
            check.append(
                Contender(name: "nft list table", commands: [["nft", "list", "table", "inet", "ecs-netsetup"]]))
        }
        first += [
            Contender(
                name: "iptables-\(flavour)-restore --noflush, v4 and v6",
                commands: [
                    ["iptables-\(flavour)-restore", "--noflush", files.ipv4],
                    ["ip6tables-\(flavour)-restore", "--noflush", files.ipv6],
                ], restore: files.deletions(flavour)),
            Contender(
                name: "the four documented commands (iptables-\(flavour))", commands: documented(flavour, "-A", "-I"),
                restore: Array(documented(flavour, "-D", "-D").dropFirst()) + [sysctl("0")]),
        ]
        check.append(
            Contender(
                name: "iptables-\(flavour) -C, four times",
                commands: fourChecks(flavour),
                prepare: Array(documented(flavour, "-A", "-I").dropFirst()),
                restore: Array(documented(flavour, "-D", "-D").dropFirst())))
        let nothing = Contender(name: "ecs-netsetup apply, nothing to do", commands: [tool("apply")])
        let both = Contender(
            name: "ecs-netsetup verify, files too", commands: [withFiles("verify", backend)],
            prepare: [withFiles("apply", backend)])
        let again = Contest(title: "nothing to do, and verify", contenders: [nothing] + check + [both])
        return [Contest(title: "first apply", contenders: first), withRules(again, tool("apply"), remove)]
    }

    /// A command that looks at what is on disk, too.
    private static func withFiles(_ command: String, _ backend: String) -> [String] {
        [Tool.path, command, "--mode", "bridge", "--backend", backend, "--quiet"]
    }

    /// A contest on a host that has our rules; the contenders find them there and leave them.
    private static func withRules(_ contest: Contest, _ apply: [String], _ remove: [String]) -> Contest {
        Contest(
            title: contest.title,
            contenders: contest.contenders.map { contender in
                Contender(
                    name: contender.name, commands: contender.commands, prepare: [apply] + contender.prepare,
                    restore: contender.restore)
            })
    }

    /// Whether the three documented rules are there, and the first of them once more.
    private static func fourChecks(_ flavour: String) -> [[String]] {
        let checks = Array(documented(flavour, "-C", "-C").dropFirst())
        return checks + checks.prefix(1)
    }

    private static func sysctl(_ value: String) -> [String] {
        ["sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=\(value)"]
    }

    /// What Amazon's manual says, word for word but for the program's name.
    private static func documented(_ flavour: String, _ append: String, _ insert: String) -> [[String]] {
        let position = insert == "-I" ? ["FORWARD", "1"] : ["FORWARD"]
        return [
            sysctl("1"),
            [
                "iptables-\(flavour)", "-t", "nat", append, "PREROUTING", "-p", "tcp", "-d", "169.254.170.2", "--dport",
                "80",
                "-j", "DNAT", "--to-destination", "127.0.0.1:51679",
            ],
            [
                "iptables-\(flavour)", "-t", "nat", append, "OUTPUT", "-d", "169.254.170.2", "-p", "tcp", "-m", "tcp",
                "--dport", "80", "-j", "REDIRECT", "--to-ports", "51679",
            ],
            ["iptables-\(flavour)", insert] + position + [
                "--in-interface", "docker+", "--destination",
                "169.254.169.254/32", "--jump", "DROP",
            ],
        ]
    }
}

/// Our own rules as files for the stock tools.
struct RuleFiles {
    let nft = "/run/rules.nft"
    let ipv4 = "/run/rules.v4"
    let ipv6 = "/run/rules.v6"
    private let commands: [[String]]

    /// Writes them from what ecs-netsetup installs on this host, and takes it away again.
    init(_ lab: Laboratory.Bare, _ backend: String) throws {
        let printed = try lab.netsetup(["diff", "--mode", "bridge", "--backend", "iptables", "--persist", "none"])
            .output
        let rules = printed.split(separator: "\n").filter { $0.hasPrefix("+ ") }.map { String($0.dropFirst(2)) }
        commands = rules.map { ["sh", "-c", $0] }
        try Self.write(Self.restoreFile(rules.filter { $0.hasPrefix("iptables") }), to: ipv4, lab.host)
        try Self.write(Self.restoreFile(rules.filter { $0.hasPrefix("ip6tables") }), to: ipv6, lab.host)
        if backend == "nftables" {
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend, "--persist", "none", "--quiet"])
            try Self.write(
                try lab.host.require(["nft", "-s", "list", "table", "inet", "ecs-netsetup"]), to: nft, lab.host)
            try lab.requireNetsetup(["remove", "--quiet"])
        }
    }

    /// The commands that delete what the restore files add.
    func deletions(_ flavour: String) -> [[String]] {
        commands.map { command in
            let text = command[2].split(separator: " ").map(String.init)
            let program = text[0] + "-" + flavour
            let rest = [program, "-t", text[2], "-D", text[4]] + text.dropFirst(6)
            return ["sh", "-c", rest.joined(separator: " ")]
        }
    }

    private static func restoreFile(_ rules: [String]) -> String {
        ["mangle", "filter", "nat"].map { table in
            // iptables -t TABLE -I CHAIN POSITION SPECIFICATION
            let lines = rules.filter { $0.contains("-t \(table) ") }.map { rule in
                "-I " + rule.split(separator: " ", maxSplits: 4).suffix(1).joined()
            }
            return lines.isEmpty ? "" : "*\(table)\n" + lines.joined(separator: "\n") + "\nCOMMIT\n"
        }.joined()
    }

    private static func write(_ text: String, to path: String, _ host: Namespace) throws {
        try host.require(["tee", path], input: text)
    }
}
