import CLibmnl
import Glibc
import Model

/// A namespace of ours that is joined to a bridge, as a container is. It ends with this process, and with it both ends of
/// the pair of interfaces.
final class ProbePort: Sendable {
    let namespace: CInt
    /// Its address on the bridge.
    let address: IPPrefix
    /// Its IPv6 address; nil where nothing can be sent by IPv6, for the reason beside it.
    let address6: IPPrefix?
    let noIPv6: ProbeAnswer
    private let port: String
    private let bridge: Int32

    /// What the interface in the namespace is called.
    private static let interface = "eth0"

    /// Joins a bridge. To be called on a thread of its own, which is in the new namespace afterwards.
    init(_ bridge: HostBridge) throws(Failure) {
        guard let own = bridge.addresses.first(where: { $0.family == .ipv4 }) else {
            throw Failure(.trouble, "\(bridge.name) has no IPv4 address")
        }
        let candidates = AddressCandidates.ipv4(own: own, bridge: bridge)
        if candidates.isEmpty {
            throw Failure(.trouble, "no address is free in \(own), the subnet of \(bridge.name)")
        }
        let outside = try RouteSocket()
        namespace = try NamespaceThread.enterNew()
        port = Self.portName()
        self.bridge = bridge.index
        do throws(Failure) {
            let addresses = LinkAddresses.random()
            try outside.makePair(port, at: bridge, to: namespace, named: Self.interface, addresses: addresses)
            // Safe: if_nametoindex(3) reads a C string, which lasts for the call.
            let index = Int32(bitPattern: unsafe if_nametoindex(Self.interface))
            try Self.setUp(index, port: port, outside)
            let search = try AddressSearch(index: index, hardware: addresses.end)
            guard let free = try search.firstFree(Self.mixed(candidates), gateway: own) else {
                throw Failure(.trouble, "no address is free in \(own), the subnet of \(bridge.name)")
            }
            address = free
            (address6, noIPv6) = try Self.addAddresses(
                free, gateway: own, bridge, index, hardware: try outside.hardwareAddress(of: bridge.index))
        } catch {
            close(namespace)
            throw error
        }
    }

    deinit { close(namespace) }

    /// Leaves the bridge at once, and makes the host forget the address; without it, the kernel does the former some time
    /// after the end of this process, and the latter when it needs the room.
    func leave() {
        do throws(Failure) {
            let outside = try RouteSocket()
            try outside.deletePair(port)
            for address in [address, address6].compactMap(\.self) { outside.forget(address, behind: bridge) }
        } catch {}
    }

    /// Not always in the same order: two probes at a time, of which one had no lock, then seldom want the same address.
    private static func mixed(_ candidates: [IPPrefix]) -> [IPPrefix] {
        candidates.prefix(16).shuffled() + candidates.dropFirst(16)
    }

    /// A name that says whose it is.
    private static func portName() -> String {
        let letters = Array("0123456789abcdef")
        return "ecs-probe" + String((0..<6).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }

    private static func setUp(_ index: Int32, port: String, _ outside: borrowing RouteSocket) throws(Failure) {
        let inside = try RouteSocket()
        inside.forgoAutomaticAddresses(index)
        try inside.openLoopbackNetwork(index)
        try inside.setUp(index)
        try outside.setPortUp(port)
    }

    /// The address, a way to everywhere, and both again for IPv6 where the bridge has it.
    ///
    /// - Parameter hardware: the bridge's hardware address. Asked for its IPv6 address, a bridge that had no port before
    ///   gives no answer for up to two seconds: it makes sure that nobody else has that address (RFC 4862, DAD).
    /// - Returns: the IPv6 address, or why there is none.
    private static func addAddresses(
        _ address: IPPrefix, gateway: IPPrefix, _ bridge: HostBridge, _ index: Int32, hardware: [UInt8]
    ) throws(Failure) -> (IPPrefix?, ProbeAnswer) {
        let inside = try RouteSocket()
        try inside.add(address, to: index)
        try inside.addDefaultRoute(via: gateway, by: index)
        let all = bridge.addresses.filter { $0.family == .ipv6 }
        let global = all.first { !isLinkLocal($0) && $0.length <= AddressCandidates.largestPrefix }
        guard let gateway6 = global ?? all.first(where: isLinkLocal) else {
            return (
                nil,
                all.isEmpty
                    ? .noWay("\(bridge.name) has no IPv6 address")
                    : .unsent("no IPv6 address is free in \(all[0]), the subnet of \(bridge.name)")
            )
        }
        guard
            let address6 = global.map({ AddressCandidates.ipv6(own: $0, bridge: bridge) })
                ?? AddressCandidates.uniqueLocal()
        else { return (nil, .unsent("no IPv6 address is free")) }
        do throws(Failure) {
            try inside.add(address6, to: index)
            try inside.addDefaultRoute(via: gateway6, by: index)
            try inside.know(gateway6, at: hardware, behind: index)
        } catch {
            return (nil, .unsent(error.description))
        }
        return (address6, .silence)
    }

    /// `fe80::/10`, RFC 4291.
    private static func isLinkLocal(_ address: IPPrefix) -> Bool {
        address.family == .ipv6 && address.bytes[0] == 0xfe && address.bytes[1] & 0xc0 == 0x80
    }
}

extension RouteSocket {
    /// Sets the host's end up, without an IPv6 address of its own.
    func setPortUp(_ name: String) throws(Failure) {
        let index = try index(of: name)
        forgoAutomaticAddresses(index)
        try setUp(index)
    }
}
