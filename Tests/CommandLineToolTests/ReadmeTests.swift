import FoundationEssentials
import Laboratory
import TestSupport
import Testing

@testable import CommandLineTool

/// What the README shows of the manual and of completion, against what appears on a terminal.
@Suite("What the README shows")
struct ReadmeTests {
    private static let repository = URL(filePath: #filePath).appending(path: "../../..").standardized.path

    /// A block of the README: the line that is typed, and what is shown below it.
    private struct Block {
        let prompt: String
        let shown: [String]
    }

    private static func blocks() throws -> [Block] {
        let text = try String(contentsOfFile: repository + "/README.md", encoding: .utf8)
        let start = try #require(text.firstRange(of: "\n## Manual and completions\n"), "the section is missing")
            .upperBound
        let section = text[start...].prefix(upTo: text[start...].firstRange(of: "\n## ")?.lowerBound ?? text.endIndex)
        return section.split(separator: "\n\n").filter { $0.hasPrefix("    ") }.map { block in
            let lines = block.split(separator: "\n").map { String($0.dropFirst(4)) }
            return Block(prompt: lines[0], shown: Array(lines.dropFirst()))
        }
    }

    /// Whether all that is shown stands there in this order, with nothing between two lines but where `…` says so.
    private static func stands(_ shown: [String], in lines: [String]) -> Bool {
        var rest = lines[...]
        for piece in shown.split(separator: "…") {
            let start = rest.indices.first { rest[$0...].starts(with: piece) }
            guard let start else { return false }
            rest = rest[(start + piece.count)...]
        }
        return true
    }

    @Test("of the manual is in it")
    func manual() throws {
        let block = try #require(try Self.blocks().first { $0.prompt == "$ man -l man/ecs-netsetup.8" })
        let result = try Machine.execute(
            ["man", "-l", Self.repository + "/man/ecs-netsetup.8"],
            environment: ["MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat"])
        let lines = result.output.replacing(/.\u{8}/, with: "").split(separator: "\n").map(String.init)
        #expect(block.shown.count > 8 && Self.stands(block.shown, in: lines))
        #expect(!Self.stands(block.shown.reversed(), in: lines))
    }

    @Test("of packages, here and in other texts, has the version that the program has")
    func versions() throws {
        let pattern = "ecs-netsetup[-_][0-9]+[.][0-9]+[.][0-9]+"
        let found = try Machine.execute(
            ["grep", "-rohE", pattern] + ["README.md", "docs", "packaging"].map { "\(Self.repository)/\($0)" })
        let versions = found.output.split(separator: "\n").map { $0.dropFirst("ecs-netsetup-".count) }
        #expect(versions.count > 8 && Set(versions) == [Tool.version[...]])
    }

    @Test("of completion is what a terminal shows", arguments: Completion.Shell.allCases)
    func completion(_ shell: Completion.Shell) throws {
        let block = try #require(try Self.blocks().first { $0.prompt.hasPrefix(shell.rawValue + "$ ") })
        let folder = try FixtureRoot()
        let name = shell == .zsh ? "/_ecs-netsetup" : "/ecs-netsetup"
        try folder.write(Completion.text(for: shell), to: name)
        let line = block.prompt.dropFirst(shell.rawValue.count + 2).prefix { $0 != "⇥" }
        let screen = try Consumer.screen(of: shell.rawValue, completion: folder.path + name, line: String(line))
        let lines = screen.split(separator: "\n").map(String.init)
        #expect(!block.shown.isEmpty && Self.stands(block.shown, in: lines), "\(screen)")
    }
}
