import Glibc
import Synchronization

/// Sends without pause while something else happens, and counts.
package final class TrafficMeter: Sendable {
    /// What is sent to an address that must not be reached.
    package enum Kind: String, CaseIterable, Sendable {
        case udp = "UDP"
        case tcp = "TCP"
        case echo = "ICMP echo"
    }

    /// Packets of one kind to one address.
    package struct Flow: Hashable, Sendable {
        package let kind: Kind
        package let address: String

        package init(_ kind: Kind, to address: String) {
            self.kind = kind
            self.address = address
        }
    }

    private let threads: [BackgroundThread]
    private let sent: [Flow: Count]
    private let asked: Count
    private let failed: Count

    private final class Count: Sendable {
        private let number = Atomic(0)
        var value: Int { number.load(ordering: .relaxed) }

        func add(_ more: Int) { number.add(more, ordering: .relaxed) }
    }

    /// Starts sending from a namespace: UDP, TCP and ICMP echo to the one list of addresses, credential requests to the
    /// other.
    ///
    /// - Parameter pause: between two bursts, in microseconds. It leaves the processor to the one who replaces the rules:
    ///   there are two, and more senders.
    package init(in namespace: Namespace, forbidden: [String], asking address: String, pause: UInt32 = 500) throws {
        let flows = forbidden.flatMap { address in Kind.allCases.map { Flow($0, to: address) } }
        let sent = Dictionary(uniqueKeysWithValues: flows.map { ($0, Count()) })
        let (asked, failed) = (Count(), Count())
        (self.sent, self.asked, self.failed) = (sent, asked, failed)
        // Whoever is in these groups may open ping sockets (icmp(7)).
        try namespace.writeSysctl("ipv4/ping_group_range", "0 0")
        var threads = try forbidden.map { forbidden in
            try BackgroundThread(in: namespace) { mustStop in
                guard let sender = try? Sender(to: forbidden) else { return }
                while !mustStop() {
                    for kind in Kind.allCases { sent[Flow(kind, to: forbidden)]?.add(sender.send(kind)) }
                    usleep(pause)
                }
            }
        }
        threads.append(
            try BackgroundThread(in: namespace) { mustStop in
                while !mustStop() {
                    if !Self.isAnswered(address) { failed.add(1) }
                    asked.add(1)
                    usleep(pause)
                }
            })
        self.threads = threads
    }

    /// How many packets of a flow were sent until now.
    package func packets(of flow: Flow) -> Int { sent[flow]?.value ?? 0 }

    /// How many packets were sent until now, how many requests were made, and how many of these failed.
    package var packets: Int { sent.values.map(\.value).reduce(0, +) }
    package var requests: Int { asked.value }
    package var failures: Int { failed.value }

    package func stop() { threads.forEach { $0.stop() } }

    private static func isAnswered(_ address: String) -> Bool {
        let outcome = try? HTTPClient.ask(address, port: 80, path: "/v2/credentials/", timeout: 2000)
        return outcome == .answered("agent")
    }
}

/// Sockets that packets to one address leave by.
private final class Sender {
    private static let burst = 8

    private let target: SocketAddress
    private let udp: CInt
    private let ping: CInt

    init(to address: String) throws {
        target = try SocketAddress(address, port: 80)
        udp = try Self.open(target, SOCK_DGRAM, 0)
        ping = try Self.open(target, SOCK_DGRAM, CInt(target.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
    }

    deinit {
        close(udp)
        close(ping)
    }

    private static func open(_ target: SocketAddress, _ type: __socket_type, _ transport: CInt) throws -> CInt {
        let flags = SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let file = socket(target.family, CInt(type.rawValue | flags), transport)
        guard file >= 0 else { throw LaboratoryError.system("socket") }
        return file
    }

    /// - Returns: how many packets the kernel took.
    func send(_ kind: TrafficMeter.Kind) -> Int {
        switch kind {
        case .udp: send([0], by: udp)
        // The kernel fills in identifier and checksum. ICMP_ECHO (icmp.h), ICMP6_ECHO_REQUEST (icmp6.h).
        case .echo: send([target.family == AF_INET ? 8 : 128, 0, 0, 0, 0, 0, 0, 1], by: ping)
        case .tcp: connect()
        }
    }

    private func send(_ packet: [UInt8], by file: CInt) -> Int {
        (0..<Self.burst).count { _ in
            unsafe target.with { unsafe sendto(file, packet, packet.count, 0, $0, $1) } == packet.count
        }
    }

    /// Begins a connection, whose first packet is all that is wanted.
    private func connect() -> Int {
        guard let file = try? Self.open(target, SOCK_STREAM, 0) else { return 0 }
        defer { close(file) }
        let outcome = unsafe target.with { unsafe Glibc.connect(file, $0, $1) }
        return outcome == 0 || errno == EINPROGRESS ? 1 : 0
    }
}
