import Laboratory

/// Sends to IMDS without pause and asks for credentials, while rules are changed in every way that keeps mode bridge.
struct LeakMeter {
    let backend: String

    /// One kind of packet or request.
    struct Row {
        let what: String
        let tried: Int
        let failed: Int
    }

    private static let bridges = ["--bridge-interface", "docker+,br-+"]
    private static let named = ["--bridge-interface", "docker0,\(Laboratory.userBridge)"]

    /// What is done to the host, by what it is called.
    private enum Change {
        case apply([String])
        case restartDocker
    }

    /// Where the documented placement is a part of it, there are no rules of Docker yet: ahead of these, they would let
    /// packets through, as `verify` says.
    private static let withoutDocker: [Change] = [
        .apply(["--mode", "bridge"] + bridges),
        .apply(["--mode", "bridge", "--imds-placement", "documented"] + bridges),
        .apply(["--mode", "bridge,host", "--imds-placement", "documented"] + named),
        .apply(["--mode", "bridge,host"] + named),
    ]

    private static let withDocker: [Change] = [
        .apply(["--mode", "bridge"] + bridges), .restartDocker, .apply(["--mode", "bridge"] + named),
        .apply(["--mode", "bridge,awsvpc"] + bridges), .apply(["--mode", "bridge,host,awsvpc"] + bridges),
        .apply(["--mode", "bridge,host,awsvpc"] + bridges), .restartDocker, .apply(["--mode", "bridge,host"] + named),
    ]

    /// - Parameter count: how many changes are made.
    private static func changes(_ count: Int) -> [Change] {
        let early = count / 5
        return (0..<count).map {
            $0 < early ? withoutDocker[$0 % withoutDocker.count] : withDocker[($0 - early) % withDocker.count]
        }
    }

    /// - Parameter count: how many changes are made.
    /// - Returns: what was sent, and how much of it did not end as it should.
    func run(changes count: Int) throws -> [Row] {
        let lab = try Laboratory()
        defer { lab.stop() }
        let arrivals = try Arrivals(lab)
        try requireControl(lab, arrivals)
        try make(Self.changes(count)[0], on: lab)
        let before = try arrivals.counts()
        let senders = try [lab.container, lab.userContainer].map { container in
            try TrafficMeter(
                in: container, forbidden: [Laboratory.metadata, Laboratory.metadata6], asking: Laboratory.credentials,
                pause: 4000)
        }
        let host = try TrafficMeter(in: lab.host, forbidden: [], asking: Laboratory.credentials, pause: 4000)
        let intruder = try Intruder(lab)
        defer {
            (senders + [host]).forEach { $0.stop() }
            intruder.stop()
        }
        for change in Self.changes(count).dropFirst() { try make(change, on: lab) }
        (senders + [host]).forEach { $0.stop() }
        intruder.stop()
        try requireVerified(lab)
        let after = try arrivals.counts()
        let flows = [Laboratory.metadata, Laboratory.metadata6].flatMap { address in
            TrafficMeter.Kind.allCases.map { TrafficMeter.Flow($0, to: address) }
        }
        return flows.map { flow in
            Row(
                what: "\(flow.kind.rawValue) to \(flow.address)",
                tried: senders.map { $0.packets(of: flow) }.reduce(0, +),
                failed: after[flow, default: 0] - before[flow, default: 0])
        } + [
            Row(
                what: "credential requests of containers", tried: senders.map(\.requests).reduce(0, +),
                failed: senders.map(\.failures).reduce(0, +)),
            Row(what: "credential requests of the host", tried: host.requests, failed: host.failures),
            Row(what: "a neighbour to the host's 127.0.0.1", tried: intruder.attempts, failed: intruder.answers),
        ]
    }

    /// Without rules, packets of every kind arrive and are counted, and a neighbour gets in where the parameter is raised.
    private func requireControl(_ lab: Laboratory, _ arrivals: Arrivals) throws {
        let before = try arrivals.counts()
        for container in [lab.container, lab.userContainer] {
            let start = try arrivals.counts()
            let meter = try TrafficMeter(
                in: container, forbidden: [Laboratory.metadata, Laboratory.metadata6], asking: Laboratory.credentials)
            while meter.requests == 0 || meter.packets < 200 {}
            meter.stop()
            guard try arrivals.counts().allSatisfy({ $0.value > start[$0.key, default: 0] }), meter.failures > 0 else {
                throw LaboratoryError("without rules, not every packet from \(container.name) arrives: \(before)")
            }
        }
        try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
        guard try Intruder.isAnswered(lab) else { throw LaboratoryError("the neighbour does not get in by itself") }
        try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
    }

    private func make(_ change: Change, on lab: Laboratory) throws {
        switch change {
        case .apply(let options):
            try lab.host.require([Tool.path, "apply", "--backend", backend, "--persist", "none"] + options)
        case .restartDocker:
            try lab.host.require(["sh", "-euc", DockerRestart.script(backend == "nftables" ? "nft" : "legacy")])
        }
    }

    private func requireVerified(_ lab: Laboratory) throws {
        try lab.host.require(
            [Tool.path, "apply", "--backend", backend, "--persist", "none", "--mode", "bridge"] + Self.bridges)
        try lab.host.restartAgent()
        let words = ["verify", "--backend", backend, "--persist", "none", "--mode", "bridge"] + Self.bridges
        let result = try lab.netsetup(words)
        guard result.status == 0 else { throw LaboratoryError("verify: \(result.output)\(result.errors)") }
    }
}
