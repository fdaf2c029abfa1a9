import CLibmnl
import Glibc
import Model

/// What is asked of rtnetlink. Each function is one or more requests.
extension RouteSocket {
    /// `struct ifinfomsg` (`linux/rtnetlink.h`).
    private static func link(_ index: Int32 = 0, isUp: Bool = false) -> [UInt8] {
        let up = Native.bytes(UInt32(isUp ? IFF_UP : 0))
        return [0, 0, 0, 0] + Native.bytes(UInt32(bitPattern: index)) + up + up
    }

    /// The bridges with their addresses and neighbours. The corresponding messages are `RTM_GETLINK`, `RTM_GETADDR` and
    /// `RTM_GETNEIGH`.
    func bridges() throws(Failure) -> [HostBridge] {
        let links = try dump(
            RouteRequest(CInt(RTM_GETLINK), flags: NLM_F_DUMP, body: Self.link()), "list the network interfaces")
        var bridges = links.compactMap(Self.bridge)
        if bridges.isEmpty { return [] }
        let addresses = try dump(
            RouteRequest(CInt(RTM_GETADDR), flags: NLM_F_DUMP, body: [UInt8](repeating: 0, count: 8)),
            "list the addresses")
        let neighbours = try dump(
            RouteRequest(CInt(RTM_GETNEIGH), flags: NLM_F_DUMP, body: [UInt8](repeating: 0, count: 12)),
            "list the neighbours")
        for index in bridges.indices {
            let number = UInt32(bitPattern: bridges[index].index)
            bridges[index].addresses = addresses.filter { Native.number($0.payload, 4) as UInt32 == number }
                .compactMap(Self.address)
            bridges[index].neighbours = Set(
                neighbours.filter { Native.number($0.payload, 4) as UInt32 == number && Self.isCertain($0) }
                    .compactMap { $0.attributes(after: 12)[Int(NDA_DST)].map { Array($0) } })
        }
        return bridges
    }

    private static func bridge(_ message: RouteMessage) -> HostBridge? {
        let attributes = message.attributes(after: 16)
        guard let name = attributes[Int(IFLA_IFNAME)], let information = attributes[Int(IFLA_LINKINFO)] else {
            return nil
        }
        let kind = RouteMessage.attributes(information)
        guard let kindName = kind[Int(IFLA_INFO_KIND)], Native.text(kindName) == "bridge" else { return nil }
        let data = RouteMessage.attributes(kind[Int(IFLA_INFO_DATA)] ?? [])
        func number(_ attribute: Int) -> UInt32 { Native.number(data[attribute] ?? [], 0) }
        let flags: UInt32 = Native.number(message.payload, 8)
        return HostBridge(
            index: Int32(bitPattern: Native.number(message.payload, 4)), name: Native.text(name),
            isUp: flags & UInt32(IFF_UP) != 0, mtu: Native.number(attributes[Int(IFLA_MTU)] ?? [], 0),
            delaysNewPorts: number(Int(IFLA_BR_STP_STATE)) != 0 && number(Int(IFLA_BR_FORWARD_DELAY)) != 0)
    }

    /// Whether a neighbour is known to be there. The kernel keeps others for ever, as long as they are few.
    private static func isCertain(_ message: RouteMessage) -> Bool {
        let certain = NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_NOARP | NUD_PERMANENT
        return CInt(Native.number(message.payload, 8) as UInt16) & certain != 0
    }

    private static func address(_ message: RouteMessage) -> IPPrefix? {
        let attributes = message.attributes(after: 8)
        // With a peer, IFA_ADDRESS is the peer's.
        guard let bytes = attributes[Int(IFA_LOCAL)] ?? attributes[Int(IFA_ADDRESS)] else { return nil }
        return IPPrefix(bytes: Array(bytes), length: Int(message.payload[message.payload.startIndex + 1]))
    }

