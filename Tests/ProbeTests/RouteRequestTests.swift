import Model
import Testing

@testable import Probe

@Suite("Messages to rtnetlink")
struct RouteRequestTests {
    @Test("carry the lengths of attributes and of those inside them, padded to four bytes")
    func lengths() {
        var request = RouteRequest(16, flags: 4, body: [0, 0, 0, 0])
        request.add(3, "ab")
        request.nest(18) { inner in
            inner.add(1, "veth")
            inner.nest(2, body: [9, 9, 9, 9]) { $0.add(4, [1]) }
        }
        let bytes = request.bytes
        #expect(bytes.count == 16 + 4 + 8 + 4 + 12 + 4 + 4 + 8)
        #expect(Array(bytes[0..<8]) == [60, 0, 0, 0, 16, 0, 5, 0])
        #expect(Array(bytes[20..<28]) == [7, 0, 3, 0, 97, 98, 0, 0])
        let attributes = RouteMessage(type: 16, payload: bytes[16...]).attributes(after: 4)
        #expect(Native.text(attributes[3] ?? []) == "ab")
        let inner = RouteMessage.attributes(attributes[18] ?? [])
        #expect(Native.text(inner[1] ?? []) == "veth")
        #expect(RouteMessage.attributes((inner[2] ?? []).dropFirst(4))[4].map { Array($0) } == [1])
    }

    @Test("of any bytes are read without a trap", arguments: 0..<200)
    func anyBytes(_ seed: Int) {
        let bytes = (0..<64).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ seed) &* (seed | 1)) }
        for length in 0...64 {
            let attributes = RouteMessage(type: 0, payload: bytes.prefix(length)).attributes(after: 16)
            #expect(attributes.values.allSatisfy { $0.count <= length })
        }
    }
}

@Suite("Free addresses of a bridge")
struct AddressCandidatesTests {
    private func bridge(_ addresses: [IPPrefix], neighbours: Set<[UInt8]> = []) -> HostBridge {
        var bridge = HostBridge(index: 2, name: "docker0", isUp: true, mtu: 1500, delaysNewPorts: false)
        bridge.addresses = addresses
        bridge.neighbours = neighbours
        return bridge
    }

    @Test("begin at the top, below the broadcast address, and leave out what is known to be taken")
    func top() {
        let own = IPPrefix(172, 17, 0, 1, length: 16)
        let candidates = AddressCandidates.ipv4(own: own, bridge: bridge([own], neighbours: [[172, 17, 255, 253]]))
        #expect(candidates.prefix(2).map(\.description) == ["172.17.255.254/16", "172.17.255.252/16"])
        #expect(candidates.count == 255)
    }

    @Test("of a small subnet are all its hosts but the bridge, and none where there is no room")
    func small() {
        let own = IPPrefix(10, 0, 0, 6, length: 29)
        let candidates = AddressCandidates.ipv4(own: own, bridge: bridge([own]))
        #expect(candidates.map(\.address) == ["10.0.0.5", "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"])
        for length in [30, 31, 32] as [UInt8] {
            let own = IPPrefix(10, 0, 0, 1, length: length)
            #expect(AddressCandidates.ipv4(own: own, bridge: bridge([own])).isEmpty)
        }
        let taken = Set((1...6).map { [10, 0, 0, UInt8($0)] as [UInt8] })
        #expect(AddressCandidates.ipv4(own: own, bridge: bridge([own], neighbours: taken)).isEmpty)
    }

    @Test("of a whole address space are found without overflow")
    func large() {
        let own = IPPrefix(10, 0, 0, 1, length: 0)
        #expect(AddressCandidates.ipv4(own: own, bridge: bridge([own])).first?.address == "255.255.255.254")
    }

    @Test("of IPv6 are in the subnet, of which some bits must be left", arguments: [48, 64, 80, 100, 112])
    func ipv6(_ length: Int) throws {
        let own = try #require(IPPrefix(bytes: [0xfd, 1] + [UInt8](repeating: 0, count: 13) + [1], length: length))
        let address = try #require(AddressCandidates.ipv6(own: own, bridge: bridge([own])))
        #expect(zip(address.bytes, own.mask).map { $0 & $1 } == zip(own.bytes, own.mask).map { $0 & $1 })
        #expect(address.length == length && address.bytes != own.bytes)
        let small = try #require(IPPrefix(bytes: own.bytes, length: 113))
        #expect(AddressCandidates.ipv6(own: small, bridge: bridge([small])) == nil)
        #expect(AddressCandidates.uniqueLocal()?.bytes.first == 0xfd)
    }
}
