import Laboratory
import Testing

/// One host's life: everything that is known to undo rules happens to it, one after the other.
struct Life {
    let flavour: Flavour
    let contender: Contender
    let identifier: Int

    typealias Rows = [Moment: [Network: Cell]]

    private var name: String { "\(contender.title), Docker with iptables-\(flavour.rawValue)" }

    /// Lives it, and tells who reached what at each moment.
    func live() throws -> Rows {
        let docker = try DockerHost(flavour, identifier: identifier)
        defer { docker.stop() }
        try docker.startEngine()
        try docker.importImage()
        for network in Moment.applied.networks { try docker.addContainer(in: network) }
        var rows: Rows = [:]
        for moment in Moment.allCases {
            try reach(moment, docker)
            rows[moment] = try look(at: docker, moment)
        }
        return rows
    }

    private func reach(_ moment: Moment, _ docker: DockerHost) throws {
        let host = docker.host
        if ![.before, .applied, .firewalld, .boot].contains(moment) { try contender.setUpAgain(host) }
        switch moment {
        case .before: break
        case .applied: try applyAndRemove(docker)
        case .created: try docker.addContainer(in: .created)
        case .restarted: try docker.restartEngine()
        case .liveRestore: try restartAlone(docker)
        case .withoutProxy: try docker.restartEngine(["--userland-proxy=false"])
        case .flushed:
            try host.require(["sh", "-ec", Flush.nftables])
            try contender.followService(host)
        case .firewalld:
            // Its restart brings Docker's rules back first, and is followed by the unit too.
            try docker.restartEngine()
            try contender.setUpAgain(host)
            try host.require(["sh", "-ec", Flush.firewalld])
            try contender.followService(host)
        case .boot:
            try docker.stopEngine()
            try host.require(["sh", "-ec", Flush.reboot])
            try contender.boot(host)
            try docker.startEngine()
        }
    }

    /// What is not ours stays as it is, byte for byte, through apply, remove and another apply.
    private func applyAndRemove(_ docker: DockerHost) throws {
        let before = try OthersRules(on: docker.host, flavour)
        #expect(before.text.contains("DOCKER-USER"), "\(name): Docker has rules")
        let said = try contender.setUp(docker.host, flavour)
        guard contender.isOurs else { return }
        #expect(said.contains("tasks in host mode reach IMDS like the host itself"), "\(name): \(said)")
        let afterApply = try OthersRules(on: docker.host, flavour).differences(from: before)
        #expect(afterApply == [], "\(name): apply")
        try docker.host.require([Tool.path, "remove"])
        let afterRemove = try OthersRules(on: docker.host, flavour).differences(from: before)
        #expect(afterRemove == [], "\(name): remove")
        #expect(try docker.host.readSysctl("ipv4/conf/all/route_localnet") == "0", "\(name): remove")
        try contender.setUp(docker.host, flavour)
        try askInContainer(docker)
    }

    /// Asks by a program that runs in the container, beside the tests' own client in its network namespace.
    private func askInContainer(_ docker: DockerHost) throws {
        for network in Moment.applied.networks {
            let answer = try docker.askFromInside(network)
            #expect(answer.contains("NoIdInRequest"), "\(name), \(network): \(answer)")
        }
    }

    /// Restarts the engine under running containers, which go on.
    private func restartAlone(_ docker: DockerHost) throws {
        try docker.restartEngine(["--live-restore"])
        try contender.setUpAgain(docker.host)
        let before = try docker.containerProcesses()
        try docker.restartEngine(["--live-restore"])
        #expect(try docker.containerProcesses() == before, "\(name): the containers outlive the engine")
    }

    /// Long enough for the kernel to send a lost packet again, which it does after a second.
    static let verify = ["verify", "--probe", "--probe-timeout", "3000"]