    /// The hardware address of an interface.
    func hardwareAddress(of index: Int32) throws(Failure) -> [UInt8] {
        let request = RouteRequest(CInt(RTM_GETLINK), flags: NLM_F_ACK, body: Self.link(index))
        guard let message = try dump(request, "look up a bridge").first,
            let address = message.attributes(after: 16)[Int(IFLA_ADDRESS)]
        else { throw Failure(.trouble, "a bridge without a hardware address") }
        return Array(address)
    }

    /// The number of an interface.
    func index(of name: String) throws(Failure) -> Int32 {
        var request = RouteRequest(CInt(RTM_GETLINK), flags: NLM_F_ACK, body: Self.link())
        request.add(Int(IFLA_IFNAME), name)
        guard let message = try dump(request, "look up interface \(name)").first else {
            throw Failure(.trouble, "interface \(name) is not there")
        }
        return Int32(bitPattern: Native.number(message.payload, 4))
    }

    /// Makes a pair of interfaces: one end a port of a bridge, the other in a namespace. The corresponding message is
    /// `RTM_NEWLINK`.
    ///
    /// - Parameters:
    ///   - port: the name of the end at the bridge, which is the host's.
    ///   - namespace: a file descriptor of the namespace that the other end goes into.
    func makePair(
        _ port: String, at bridge: HostBridge, to namespace: CInt, named name: String, addresses: LinkAddresses
    ) throws(Failure) {
        var request = RouteRequest(
            CInt(RTM_NEWLINK), flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body: Self.link())
        request.add(Int(IFLA_IFNAME), port)
        request.add(Int(IFLA_ADDRESS), addresses.port)
        request.add(Int(IFLA_MTU), Native.bytes(bridge.mtu))
        request.add(Int(IFLA_MASTER), Native.bytes(UInt32(bitPattern: bridge.index)))
        request.nest(Int(IFLA_LINKINFO)) { information in
            information.add(Int(IFLA_INFO_KIND), "veth")
            information.nest(Int(IFLA_INFO_DATA)) { data in
                data.nest(Int(VETH_INFO_PEER), body: Self.link()) { peer in
                    peer.add(Int(IFLA_IFNAME), name)
                    peer.add(Int(IFLA_ADDRESS), addresses.end)
                    peer.add(Int(IFLA_MTU), Native.bytes(bridge.mtu))
                    peer.add(Int(IFLA_NET_NS_FD), Native.bytes(UInt32(namespace)))
                }
            }
        }
        try perform(request, "join bridge \(bridge.name) by a veth pair")
    }

    /// `RTM_DELLINK`: both ends go.
    func deletePair(_ port: String) throws(Failure) {
        var request = RouteRequest(CInt(RTM_DELLINK), flags: NLM_F_ACK, body: Self.link())
        request.add(Int(IFLA_IFNAME), port)
        try perform(request, "delete interface \(port)")
    }

    /// Tells where a neighbour is, so that it is not asked for. The corresponding message is `RTM_NEWNEIGH`.
    func know(_ neighbour: IPPrefix, at hardware: [UInt8], behind index: Int32) throws(Failure) {
        var request = RouteRequest(
            CInt(RTM_NEWNEIGH), flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
            body: Self.neighbour(neighbour, behind: index, state: UInt16(NUD_PERMANENT)))
        request.add(Int(NDA_DST), neighbour.bytes)
        request.add(Int(NDA_LLADDR), hardware)
        try perform(request, "add a neighbour in a namespace")
    }

    /// `struct ndmsg` (`linux/neighbour.h`): family, padding, index, state, flags, type.
    private static func neighbour(_ address: IPPrefix, behind index: Int32, state: UInt16 = 0) -> [UInt8] {
        [UInt8(address.family.number), 0, 0, 0] + Native.bytes(UInt32(bitPattern: index)) + Native.bytes(state) + [
            0, 0,
        ]
    }

