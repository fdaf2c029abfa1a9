import Testing

@testable import Planning

@Suite("The record while files are being changed")
struct RecordMergeTests {
    private func record(_ keys: [String], unbroken: [UInt8]? = nil, origin: Record.Origin = .kept) -> Record {
        let all = keys.map { Record.Key(name: $0, written: ["\($0)=true"], earlier: nil) }
        var record = Record()
        record.files = [
            Record.File(path: "/etc/x", origin: origin, treatment: .assignments(all, unbrokenLine: unbroken))
        ]
        return record
    }

    @Test("keeps the values that are about to be taken back, and the missing line break")
    func values() {
        let merged = record(["A", "C"]).including(record(["A", "B"], unbroken: [0x78]))
        #expect(merged == record(["A", "C", "B"], unbroken: [0x78]))
    }

    @Test("what is said anew of a value or of the last line counts")
    func newer() {
        var newer = record(["A"], unbroken: [0x79])
        let key = Record.Key(name: "A", written: ["A=1", "A=true"], earlier: [0x41])
        newer.files[0] = Record.File(
            path: "/etc/x", origin: .kept, treatment: .assignments([key], unbrokenLine: [0x79]))
        #expect(newer.including(record(["A"], unbroken: [0x78])) == newer)
    }

    @Test("has everything of either record, and nothing twice")
    func union() {
        var (a, b) = (record(["A"]), Record())
        b.files = [Record.File(path: "/etc/y", origin: .created, treatment: .rules)]
        (a.folders, b.folders) = (["/a", "/c"], ["/a", "/b"])
        let service = Record.Service(name: "x.service", manager: .systemctl)
        (a.services, b.services) = ([service], [service])
        let merged = a.including(b)
        #expect(merged.paths == ["/etc/x", "/etc/y"])
        #expect(merged.folders == ["/a", "/c", "/b"])
        #expect(merged.services == [service])
        #expect(a.including(a) == a)
        #expect(a.including(Record()) == a)
    }
}