    /// Asks from each container, and holds `verify --probe` against the answers.
    private func look(at docker: DockerHost, _ moment: Moment) throws -> [Network: Cell] {
        let cells = try Cell.ask(docker.containers())
        let isSetUp = contender.isOurs && moment != .before
        // Where ecs-netsetup has set nothing up, it is told what to look for.
        let options = isSetUp ? [] : ["--persist", "none"] + Contender.options
        let result = try docker.host.execute([Tool.path] + Self.verify + options)
        let text = "\(name), \(moment.rawValue): \(result.output)\(result.errors)"
        #expect((result.status == 0) == isSetUp, "\(text)")
        let probed = ProbedBridges(result)
        for (network, bridge) in try docker.bridges() {
            #expect(probed[bridge] == cells[network], "\(bridge), \(text)")
        }
        for (network, cell) in cells where isSetUp {
            #expect(cell == .wanted(in: network), "\(network), \(text)")
        }
        return cells
    }
}

/// What `verify --probe` found on each bridge.
struct ProbedBridges {
    /// The first two words of lines such as `FAIL  ECS-NET-026  no IMDS from docker0`, by bridge.
    private var told: [String: Set<String>] = [:]

    init(_ result: ProgramResult) {
        for line in result.output.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 1, let from = words.firstIndex(of: "from"), from + 1 < words.count else { continue }
            told[words[from + 1], default: []].insert("\(words[0]) \(words[1].suffix(3))")
        }
    }

    /// - Returns: nothing where any of the three packets was not told of. Where nothing answers and the rule that stopped
    ///   the packet is nobody's that is known, the probe leaves it undecided: nothing was reached.
    subscript(bridge: String) -> Cell? {
        let told = told[bridge] ?? []
        func said(_ verdicts: [String], _ check: String) -> Bool {
            verdicts.contains { told.contains("\($0) \(check)") }
        }
        guard ["025", "026", "027"].allSatisfy({ said(["ok", "FAIL", "??"], $0) }) else { return nil }
        return Cell(
            getsCredentials: said(["ok"], "025"), reachesMetadata: said(["FAIL"], "026"),
            reachesMetadata6: said(["FAIL"], "027"))
    }
}

/// Rules and chains that are not ours, without counters.
struct OthersRules {
    let text: String

    /// - Parameter flavour: whose chains and policies are Docker's. Of the other, only rules count: a table of stock
    ///   chains is made by the first who writes to it, and stays.
    init(on host: Namespace, _ flavour: Flavour) throws {
        var saved = ""
        for tool in Flavour.allCases {
            for family in ["ip", "ip6"] {
                for table in try Self.tables(family, tool, on: host) {
                    let listed = try host.require(["\(family)tables-\(tool.rawValue)-save", "-t", table])
                    let lines = Self.lines(listed, hasChains: tool == flavour && ["nat", "filter"].contains(table))
                    if !lines.isEmpty { saved += "\(tool) \(family) \(table)\n\(lines)" }
                }
            }
        }
        let tables = try host.require(["nft", "list", "tables"]).split(separator: "\n")
        text = saved + tables.filter { !$0.hasSuffix(" ecs-netsetup") }.joined(separator: "\n")
    }

    private init(text: String) { self.text = text }

    /// The same lines in an order that does not tell in which they were added.
    var sorted: OthersRules { OthersRules(text: text.split(separator: "\n").sorted().joined(separator: "\n")) }

    /// The lines in which it differs from another, with `-` and `+` before them.
    func differences(from other: OthersRules) -> [String] {
        text.split(separator: "\n").difference(from: other.text.split(separator: "\n")).map { change in
            switch change {
            case .insert(let offset, let line, _): "+ \(offset): \(line)"
            case .remove(let offset, let line, _): "- \(offset): \(line)"
            }
        }
    }

    /// Reading a table that does not exist would make it.
    private static func tables(_ family: String, _ tool: Flavour, on host: Namespace) throws -> [String] {
        let words =
            switch tool {
            case .legacy:
                try host.require(["cat", "/proc/thread-self/net/\(family)_tables_names"]).split(separator: "\n")
            case .nft:
                try host.require(["nft", "list", "tables", family]).split(separator: "\n").compactMap {
                    $0.split(separator: " ").last
                }
            }
        return words.map(String.init).sorted()
    }

    private static func lines(_ saved: String, hasChains: Bool) -> String {
        saved.split(separator: "\n").compactMap { line in
            if line.hasPrefix(":") { return hasChains ? line.prefix { $0 != "[" } + "\n" : nil }
            return line.hasPrefix("-") && !line.contains("ecs-netsetup: ") ? line + "\n" : nil
        }.joined()
    }
}
