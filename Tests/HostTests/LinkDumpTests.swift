import Testing

@testable import Host

@Suite("The kernel's list of interfaces")
struct LinkDumpTests {
    private func number(_ value: some FixedWidthInteger) -> [UInt8] {
        unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
    }

    private func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        number(UInt16(4 + value.count)) + number(type) + value + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
    }

    private func message(_ type: UInt16, flags: UInt16 = 2, _ payload: [UInt8]) -> [UInt8] {
        number(UInt32(16 + payload.count)) + number(type) + number(flags) + [UInt8](repeating: 0, count: 8) + payload
    }

    private func link(_ name: String, kind: String?, flags: UInt16 = 2) -> [UInt8] {
        let info = kind.map { attribute(18, attribute(1, Array($0.utf8) + [0])) } ?? []
        return message(
            16, flags: flags, [UInt8](repeating: 0, count: 16) + attribute(3, Array(name.utf8) + [0]) + info)
    }

    private let done: [UInt8] = [20, 0, 0, 0, 3, 0, 2, 0] + [UInt8](repeating: 0, count: 12)

    @Test("holds the bridges, among others and over several messages")
    func bridges() {
        var dump = LinkDump()
        dump.take(link("lo", kind: nil) + link("docker0", kind: "bridge") + link("veth1", kind: "veth"))
        #expect(!dump.isDone)
        dump.take(link("br-0123456789ab", kind: "bridge") + done)
        #expect(dump.bridges == ["docker0", "br-0123456789ab"] && dump.isDone && dump.errno == 0)
        #expect(!dump.isInterrupted)
    }

    @Test("may be interrupted, or refused")
    func ends() {
        var interrupted = LinkDump()
        interrupted.take(link("a", kind: "bridge", flags: 0x12) + done)
        #expect(interrupted.isInterrupted)
        var refused = LinkDump()
        refused.take(message(2, number(Int32(-13)) + [UInt8](repeating: 0, count: 16)))
        #expect(refused.isDone && refused.errno == 13)
    }

    @Test("that is cut or altered anywhere ends, and harms nothing")
    func hostile() {
        let whole = link("docker0", kind: "bridge") + done
        for end in whole.indices {
            var dump = LinkDump()
            dump.take(Array(whole[..<end]))
            for byte in [0, 1, 3, 0x7f, 0xff] as [UInt8] {
                var altered = whole
                altered[end] = byte
                var other = LinkDump()
                other.take(altered)
            }
        }
        var empty = LinkDump()
        empty.take([])
        #expect(empty.isDone && empty.errno != 0)
    }
}
