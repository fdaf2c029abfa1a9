import Model
import Planning
import Testing

@testable import CommandLineTool
@testable import Engine

@Suite("The picture of the ways")
struct PictureTests {
    private func draw(_ ways: [Way], isUnicode: Bool = true, isColored: Bool = false) -> String {
        Picture(palette: Palette(isColored: isColored), isUnicode: isUnicode).draw(ways)
    }

    @Test("of a matching host has every way with its packets")
    func whole() throws {
        let ways = Way.ways(try Scene.matching().rules)
        #expect(
            draw(ways) == """
                container ── docker+ ─┬─ nat ─▶ agent :51679             1 packet
                                      ├─✗ IMDS 169.254.169.254           3 packets
                                      └─✗ IMDS fd00:ec2::254             6 packets
                neighbour ──────────────✗ 127.0.0.1                      0 packets
                host ─────────────────── nat ─▶ agent :51679             2 packets

                """)
    }

    @Test("keeps to ASCII where it has to")
    func ascii() throws {
        let text = draw(Way.ways(try Scene.matching().rules), isUnicode: false)
        #expect(text.utf8.allSatisfy { $0 < 128 })
        #expect(text.contains("container -- docker+ -+- nat -> agent :51679"))
        #expect(text.contains("`-x IMDS fd00:ec2::254"))
    }

    @Test("shows what the probe found, and what gets through though it must not")
    func probed() throws {
        let outcomes: [Check.Outcome] = [.failed, .failed, .passed, .undecided]
        var ways = Way.ways(try Scene.matching().rules)
        for (index, outcome) in outcomes.enumerated() { ways[index].outcome = outcome }
        let lines = draw(ways).split(separator: "\n")
        #expect(lines[0].contains("─ nat ─✗ agent :51679") && lines[0].hasSuffix("  FAIL"))
        #expect(lines[1].contains("─▶ IMDS 169.254.169.254") && lines[1].hasSuffix("  FAIL"))
        #expect(lines[2].contains("─✗ IMDS fd00:ec2::254") && lines[2].hasSuffix("  ok"))
        #expect(lines[3].contains("─? 127.0.0.1") && lines[3].hasSuffix("  ??"))
        #expect(draw(ways, isColored: true).contains("\u{1b}[31m─▶ IMDS 169.254.169.254\u{1b}[0m"))
    }

    @Test("fits 80 columns and 12 lines, however many bridges and packets there are", arguments: [1, 2, 3, 20])
    func size(_ count: Int) throws {
        var settings = Scene.settings
        settings.modes = [.bridge, .host, .awsvpc]
        settings.bridgeInterfaces = (0..<count).map {
            InterfacePattern(name: "br-01234567890\($0 % 10)", isWildcard: false)
        }
        let rules = try Plan(settings: settings, backend: .nftables, hasIPv6: true).rules
        var ways = Way.ways(rules.map { InstalledRule(.rule($0.rule), packets: 1_000_000_000) })
        for index in ways.indices { ways[index].outcome = .failed }
        let lines = draw(ways).split(separator: "\n")
        #expect(lines.count <= 12)
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines)")
    }

    @Test("of nothing is nothing")
    func empty() { #expect(draw([]) == "") }
}
