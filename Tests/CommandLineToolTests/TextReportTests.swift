import Model
import Planning
import Testing

@testable import CommandLineTool
@testable import Engine

@Suite("Text reports")
struct TextReportTests {
    private let plain = TextReport(palette: Palette(isColored: false))
    private let colored = TextReport(palette: Palette(isColored: true))

    private func changes(_ observation: Observation, _ command: Command) throws -> String {
        try plain.changes(Scene.decision(observation), request: Scene.request(command), command: command)
    }

    @Test(
        "end with one line that says what came out",
        arguments: [
            (Command.apply, "nothing to do: the host matches (nftables, mode bridge)\n"),
            (.diff, "no difference: the host matches (nftables, mode bridge)\n"),
            (.remove, "nothing to remove\n"),
        ])
    func nothing(_ command: Command, _ text: String) throws {
        #expect(try changes(Scene.matching(), command) == text)
    }

    @Test("show other people's control characters, whatever is painted around them")
    func hostile() {
        // What a palette marks its own codes with, as far as it can be guessed.
        let mark = String(String.UnicodeScalarView((UInt32(0xfdd0)...0xfdef).compactMap(Unicode.Scalar.init)))
        let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\(mark)31m\r"
        let safe = "\\x1b[2J\\x9b31m\\u202e\(mark)31m\\x0d"
        for palette in [Palette(isColored: true), Palette(isColored: false)] {
            let text = palette.red(hostile) + hostile + palette.bold("a\n\t") + palette.dim("\u{301}") + "\n"
            let (red, bold, dim, end) =
                palette.isColored ? ("\u{1b}[31m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m") : ("", "", "", "")
            let expected = "\(red)\(safe)\(end)\(safe)\(bold)a\n\t\(end)\(dim)\u{301}\(end)\n"
            #expect(Array(palette.shown(text).utf8) == Array(expected.utf8))
        }
    }

    @Test("count the changes, and say whether they were made")
    func counted() throws {
        // The rules, the table, its five chains and the parameter: one for each line with a sign.
        let count = try Scene.planned().count + 7
        let lines = try changes(Scene.observation(), .diff).split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("+ ") || $0.hasPrefix("~ ") }.count == count)
        #expect(
            try changes(Scene.observation(), .diff).hasSuffix("\n\(count) changes to make (nftables, mode bridge)\n"))
        #expect(
            try changes(Scene.observation(), .apply)
                .hasSuffix("\n\(count) changes made and read back: the host matches (nftables, mode bridge)\n"))
        let one = try Scene.matching()
        let lowered = Observation(
            nftables: one.nftables, iptables: one.iptables, routeLocalnet: "0", earlierRouteLocalnet: nil,
            hasIPv6: true,
            disk: one.disk)
        #expect(try changes(lowered, .diff).hasSuffix("\n1 change to make (nftables, mode bridge)\n"))
    }

    @Test("list the guard before the sysctl, and the sysctl before the guard goes")
    func order() throws {
        let apply = try changes(Scene.observation(), .diff)
        let raised = try #require(apply.firstRange(of: "sysctl -w"))
        let added = try #require(apply.firstRange(of: "localhost guard"))
        #expect(added.lowerBound < raised.lowerBound)
        let decision = Decision(removing: try Scene.matching())
        let remove = plain.changes(decision, request: Scene.request(.remove), command: .remove)
        #expect(remove.hasPrefix("~ sysctl -w net.ipv4.conf.all.route_localnet=0\n"))
    }

    @Test("print the table and its chains on a host without them only")
    func chains() throws {
        #expect(try changes(Scene.observation(), .diff).hasPrefix("+ nft add table inet ecs-netsetup\n"))
        #expect(try !changes(Scene.broken(), .diff).contains("nft add table"))
    }

    @Test("give each change its sign, and what an altered rule was")
    func signs() throws {
        let lines = try changes(Scene.broken(), .diff).split(separator: "\n").map(String.init)
        #expect(
            lines.allSatisfy {
                $0.hasPrefix("+ ") || $0.hasPrefix("- ") || $0.hasPrefix("~ ") || $0.hasPrefix("      ")
                    || $0 == lines.last
            })
        #expect(lines.contains { $0.hasPrefix("      is now: ") })
        #expect(lines.contains("~ the table is dormant"))
        #expect(lines.contains("- \"ecs-netsetup: x\" has a limit"))
    }

    @Test("of verify name each failed check with its problem, and how to mend it")
    func verify() throws {
        let text = plain.checks(try Scene.verification(Scene.broken()), request: Scene.request(.verify))
        #expect(text.contains("FAIL  ECS-NET-002  localhost guard"))
        #expect(text.contains("is missing"))
        #expect(text.contains("was altered"))
        #expect(text.contains("is there but not asked for"))
        #expect(text.contains("skip  ECS-NET-006  no IMDS for docker+"))
        #expect(text.hasSuffix("to mend: ecs-netsetup apply --mode bridge\n"))
        let count = try Scene.planned().count + Scene.otherChecks
        let matching = plain.checks(try Scene.verification(Scene.matching()), request: Scene.request(.verify))
        #expect(matching.hasSuffix("\nall \(count) checks passed (nftables, mode bridge)\n"))
        #expect(!matching.contains("FAIL"))
    }

    @Test("of verify tell the command that covers a bridge, with the other options as they were given")
    func coveringCommand() throws {
        var facts = VerificationFacts()
        facts.bridges = .success(["br-0123456789ab"])
        let decision = try Scene.decision(Scene.matching())
        let verification = Verification(decision, settings: Scene.settings, facts: facts)
        var request = Scene.request(.verify)
        request.planningWords = [
            "--bridge-interface", "docker+", "--mode", "bridge", "--bridge-interface", "lan0", "--allow-imds",
        ]
        let text = plain.checks(verification, request: request)
        #expect(
            text.contains(
                "\n                   to mend: ecs-netsetup apply --mode bridge --allow-imds --bridge-interface docker+,br-+\n"
            ))
    }

    @Test("of status show counters, the parameter and its earlier value")
    func status() throws {
        let text = plain.status(try Scene.matching())
        #expect(text.hasPrefix("nftables: 9 rules in table inet ecs-netsetup\n"))
        #expect(text.contains("           1            60  task credentials for containers\n"))
        #expect(text.hasSuffix("\nnet.ipv4.conf.all.route_localnet = 1 (0 before ecs-netsetup)\n"))
        #expect(
            plain.status(Scene.observation())
                == "no rule of ecs-netsetup is installed\nnet.ipv4.conf.all.route_localnet = 0\n")
        #expect(plain.status(try Scene.broken()).contains("  the table is dormant\n"))
    }

    @Test("are the same without their colours")
    func colors() throws {
        let verification = try Scene.verification(Scene.broken())
        let decision = verification.decision
        let request = Scene.request(.verify)
        for (bright, dull) in [
            (colored.checks(verification, request: request), plain.checks(verification, request: request)),
            (
                colored.changes(decision, request: request, command: .diff),
                plain.changes(decision, request: request, command: .diff)
            ),
            (colored.status(decision.observed), plain.status(decision.observed)),
            (colored.evidence(decision), plain.evidence(decision)),
        ] {
            #expect(bright.contains("\u{1b}["))
            #expect(!dull.contains("\u{1b}"))
            #expect(bright.replacing(#/\u{1b}\[[0-9]+m/#, with: "") == dull)
        }
    }

    @Test("colours are used when asked for, and never when refused")
    func usesColor() {
        #expect(Terminal.usesColor(.always))
        #expect(!Terminal.usesColor(.never))
    }
}
