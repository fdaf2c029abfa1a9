import Model
import TestSupport
import Testing

@testable import Planning

@Suite("The record of what was changed")
struct RecordTests {
    private static let path = HostPath.record

    private func read(_ text: String) throws -> Record { try Record(text: text, path: Self.path) }

    private static let header =
        "# What ecs-netsetup apply changed in files. ecs-netsetup remove needs it; do not edit or delete.\nversion\t1\n"

    @Test("is a line for each thing, with everything but printable ASCII escaped")
    func text() {
        var record = Record()
        #expect(record.isEmpty)
        #expect(record.text == Self.header)
        record.folders = ["/etc/ecs", "/etc/a b"]
        record.services = [Record.Service(name: "iptables", manager: .chkconfig)]
        record.files = [
            Record.File(path: "/a", origin: .setAside, treatment: .whole(digests: ["1", "2"])),
            Record.File(path: "/b", origin: .kept, treatment: .rules),
            Record.File(
                path: "/c", origin: .created,
                treatment: .assignments(
                    [
                        Record.Key(name: "K", written: ["K=1"], earlier: nil),
                        Record.Key(name: "L", written: ["L=é", "L=\\"], earlier: [0xff, 0x09, 0x0d]),
                    ], unbrokenLine: [])),
        ]
        let expected = """
            folder\t/etc/ecs
            folder\t/etc/a b
            service\tchkconfig\tiptables
            whole\t/a\tset-aside\t1\t2
            rules\t/b\tkept
            assignments\t/c\tcreated
            unbroken\t
            key\tK\tK=1
            key\tL\tL=\\c3\\a9\tL=\\5c
            earlier\t\\ff\\09\\0d

            """
        #expect(record.text == Self.header + expected)
        #expect(!record.isEmpty)
    }

    /// Any record, with odd bytes wherever there may be some.
    private func record(_ random: inout SplitMix64) -> Record {
        func odd(_ random: inout SplitMix64) -> [UInt8] { random.oddBytes() + (random.chance(20) ? [0x0d, 0x0a] : []) }
        func text(_ random: inout SplitMix64) -> String { String(decoding: odd(&random), as: UTF8.self) }
        var record = Record()
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            record.folders.append("/" + text(&random))
            record.services.append(
                Record.Service(name: text(&random), manager: random.pick([.systemctl, .chkconfig])))
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            var treatment = Record.Treatment.rules
            switch Int.random(in: 0..<3, using: &random) {
            case 0: treatment = .whole(digests: (0...1).map { _ in Record.digest(odd(&random)) })
            case 1:
                let keys = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                    Record.Key(
                        name: text(&random), written: random.chance(50) ? [text(&random)] : ["", text(&random)],
                        earlier: random.chance(50) ? odd(&random) : nil)
                }
                treatment = .assignments(keys, unbrokenLine: random.chance(50) ? odd(&random) : nil)
            default: break
            }
            let origin = random.pick([Record.Origin.created, .kept, .setAside])
            record.files.append(Record.File(path: "/" + text(&random), origin: origin, treatment: treatment))
        }
        return record
    }

    @Test("reads what it wrote, whatever bytes are in it")
    func roundTrip() throws {
        var random = PropertySeed.generator(8)
        let cases = PropertySeed.cases(500)
        for number in 0..<cases {
            let record = record(&random)
            let again = try read(record.text)
            #expect(again == record, "case \(number)")
            // Swift holds some texts of different bytes for equal.
            #expect(again.text == record.text && again.text.utf8.elementsEqual(record.text.utf8), "case \(number)")
            #expect(record.text.utf8.allSatisfy { $0 == 9 || $0 == 10 || (0x20..<0x7f).contains($0) }, "case \(number)")
        }
        PropertySeed.tell("records", cases: cases)
    }

    @Test("what only was asked for is in no record, comments and empty lines are passed over")
    func comments() throws {
        #expect(try read(Self.header + "\n# x\nfolder\t/a\n").folders == ["/a"])
        #expect(try read(Self.header).isEmpty)
    }

    @Test(
        "a damaged line is told by its number",
        arguments: [
            "frobnicate\t/a", "folder", "folder\t/a\t/b", "service\tsystemctl", "service\trunit\tx", "rules\t/a",
            "rules\t/a\tstolen", "rules\ta\tkept", "whole\t/a\tkept", "assignments\t/a", "key\tK\tK=1", "earlier\tx",
            "unbroken\tx", "version\t2", "rules\t/a\tkept\nkey\tK\tK=1", " ", "folder /a",
        ])
    func damaged(_ line: String) throws {
        let failure = try #require(throws: Failure.self) { try read(Self.header + line + "\n") }
        let number = line.contains("\n") ? 4 : 3
        #expect(failure.kind == .trouble)
        #expect(failure.subject == "the record of what was changed is damaged in line \(number)")
        #expect(failure.source == Self.path)
        #expect(failure.advice?.contains("restore it from a backup, or delete it") == true)
    }

    @Test(
        "one without its version is damaged, and so is one whose line breaks somebody changed",
        arguments: [
            "", "# x\n", "folder\t/a\n", "\nversion\t2\n", "# x\r\nversion\t1\r\nfolder\t/a\r\n",
        ])
    func version(_ text: String) {
        #expect(throws: Failure.self) { try read(text) }
    }

    @Test("a value before one that was not there is lost only after two more")
    func newest() {
        #expect(Record.newest("c", before: ["b", "a"]) == ["c", "b"])
        #expect(Record.newest("b", before: ["b", "a"]) == ["b", "a"])
        #expect(Record.newest("a", before: ["b", "a"]) == ["a", "b"])
        #expect(Record.newest("a", before: []) == ["a"])
    }

    @Test("digests are FNV-1a's, with 16 digits")
    func digest() {
        // The reference vectors of the algorithm's authors.
        #expect(Record.digest([]) == "cbf29ce484222325")
        #expect(Record.digest(Array("a".utf8)) == "af63dc4c8601ec8c")
        #expect(Record.digest(Array("foobar".utf8)) == "85944171f73967e8")
    }

    @Test("one that includes another knows what both know, its own first")
    func including() {
        let key = { (name: String, line: String) in Record.Key(name: name, written: [line], earlier: nil) }
        var (new, old) = (Record(), Record())
        new.files = [
            Record.File(
                path: "/a", origin: .kept, treatment: .assignments([key("K", "K=2")], unbrokenLine: nil)),
            Record.File(path: "/b", origin: .kept, treatment: .rules),
        ]
        (new.folders, old.folders) = (["/x"], ["/y", "/x"])
        old.services = [Record.Service(name: "s", manager: .systemctl)]
        old.files = [
            Record.File(
                path: "/a", origin: .kept,
                treatment: .assignments([key("K", "K=1"), key("L", "L=1")], unbrokenLine: [65])),
            Record.File(path: "/c", origin: .created, treatment: .whole(digests: ["1"])),
        ]
        let both = new.including(old)
        #expect(both.paths == ["/a", "/b", "/c"])
        #expect(
            both.file("/a")?.treatment == .assignments([key("K", "K=2"), key("L", "L=1")], unbrokenLine: [65]))
        #expect(both.folders == ["/x", "/y"])
        #expect(both.services == old.services)
        #expect(new.including(Record()) == new)
        #expect(Record().including(old) == old)
    }
}
