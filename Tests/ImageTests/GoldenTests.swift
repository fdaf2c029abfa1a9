import FoundationEssentials
import Laboratory
import Testing

/// What `apply --root` makes of an image, for every distribution, mode and mechanism: held against files that people
/// have read. They are written anew with `ECS_NETSETUP_GOLDEN=write`.
@Suite("Golden trees")
struct GoldenTests {
    private static let modes = ["bridge", "host", "awsvpc"]
    private static let mechanisms = ["auto", "systemd", "iptables-services", "netfilter-persistent", "none"]
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    private static let isWriting = ProcessInfo.processInfo.environment["ECS_NETSETUP_GOLDEN"] == "write"

    @Test("hold for every mode and mechanism, and remove gives the tree back", arguments: Distro.all)
    func golden(_ distro: Distro) throws {
        var text = ""
        for mode in Self.modes {
            for mechanism in Self.mechanisms { text += try section(distro, mode, mechanism) }
        }
        try compare(text, with: "\(distro.name).txt")
    }

    /// The outcome of one mode and mechanism: the refusal, or everything that is there and was not, or is changed.
    private func section(_ distro: Distro, _ mode: String, _ mechanism: String) throws -> String {
        let usesRulesFiles = ["iptables-services", "netfilter-persistent"].contains(mechanism)
        let image = try HostImage(distro, usesRulesFiles: usesRulesFiles)
        let before = try image.snapshot()
        let options = ["--mode", mode, "--persist", mechanism]
        let applied = try image.netsetup(["apply"] + options)
        let title = "== --mode \(mode) --persist \(mechanism)\n"
        guard applied.status == 0 else {
            #expect(applied.status == 2)
            #expect(try image.snapshot() == before, "a refusal changes nothing")
            return title + applied.errors
        }
        let after = try image.snapshot()
        let again = try image.netsetup(["apply"])
        #expect(again.output.hasPrefix("nothing to do"), "\(again.output)\(again.errors)")
        #expect(try image.snapshot() == after)
        #expect(try image.netsetup(["verify"]).status == 0)
        let removed = try image.netsetup(["remove"])
        #expect(removed.status == 0, "\(removed.errors)")
        #expect(try image.snapshot() == before, "\(distro) \(mode) \(mechanism)")
        return try title + after.filter { !before.contains($0) }.map(line).joined()
            + before.filter { entry in !after.contains { $0.path == entry.path } }.map { "gone \($0.path)\n" }.joined()
    }

    /// A line for an entry; a file's contents stand in a file of their own, as many trees have the same.
    private func line(_ entry: HostImage.Entry) throws -> String {
        let text = String(decoding: entry.contents, as: UTF8.self)
        if entry.mode == "l" { return "\(entry.mode) \(entry.path) -> \(text)\n" }
        if entry.mode.hasPrefix("d") { return "\(entry.mode) \(entry.path)/\n" }
        let base = entry.path.split(separator: "/").last.map(String.init) ?? ""
        let name = "\(base)-\(Self.digest(entry.contents))"
        try compare(text, with: "contents/\(name)")
        return "\(entry.mode) \(entry.path) = contents/\(name)\n"
    }

    /// Eight hexadecimal digits that tell contents apart (FNV-1a, 32 bits).
    private static func digest(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    private func compare(_ text: String, with name: String) throws {
        let file = Self.folder.appending(path: name)
        if Self.isWriting {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            return try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let golden = try? String(contentsOf: file, encoding: .utf8)
        #expect(text == golden, "\(name) differs; read the new one and write it with ECS_NETSETUP_GOLDEN=write")
    }

    @Test("every golden file belongs to a distribution")
    func noStray() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter {
            $0.hasSuffix(".txt")
        }
        #expect(Set(names) == Set(Distro.all.map { "\($0.name).txt" }))
    }
}
