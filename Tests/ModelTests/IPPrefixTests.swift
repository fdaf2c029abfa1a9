import Model
import Testing

@Suite("IPPrefix")
struct IPPrefixTests {
    @Test(
        "is written as inet_ntop and a length",
        arguments: [
            (IPPrefix(169, 254, 170, 2), "169.254.170.2/32"), (IPPrefix(127, 0, 0, 0, length: 8), "127.0.0.0/8"),
            (IPPrefix(0, 0, 0, 0, length: 0), "0.0.0.0/0"),
        ])
    func description(_ prefix: IPPrefix, _ text: String) {
        #expect(prefix.description == text)
        #expect(prefix.family == .ipv4)
    }

    @Test("of IPv6 is written with its zeroes left out")
    func ipv6() throws {
        let bytes: [UInt8] = [0xfd, 0, 0x0e, 0xc2] + [UInt8](repeating: 0, count: 10) + [2, 0x54]
        let prefix = try #require(IPPrefix(bytes: bytes, length: 128))
        #expect(prefix.description == "fd00:ec2::254/128")
        #expect(prefix.address == "fd00:ec2::254")
        #expect(prefix.family == .ipv6)
        #expect(prefix.isHost)
    }

    @Test("a length and its mask say the same", arguments: [4, 16])
    func masks(_ count: Int) throws {
        let bytes = [UInt8](repeating: 0, count: count)
        for length in 0...count * 8 {
            let prefix = try #require(IPPrefix(bytes: bytes, length: length))
            #expect(prefix.mask.reduce(0) { $0 + $1.nonzeroBitCount } == length)
            #expect(IPPrefix(bytes: bytes, mask: prefix.mask) == prefix)
            #expect(prefix.isHost == (length == count * 8))
        }
        #expect(IPPrefix(10, 0, 0, 0, length: 20).mask == [255, 255, 240, 0])
    }

    @Test(
        "a mask with holes, or of another size, is none",
        arguments: [[255, 0, 255, 0], [0, 0, 0, 1], [254, 255, 255, 255], [255, 255, 255], []] as [[UInt8]])
    func badMask(_ mask: [UInt8]) {
        #expect(IPPrefix(bytes: [10, 0, 0, 0], mask: mask) == nil)
    }

    @Test(
        "a length that does not fit, or another number of bytes, is none",
        arguments: [(4, 33), (4, -1), (16, 129), (0, 0), (3, 8), (5, 8), (17, 8)])
    func badLength(_ count: Int, _ length: Int) {
        #expect(IPPrefix(bytes: [UInt8](repeating: 1, count: count), length: length) == nil)
    }

    @Test("a length beyond an IPv4 address is a host's")
    func tooLong() {
        #expect(IPPrefix(10, 0, 0, 1, length: 200).length == 32)
    }

    @Test("no bytes with no mask are no prefix")
    func nothing() {
        #expect(IPPrefix(bytes: [], mask: []) == nil)
    }

    @Test("families have their addresses' lengths and their numbers")
    func families() {
        #expect(AddressFamily.ipv4.addressLength == 4)
        #expect(AddressFamily.ipv6.addressLength == 16)
        #expect(AddressFamily.ipv4.number == 2)
        #expect(AddressFamily.ipv6.number == 10)
    }
}
