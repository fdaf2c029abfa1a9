import Glibc
import Synchronization

/// Sends without pause while something else happens, and counts.
package final class TrafficMeter: Sendable {
    private let threads: [BackgroundThread]
    private let counts: Counts

    private final class Counts: Sendable {
        let packets = Atomic(0)
        let requests = Atomic(0)
        let failures = Atomic(0)
    }

    /// Starts sending from a namespace: UDP and TCP to the one list of addresses, credential requests to the other.
    ///
    /// - Parameter pause: between two bursts, in microseconds. It leaves the processor to the one who replaces the rules:
    ///   there are two, and as many senders.
    package init(in namespace: Namespace, forbidden: [String], asking address: String, pause: UInt32 = 500) throws {
        let counts = Counts()
        self.counts = counts
        var threads = try forbidden.map { forbidden in
            try BackgroundThread(in: namespace) { mustStop in
                while !mustStop() {
                    Self.send(to: forbidden, counts)
                    usleep(pause)
                }
            }
        }
        threads.append(
            try BackgroundThread(in: namespace) { mustStop in
                while !mustStop() {
                    Self.ask(address, counts)
                    usleep(pause)
                }
            })
        self.threads = threads
    }

    /// What was counted until now.
    package var packets: Int { counts.packets.load(ordering: .relaxed) }
    package var requests: Int { counts.requests.load(ordering: .relaxed) }
    package var failures: Int { counts.failures.load(ordering: .relaxed) }

    package func stop() { threads.forEach { $0.stop() } }

    /// A burst of UDP packets and one attempt to connect, whose first packet is all that is wanted.
    private static func send(to address: String, _ counts: Counts) {
        guard let target = try? SocketAddress(address, port: 80) else { return }
        let udp = socket(target.family, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let tcp = socket(target.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        defer {
            close(udp)
            close(tcp)
        }
        _ = unsafe target.with { unsafe connect(tcp, $0, $1) }
        let payload: [UInt8] = [0]
        for _ in 0..<16 {
            let sent = unsafe target.with { unsafe sendto(udp, payload, 1, 0, $0, $1) }
            if sent == 1 { counts.packets.add(1, ordering: .relaxed) }
        }
        counts.packets.add(1, ordering: .relaxed)
    }

    private static func ask(_ address: String, _ counts: Counts) {
        let outcome = (try? HTTPClient.ask(address, port: 80, path: "/v2/credentials/", timeout: 2000)) ?? .timedOut
        counts.requests.add(1, ordering: .relaxed)
        if outcome != .answered("agent") { counts.failures.add(1, ordering: .relaxed) }
    }
}
