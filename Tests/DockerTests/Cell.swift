import Laboratory
import Synchronization

/// Who is reached from a container.
struct Cell: Hashable, Sendable, CustomStringConvertible {
    let getsCredentials: Bool
    let reachesMetadata: Bool
    let reachesMetadata6: Bool

    var description: String { text(isLeak: true) }

    /// As it stands in the table.
    func text(in network: Network) -> String { text(isLeak: network != .host) }

    private func text(isLeak: Bool) -> String {
        let reached = isLeak ? "**leak**" : "open"
        let metadata = [reachesMetadata, reachesMetadata6].map { $0 ? reached : "drop" }
        return ([getsCredentials ? "ok" : "none"] + metadata).joined(separator: " / ")
    }

    /// As a host should be; a container in host mode is the host, and reaches IMDS.
    static func wanted(in network: Network) -> Cell {
        Cell(
            getsCredentials: true, reachesMetadata: network == .host, reachesMetadata6: network == .host)
    }

    /// Asks from a container, after its network has shown that it forwards: so a silence is a rule's.
    init(from container: Namespace) throws {
        for address in [DockerHost.elsewhere, DockerHost.elsewhere6] {
            try waitUntil("\(container.name) to reach \(address)") {
                try container.reach(address, port: 80) == .answered("elsewhere")
            }
        }
        // Where nothing drops, an answer may be late on a busy machine; TCP asks again after a second.
        let targets: [(address: String, service: String, milliseconds: Int32)] = [
            (Laboratory.credentials, "agent", 2500), (Laboratory.metadata, "imds", 500),
            (Laboratory.metadata6, "imds", 500),
        ]
        let answers = try targets.map { target in
            try container.reach(target.address, port: 80, timeout: target.milliseconds) == .answered(target.service)
        }
        self.init(getsCredentials: answers[0], reachesMetadata: answers[1], reachesMetadata6: answers[2])
    }

    init(getsCredentials: Bool, reachesMetadata: Bool, reachesMetadata6: Bool) {
        self.getsCredentials = getsCredentials
        self.reachesMetadata = reachesMetadata
        self.reachesMetadata6 = reachesMetadata6
    }

    /// Asks from several containers at a time: what is dropped takes as long as one waits for it.
    static func ask(_ containers: [(network: Network, namespace: Namespace)]) throws -> [Network: Cell] {
        let answers = Mutex<[Network: Result<Cell, any Error>]>([:])
        let threads = try containers.map { network, namespace in
            try BackgroundThread(in: namespace) { _ in
                let answer = Result { try Cell(from: namespace) }
                answers.withLock { $0[network] = answer }
            }
        }
        threads.forEach { $0.stop() }
        return try answers.withLock { try $0.mapValues { try $0.get() } }
    }
}
