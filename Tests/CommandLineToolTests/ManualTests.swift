import FoundationEssentials
import Laboratory
import Model
import Planning
import TestSupport
import Testing

@testable import CommandLineTool

/// The manual pages, as they are committed and as the stock tools read them.
@Suite("The manual")
struct ManualTests {
    /// The two that render pages: mandoc reads mdoc itself, man has groff do it.
    enum Renderer: String, CaseIterable {
        case mandoc
        case man
    }

    private static let names = ["8": "ecs-netsetup.8", "5": "ecs-netsetup.conf.5"]

    private static func committed(_ section: String) -> URL {
        URL(filePath: #filePath).appending(path: "../../../man/\(names[section] ?? "")").standardized
    }

    /// A page as a reader sees it, with hyphens where lines are broken taken back.
    private static func rendered(_ section: String, by renderer: Renderer, width: Int = 80) throws -> String {
        let page = committed(section).path
        let words =
            switch renderer {
            case .mandoc: ["mandoc", "-T", "utf8", "-O", "width=\(width)", page]
            case .man: ["man", "--warnings", "-l", page]
            }
        let result = try Machine.execute(
            words, environment: ["MANWIDTH=\(width)", "LC_ALL=C.UTF-8", "MANPAGER=cat", "MAN_KEEP_FORMATTING="])
        try #require(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        // Letters that are struck twice are bold, those with a line underlined.
        return result.output.replacing(/.\u{8}/, with: "")
    }

    /// The same with a blank between words, and none of the hyphens that a renderer adds.
    private static func running(_ section: String, by renderer: Renderer) throws -> String {
        try rendered(section, by: renderer, width: 1000).split { $0 == " " || $0 == "\n" }.joined(separator: " ")
    }

    @Test("is committed as the program prints it; if not, run: make man", arguments: Manual.sections)
    func committed(_ section: String) throws {
        #expect(try String(contentsOf: Self.committed(section), encoding: .utf8) == Manual.page(of: section))
    }

    /// The pages that ours refer to. Whether they are installed where the tests run says nothing about ours.
    private static let references = [
        "ecs-netsetup 8", "ecs-netsetup.conf 5", "sysctl.d 5", "systemd.unit 5", "iptables 8", "nft 8",
    ]

    /// What `mandoc -T lint` says of a page at its strictest, a line each.
    private static func lint(_ page: String) throws -> [String] {
        let result = try Machine.execute(["mandoc", "-T", "lint", "-W", "all"], input: page)
        return result.output.split(separator: "\n").map(String.init).filter { line in
            !references.contains { line.contains("STYLE: referenced manual not found: Xr \($0)") }
        }
    }

    @Test("has nothing that mandoc's lint minds", arguments: Manual.sections)
    func lint(_ section: String) throws {
        let page = try Manual.page(of: section)
        #expect(try Self.lint(page).isEmpty)
        // What it does mind: a reference to nowhere, and a sentence that goes on in its line.
        let worse = try Self.lint(page + "One.  Two.\n.Xr nowhere 7\n")
        #expect(worse.count == 2 && worse.contains { $0.contains("nowhere") })
    }

    @Test("a renderer that complains is heard")
    func heard() throws {
        let folder = try FixtureRoot()
        try folder.write(try Manual.page(of: "8") + ".Sh\n.nonsense\n", to: "/page.8")
        let result = try Machine.execute(
            ["man", "--warnings", "-l", folder.path + "/page.8"], environment: ["MANPAGER=cat"])
        #expect(!result.errors.isEmpty)
    }

    @Test("fits the terminal, and hyphens can be copied", arguments: Manual.sections, Renderer.allCases)
    func width(_ section: String, _ renderer: Renderer) throws {
        for width in [80, 100] {
            let lines = try Self.rendered(section, by: renderer, width: width).split(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= width })
            #expect(lines.contains { $0.count > width - 20 })
        }
        #expect(try Self.running(section, by: renderer).contains("--bridge-interface"))
    }

