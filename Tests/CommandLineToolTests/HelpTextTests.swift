import Testing

@testable import CommandLineTool

@Suite("Help")
struct HelpTextTests {
    static let pages: [Command?] = [nil] + Command.allCases

    @Test("of the program lists every command and every option, with its default")
    func everything() {
        let text = HelpText.text(for: nil)
        for command in Command.allCases { #expect(text.contains("\n  \(command.rawValue) ")) }
        for option in CommandTable.options { #expect(text.contains("--" + option.name)) }
        let words = text.split { $0 == " " || $0 == "\n" }.joined(separator: " ")
        for option in CommandTable.options {
            #expect(words.contains(option.summary))
            if let fallback = option.fallback { #expect(words.contains("(default \(fallback))")) }
        }
    }

    @Test("of a command lists the options that it takes, and no other", arguments: Command.allCases)
    func ofCommand(_ command: Command) {
        let text = HelpText.text(for: command)
        #expect(text.hasPrefix("usage: ecs-netsetup \(command.rawValue)\(command.operand) [OPTION...]\n"))
        #expect(text.contains(command.summary))
        for option in CommandTable.options {
            let isListed = text.split(separator: "\n").contains { $0.hasPrefix("  " + option.usage) }
            #expect(isListed == option.belongs(to: command), "\(option.name)")
        }
    }

    @Test("of what generate prints lists the options that it takes, and no other", arguments: Artefact.all.map(\.name))
    func ofArtefact(_ name: String) throws {
        let artefact = try #require(Artefact.all.first { $0.name == name })
        let text = HelpText.text(for: .generate, artefact)
        #expect(text.hasPrefix("usage: ecs-netsetup generate \(artefact.usage) [OPTION...]\n"))
        for option in CommandTable.options {
            let isListed = text.split(separator: "\n").contains { $0.hasPrefix("  " + option.usage) }
            #expect(
                isListed == (artefact.takes(option) || option.isAboutProgram), "\(option.name)")
        }
    }

    @Test("of a command names the formats that it writes, and no other", arguments: Command.allCases)
    func formats(_ command: Command) {
        let words = HelpText.text(for: command).split { " ,\n".contains($0) }.map(String.init)
        let isWritten = CommandTable.options.contains { $0.name == "format" && $0.belongs(to: command) }
        for format in OutputFormat.allCases where format != .text {
            #expect(words.contains(format.rawValue) == (isWritten && (format == .json || command == .verify)))
        }
    }

    @Test("fits a terminal, without blanks at line ends, and ends with a line break", arguments: pages)
    func width(_ command: Command?) {
        let text = HelpText.text(for: command)
        #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            #expect(line.count <= 100, "\(line)")
            #expect(!line.hasSuffix(" "), "\(line)")
        }
    }

    @Test("no two options share a name or a letter, and each says what it does")
    func table() {
        let options = CommandTable.options
        #expect(Set(options.map(\.name)).count == options.count)
        let letters = options.compactMap(\.short)
        #expect(Set(letters).count == letters.count)
        #expect(options.allSatisfy { !$0.summary.isEmpty && !$0.summary.hasSuffix(".") })
    }
}