    /// Makes the host forget a neighbour. Where it has forgotten already, there is nothing to do. The corresponding message
    /// is `RTM_DELNEIGH`.
    func forget(_ neighbour: IPPrefix, behind index: Int32) {
        var request = RouteRequest(
            CInt(RTM_DELNEIGH), flags: NLM_F_ACK, body: Self.neighbour(neighbour, behind: index))
        request.add(Int(NDA_DST), neighbour.bytes)
        do throws(Failure) { try perform(request, "forget a neighbour") } catch {}
    }

    /// Keeps IPv6 from giving the interface an address of its own, and from asking for routers. Where the kernel has no
    /// IPv6, there is nothing to keep from.
    func forgoAutomaticAddresses(_ index: Int32) {
        var request = RouteRequest(CInt(RTM_SETLINK), flags: NLM_F_ACK, body: Self.link(index))
        request.nest(Int(IFLA_AF_SPEC)) { families in
            families.nest(Int(AF_INET6)) {
                $0.add(Int(IFLA_INET6_ADDR_GEN_MODE), [UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue)])
            }
        }
        do throws(Failure) { try perform(request, "set how IPv6 makes addresses") } catch {}
    }

    /// Lets the interface send to 127.0.0.0/8 and take what comes from there.
    func openLoopbackNetwork(_ index: Int32) throws(Failure) {
        var request = RouteRequest(CInt(RTM_SETLINK), flags: NLM_F_ACK, body: Self.link(index))
        request.nest(Int(IFLA_AF_SPEC)) { families in
            families.nest(Int(AF_INET)) { family in
                family.nest(Int(IFLA_INET_CONF)) { $0.add(Self.routeLocalnet, Native.bytes(UInt32(1))) }
            }
        }
        try perform(request, "set route_localnet in a namespace")
    }

    /// `IPV4_DEVCONF_ROUTE_LOCALNET` (`linux/ip.h`).
    private static let routeLocalnet = 26

    func setUp(_ index: Int32) throws(Failure) {
        try perform(
            RouteRequest(CInt(RTM_SETLINK), flags: NLM_F_ACK, body: Self.link(index, isUp: true)),
            "set an interface up")
    }

    /// Adds an address that is good at once. The corresponding message is `RTM_NEWADDR`.
    func add(_ address: IPPrefix, to index: Int32) throws(Failure) {
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        let flags = UInt8(address.family == .ipv6 ? IFA_F_NODAD : 0)
        var request = RouteRequest(
            CInt(RTM_NEWADDR), flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            body: [UInt8(address.family.number), UInt8(address.length), flags, 0]
                + Native.bytes(UInt32(bitPattern: index)))
        request.add(Int(IFA_LOCAL), address.bytes)
        request.add(Int(IFA_ADDRESS), address.bytes)
        try perform(request, "add address \(address) in a namespace")
    }

    /// Adds the route to everywhere. The corresponding message is `RTM_NEWROUTE`.
    func addDefaultRoute(via gateway: IPPrefix, by index: Int32) throws(Failure) {
        // struct rtmsg: family, two prefix lengths, TOS, table, protocol, scope, type, flags.
        var request = RouteRequest(
            CInt(RTM_NEWROUTE), flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            body: [
                UInt8(gateway.family.number), 0, 0, 0, UInt8(RT_TABLE_MAIN.rawValue), UInt8(RTPROT_STATIC),
                UInt8(RT_SCOPE_UNIVERSE.rawValue), UInt8(RTN_UNICAST), 0, 0, 0, 0,
            ])
        request.add(Int(RTA_GATEWAY.rawValue), gateway.bytes)
        request.add(Int(RTA_OIF.rawValue), Native.bytes(UInt32(bitPattern: index)))
        try perform(request, "add a route in a namespace")
    }
}

/// The hardware addresses of a pair's ends.
struct LinkAddresses {
    let port: [UInt8]
    let end: [UInt8]

    /// Locally administered ones (IEEE 802, second bit). The port's is among the highest, because a bridge without an
    /// address of its own takes the lowest of its ports'.
    static func random() -> LinkAddresses {
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255) } }
        return LinkAddresses(port: [0xfe, 0xff] + bytes(4), end: [0x02] + bytes(5))
    }
}