    /// The text between two headings, or to the end.
    private static func section(_ title: String, of text: String, until end: String?) throws -> Substring {
        let start = try #require(text.firstRange(of: title), "\(title) is missing").upperBound
        guard let end else { return text[start...] }
        return text[start..<(try #require(text[start...].firstRange(of: end), "\(end) is missing").lowerBound)]
    }

    @Test("tells every command, with its exit statuses, and every artefact", arguments: Renderer.allCases)
    func commands(_ renderer: Renderer) throws {
        let text = try Self.running("8", by: renderer)
        let commands = try Self.section(" COMMANDS ", of: text, until: " OPTIONS A value")
        let statuses = try Self.section(" EXIT STATUS ", of: text, until: " EXAMPLES ")
        for command in Command.allCases {
            let summary = command.summary.dropFirst()
            #expect(commands.contains("\(command.rawValue) \(command.summary.prefix(1).uppercased())\(summary)"))
            #expect(text.contains("ecs-netsetup \(command.rawValue) "))
            for (status, meaning) in command.exitStatuses.dropLast() {
                #expect(statuses.contains("\(status) \(meaning)"))
            }
        }
        for (status, meaning) in Command.exitStatuses {
            #expect(statuses.contains("\(status) \(meaning.prefix(1).uppercased())\(meaning.dropFirst()). "))
        }
        for artefact in Artefact.all {
            let choices = artefact.choices.joined(separator: " | ")
            #expect(commands.contains(artefact.fallback == nil ? "\(artefact.name) \(choices)" : "[\(choices)]"))
            #expect(commands.contains(artefact.summary.dropFirst()))
        }
    }

    @Test("tells every option, with its values, its default and its commands", arguments: Renderer.allCases)
    func options(_ renderer: Renderer) throws {
        let text = try Self.running("8", by: renderer)
        let options = String(try Self.section(" OPTIONS A value", of: text, until: " MODES bridge "))
        for option in CommandTable.options {
            let start = try #require(options.firstRange(of: " \(option.usage) "), "\(option.usage)").upperBound
            let ends = CommandTable.options.compactMap { options[start...].firstRange(of: " \($0.usage) ")?.lowerBound }
            let entry = options[start..<(ends.min() ?? options.endIndex)]
            #expect(entry.count > 10 && !entry.contains(" Default: ") == (option.fallback == nil), "\(option.name)")
            if let fallback = option.fallback { #expect(entry.contains("Default: \(fallback).")) }
            for command in Command.allCases where option.belongs(to: command) {
                let words = entry.split { " ,;.:".contains($0) }
                for word in option.choices(for: command) {
                    #expect(words.contains(word[...]), "\(option.name): \(word)")
                }
            }
        }
    }

    @Test("says with which commands an option goes")
    func takers() throws {
        let text = try Self.running("8", by: .mandoc)
        #expect(text.contains("Default: 5. Also with remove and status."))
        #expect(text.contains("--probe-timeout MILLISECONDS How long the probe waits for what becomes of a packet."))
        #expect(text.contains("Default: 1000. With verify only."))
        #expect(text.contains("mechanism were chosen. With apply, diff, verify and remove only."))
    }

    @Test("has prose for no option that there is not")
    func prose() {
        #expect(Set(OptionProse.texts.keys).isSubset(of: CommandTable.options.map(\.name)))
    }

    @Test("tells every check and every file that may be written", arguments: Renderer.allCases)
    func tables(_ renderer: Renderer) throws {
        let text = try Self.running("8", by: renderer)
        for kind in CheckKind.allCases {
            #expect(text.contains("\(kind.identifier) \(kind.question.prefix(1).uppercased())"))
        }
        for file in HostPath.managed + [HostPath.record] { #expect(text.contains(file), "\(file)") }
    }

    @Test("its examples are command lines that are taken")
    func examples() throws {
        let lines = try Self.rendered("8", by: .mandoc).split(separator: "\n")
            .map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("# ecs-netsetup ") }
        #expect(lines.count > 7)
        for line in lines {
            let words = line.split(separator: " ").map(String.init).dropFirst(2).prefix { $0 != ">" }
            let parsed = try ArgumentParser.parse(Array(words))
            _ = try ArgumentParser.check(parsed)
        }
    }

    @Test("of the settings tells every key, and its example is taken", arguments: Renderer.allCases)
    func settings(_ renderer: Renderer) throws {
        let text = try Self.running("5", by: renderer)
        for option in CommandTable.options where option.isSaved {
            let key = try #require(option.settingsKey)
            #expect(text.contains(" \(key)=\(option.argument ?? "true | false") "), "\(key)")
            for word in option.choices(for: .apply) { #expect(text.contains(word)) }
        }
        let page = try Self.rendered("5", by: renderer)
        let example = try Self.section("EXAMPLES\n", of: page, until: "SEE ALSO")
        let file = try SettingsFile(FileContents(text: String(example), mode: 0o644), path: "example")
        #expect(file.entries.count == 3)
    }

    @Test("texts from tables stay what they are, whatever roff would make of them")
    func escaped() throws {
        for text in [#".Sh \fBno\fR"#, "'br", #"a\\b"#, "--all - what", "'quoted'"] {
            let page =
                Manual.head("x", section: "8") + "\n.Sh NAME\n.Nm x\n.Nd x\n.Sh DESCRIPTION\n\(Mdoc.text(text))\n"
            let result = try Machine.execute(["mandoc", "-T", "ascii"], input: page).output.replacing(
                /.\u{8}/, with: "")
            #expect(result.contains("     \(text)\n"), "\(result)")
        }
    }
}
