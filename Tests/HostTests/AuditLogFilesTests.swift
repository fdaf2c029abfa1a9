import FoundationEssentials
import Host
import Model
import TestSupport
import Testing

@Suite("Audit logs")
struct AuditLogFilesTests {
    private let root: FixtureRoot

    init() throws { root = try FixtureRoot() }

    private func write(_ text: String, to name: String, seconds: Double) throws {
        try root.write(text, to: "/var/log/ecs/\(name)")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: "\(root.path)/var/log/ecs/\(name)")
    }

    private func read() throws -> [String] {
        var texts: [String] = []
        try root.host.readAuditLogs { bytes, isCut in
            texts.append((isCut ? "…" : "") + String(decoding: bytes.prefix(8), as: UTF8.self))
        }
        return texts
    }

    @Test("are none on a host that has none")
    func none() throws { #expect(try read() == []) }

    @Test("under names of both kinds are read, the newest first, and others are not")
    func names() throws {
        try write("old", to: "audit.log.2026-11-24-23", seconds: 100)
        try write("older", to: "audit.log.1", seconds: 50)
        try write("now", to: "audit.log", seconds: 200)
        try write("packed", to: "audit.log.2.gz", seconds: 300)
        try write("agent", to: "ecs-agent.log", seconds: 300)
        try root.makeFolder("/var/log/ecs/audit.log.d")
        #expect(try read() == ["now", "old", "older"])
    }

    @Test("of a day are read, and no more than 8 MiB of them")
    func bounds() throws {
        for hour in 0..<30 { try write("\(hour)", to: "audit.log.\(hour)", seconds: Double(hour)) }
        #expect(try read() == (6..<30).reversed().map { "\($0)" })
        try write(String(repeating: "x", count: 9 << 20), to: "audit.log", seconds: 100)
        #expect(try read() == ["…xxxxxxxx"])
    }
}
