import CLibmnl
import Glibc
import Model

/// Which addresses of a bridge's subnet may be free. Pure.
enum AddressCandidates {
    /// How many are asked for at most: a subnet in which so many at its end are taken is as good as full.
    private static let limit = 256

    /// Those of an IPv4 subnet that nobody is known to have, the highest first: Docker gives them out from the lowest.
    ///
    /// - Parameter own: the bridge's address with the length of its subnet.
    static func ipv4(own: IPPrefix, bridge: HostBridge) -> [IPPrefix] {
        guard own.length <= smallest else { return [] }
        let address = value(own.bytes)
        let hosts = UInt32.max >> UInt32(own.length)
        let broadcast = address | hosts
        let count = min(Int(hosts) - 1, limit)
        let taken = Set(bridge.addresses.map(\.bytes)).union(bridge.neighbours)
        return (1...max(count, 1)).compactMap { step in
            let bytes = Array((0..<4).map { UInt8(truncatingIfNeeded: (broadcast - UInt32(step)) >> (24 - 8 * $0)) })
            return taken.contains(bytes) ? nil : IPPrefix(bytes: bytes, length: own.length)
        }
    }

    /// In a /30, there is the bridge and one other; in a /31 and a /32 not even that.
    static let smallest = 29

    /// One by chance: Docker gives them out from the lowest. nil where the subnet is too small for chance.
    static func ipv6(own: IPPrefix, bridge: HostBridge) -> IPPrefix? {
        guard own.length <= largestPrefix else { return nil }
        let kept = (own.length + 7) / 8
        let bytes = Array(own.bytes.prefix(kept)) + (kept..<16).map { _ in UInt8.random(in: 1...254) }
        return bridge.neighbours.contains(bytes) ? nil : IPPrefix(bytes: bytes, length: own.length)
    }

    /// The longest prefix that leaves room for chance: 16 bits.
    static let largestPrefix = 112

    /// A unique local address (RFC 4193) by chance, for a bridge that has only a link-local one.
    static func uniqueLocal() -> IPPrefix? {
        IPPrefix(bytes: [0xfd] + (0..<15).map { _ in UInt8.random(in: 1...254) }, length: 64)
    }

    private static func value(_ bytes: [UInt8]) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}

/// Asks by ARP who has an address, without having one (RFC 5227), so that nobody's table of neighbours changes.
struct AddressSearch: ~Copyable {
    private let socket: CInt
    private let index: Int32
    private let hardware: [UInt8]

    /// Opens a packet socket in the calling thread's namespace.
    init(index: Int32, hardware: [UInt8]) throws(Failure) {
        self.index = index
        self.hardware = hardware
        let network = CInt(UInt16(ETH_P_ARP).bigEndian)
        socket = Glibc.socket(
            AF_PACKET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), network)
        guard socket >= 0 else {
            throw .system("cannot ask for free addresses", source: "socket AF_PACKET", errno: errno)
        }
    }

    deinit { close(socket) }

    /// How long to wait for the bridge's answer, in milliseconds: a new port takes a few.
    private static let patience = 1000
    /// How long a container may take to say that an address is its own, in milliseconds. Usually it takes 0.1.
    private static let quiet = 5
    /// How many addresses are asked for at a time.
    private static let batch = 4

    /// The first of the candidates that nobody says is his own.
    ///
    /// - Parameter gateway: the bridge's address; its answer shows that silence means something.
    /// - Returns: nil when all are taken.
    /// - Throws: `Failure` when the bridge does not answer.
    func firstFree(_ candidates: [IPPrefix], gateway: IPPrefix) throws(Failure) -> IPPrefix? {
        var claimed: Set<[UInt8]> = []
        let limit = Deadline(milliseconds: Self.patience)
        while !claimed.contains(gateway.bytes) {
            ask(gateway.bytes)
            listen(milliseconds: 2, &claimed) { $0.contains(gateway.bytes) }
            if limit.hasPassed {
                throw Failure(
                    .trouble, "the host does not answer ARP for \(gateway.address) on a new port of its bridge")
            }
        }
        var rest = candidates[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.batch)
            for candidate in batch { ask(candidate.bytes) }
            listen(milliseconds: Self.quiet, &claimed) { _ in false }
            if let free = batch.first(where: { !claimed.contains($0.bytes) }) { return free }
            rest = rest.dropFirst(Self.batch)
        }
        return nil
    }

    /// Sends a request from address 0.0.0.0.
    private func ask(_ address: [UInt8]) {
        // Ethernet, IPv4, the lengths of their addresses, request; sender, target.
        let request: [UInt8] =
            [0, 1, 8, 0, 6, 4, 0, 1] + hardware + [0, 0, 0, 0] + [UInt8](repeating: 0, count: 6) + address
        var everybody = sockaddr_ll()
        everybody.sll_family = UInt16(AF_PACKET)
        everybody.sll_protocol = UInt16(ETH_P_ARP).bigEndian
        everybody.sll_ifindex = index
        everybody.sll_halen = 6
        everybody.sll_addr = (0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)
        _ = SystemCall.send(request, to: socket, at: everybody)
    }

    /// Takes note of every address that somebody else has or wants, for some time or until it is enough.
    private func listen(milliseconds: Int, _ claimed: inout Set<[UInt8]>, until isEnough: (Set<[UInt8]>) -> Bool) {
        let limit = Deadline(milliseconds: milliseconds)
        var packet = [UInt8](repeating: 0, count: 64)
        while !isEnough(claimed) {
            let count = SystemCall.receive(from: socket, into: &packet)
            if count >= 28 {
                // Who asks without an address of his own wants the one that he asks for.
                let (sender, target) = (Array(packet[14..<18]), Array(packet[24..<28]))
                if sender != [0, 0, 0, 0] {
                    claimed.insert(sender)
                } else if Array(packet[8..<14]) != hardware {
                    claimed.insert(target)
                }
                continue
            }
            if limit.hasPassed { return }
            let polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            _ = SystemCall.poll([polled], milliseconds: CInt(limit.millisecondsLeft))
        }
    }
}
