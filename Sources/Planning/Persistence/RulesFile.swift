import Model

/// A file of iptables-restore(8), in which our rules can be put and found again with every other byte kept.
///
/// The file is read as the legacy iptables-restore reads it; what it would refuse is refused here too, with the line, because
/// a file that is not restored protects nobody. That is said of lines, words and quotation marks, tables, chains and their
/// policies, commands and the options that are no extension's, numbers of rules, and where rules jump to.
///
/// Left is what more is needed for: the options of an extension and their values, whether there is an extension of a name, so
/// that `-j NAME` is taken where no chain has that name, addresses and protocols, what one of the two families or some
/// releases alone refuse, whether a rule to be deleted is there, counters, which are read with the option `-c` alone, and
/// what the kernel says of a rule.
struct RulesFile {
    private enum Kind: Equatable {
        /// An empty line or a comment.
        case comment
        case table(String)
        /// The declaration of a chain.
        case chain
        /// A command of a table, such as `-A INPUT -j DROP`.
        case command
        case commit
    }

    private struct Line {
        let bytes: [UInt8]
        let kind: Kind
        var text: String { TextLines.text(bytes) }

        init(_ bytes: [UInt8], _ kind: Kind) {
            self.bytes = bytes
            self.kind = kind
        }

        init(_ text: String, _ kind: Kind) { self.init(TextLines.line(text), kind) }

        /// Whether it is a rule with our mark, in the spelling of iptables-save.
        var isOurs: Bool { kind == .command && text.contains("--comment \"\(Rule.mark)") }
    }

    /// A table from its name to its COMMIT, as indices of lines.
    private struct Section {
        let table: String
        let range: Range<Int>
    }

    private var lines: [Line]

    /// What stands above a table that would not be in the file without us.
    private static let sectionMark = "# ecs-netsetup: this table is in this file for ecs-netsetup alone"

    /// Reads a file.
    ///
    /// - Parameter path: what to call it in messages.
    /// - Throws: `Failure` with the line that iptables-restore would refuse.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        lines = []
        var (open, opening): (RestoreTable?, Int) = (nil, 0)
        for (index, line) in TextLines(bytes).lines.enumerated() {
            do throws(RestoreFault) {
                let kind = try Self.kind(of: line, at: index, in: &open)
                if case .table = kind { opening = index }
                lines.append(Line(line, kind))
            } catch {
                let why = Self.plainFault(of: line)?.why ?? error.why
                throw Self.refusal(of: path, "line \(index + 1) \(why)", "mend that line")
            }
            if lines.last?.kind == .commit, let circle = open?.circle {
                throw Self.refusal(of: path, "line \(circle + 1) closes a circle of jumps", "mend that line")
            }
            if lines.last?.kind == .commit { open = nil }
        }
        if let open {
            throw Self.refusal(of: path, "table \(open.name), begun in line \(opening + 1), has no COMMIT", "mend it")
        }
    }

    private static func refusal(of path: String, _ what: String, _ advice: String) -> Failure {
        Failure(
            .trouble, "cannot put rules into \(path): \(what)",
            advice: "\(advice), as iptables-restore would refuse the whole file at boot")
    }

    /// What a line is, and what it does to the table that it stands in.
    private static func kind(of line: [UInt8], at index: Int, in open: inout RestoreTable?) throws(RestoreFault) -> Kind
    {
        let isComment = line.first == UInt8(ascii: "#") || line == [UInt8(ascii: "\n")]
        if line.count - (line.last == UInt8(ascii: "\n") ? 1 : 0) > RestoreWords.longestLine {
            throw RestoreFault("is longer than iptables-restore reads")
        }
        if isComment { return .comment }
        let isTable = line.first == UInt8(ascii: "*")
        guard var table = open else {
            if !isTable { throw RestoreFault("is outside a table: \(RestoreFault.show(TextLines.text(line).utf8))") }
            let table = try RestoreTable(line)
            open = table
            return .table(table.name)
        }
        if line == Array("COMMIT\n".utf8) { return .commit }
        if isTable { throw RestoreFault("begins a table before the COMMIT of the one above") }
        // Changed in place, not in a copy, which would take time with the square of the lines.
        open = nil
        defer { open = table }
        if line.first == UInt8(ascii: ":") {
            try table.declare(line)
            return .chain
        }
        let command = try RestoreCommandParser.parse(RestoreWords.command(line), table: table.name)
        try table.run(command, line: index)
        return .command
    }

    /// What is wrong with a line that iptables-restore refuses, where that can be said more simply.
    private static func plainFault(of line: [UInt8]) -> RestoreFault? {
        let text = TextLines.text(line)
        let trimmed = text.trimmed
        if text == "COMMIT" {
            let isWhole = line.last == UInt8(ascii: "\n")
            return RestoreFault(
                isWhole ? "is a COMMIT outside a table" : "is a COMMIT without a line break at the end of the file")
        }
        if text.utf8.last == UInt8(ascii: "\r") { return RestoreFault("ends with a carriage return") }
        if trimmed.isEmpty { return RestoreFault("has blanks and nothing else") }
        if trimmed.begins(with: "#"), !text.begins(with: "#") { return RestoreFault("has blanks before its #") }
        return nil
    }

    var bytes: [UInt8] { Array(lines.map(\.bytes).joined()) }

    private var sections: [Section] {
        var sections: [Section] = []
        var start: (table: String, index: Int)?
        for (index, line) in lines.enumerated() {
            if case .table(let name) = line.kind { start = (name, index) }
            if line.kind == .commit, let begun = start {
                sections.append(Section(table: begun.table, range: begun.index..<index + 1))
                start = nil
            }
        }
        return sections
    }

    // MARK: Taking our rules out

    /// The file without anything of ours.
    var stripped: RulesFile {
        var file = self
        file.lines.removeAll(where: \.isOurs)
        for section in file.sections.reversed() {
            let above = section.range.lowerBound - 1
            guard above >= 0, file.lines[above].text == Self.sectionMark else { continue }
            // Two lines: the table's name and COMMIT.
            file.lines.removeSubrange(section.range.count == 2 ? above..<section.range.upperBound : above..<above + 1)
        }
        return file
    }

    /// A file that iptables-restore would refuse, without the lines that are ours beyond doubt.
    static func withoutOurLines(_ bytes: [UInt8]) -> [UInt8] {
        var file = TextLines(bytes)
        file.lines.removeAll { line in
            let text = TextLines.text(line).trimmed
            return text == sectionMark || Line(text, .command).isOurs && withoutCounters(text).begins(with: "-")
        }
        return file.bytes
    }

    /// How many rules of ours are in it.
    var ourRuleCount: Int { lines.filter(\.isOurs).count }

    // MARK: Putting our rules in

    /// The file with exactly these rules of ours, each at the head of its chain.
    ///
    /// - Parameter rules: of one family, in their order.
    func merged(with rules: [Rule]) -> RulesFile {
        if holds(rules) { return self }
        var file = stripped
        for table in Self.tables(of: rules).reversed() {
            let ours = rules.filter { $0.place.stockChain.table == table }
            // Of several sections of one table, each restore flushes what the one before it made.
            if let section = file.sections.last(where: { $0.table == table }) {
                file.insert(ours, into: section)
            } else {
                let section = [Line(Self.sectionMark, .comment), Line("*\(table)", .table(table))]
                file.lines.insert(contentsOf: section + ours.map(Self.append) + [Line("COMMIT", .commit)], at: 0)
            }
        }
        return file
    }

    /// Whether restoring the file as it is gives exactly these rules of ours at the heads of their chains, as after
    /// somebody saved the live rules over it.
    private func holds(_ rules: [Rule]) -> Bool {
        guard ourRuleCount == rules.count else { return false }
        let sections = sections
        return Self.chains(of: rules).allSatisfy { chain in
            guard let section = sections.last(where: { $0.table == chain.table }) else { return false }
            let body = lines[section.range.dropFirst().dropLast()]
            let commands = body.filter { $0.kind == .command }.map { Self.withoutCounters($0.text) }
            // Only in the spelling of iptables-save can it be told which chain a rule is for.
            let isSaved = commands.allSatisfy { command in
                let words = command.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
                let chain = words.count > 1 ? words[1].utf8 : "".utf8[...]
                let isPlain = !chain.isEmpty && !chain.contains { $0 == 0x09 || $0 == 0x22 || $0 == 0x27 }
                return words[0] == "-N" || words[0] == "-A" && isPlain
            }
            guard isSaved else { return false }
            let appended = commands.filter { $0.hasPrefix("-A \(chain.name) ") }
            return appended.starts(with: chain.rules.map { "-A \(chain.name) \(IptablesSpelling.specification($0))" })
        }
    }

    /// Puts rules at the heads of their chains. Where the section holds commands other than appending, only insertion
    /// after all of them is sure to be first.
    private mutating func insert(_ rules: [Rule], into section: Section) {
        let body = section.range.dropFirst().dropLast()
        if body.contains(where: { Self.reorders(lines[$0]) }) {
            let inserted = Self.chains(of: rules).flatMap { chain in
                chain.rules.enumerated().map { index, rule in
                    Line("-I \(chain.name) \(index + 1) \(IptablesSpelling.specification(rule))", .command)
                }
            }
            lines.insert(contentsOf: inserted, at: section.range.upperBound - 1)
        } else {
            let first = body.first { lines[$0].kind == .command } ?? section.range.upperBound - 1
            let above = section.range.lowerBound..<first
            let position = above.last { lines[$0].kind != .comment } ?? section.range.lowerBound
            lines.insert(contentsOf: rules.map(Self.append), at: position + 1)
        }
    }

    /// Whether a line is a command that may put something ahead of rules appended above it, or take them away.
    private static func reorders(_ line: Line) -> Bool {
        guard line.kind == .command else { return false }
        let text = withoutCounters(line.text)
        return !text.hasPrefix("-A ") && !text.hasPrefix("--append ") && !text.hasPrefix("-N ")
    }

    /// A command without the packet and byte counts that may stand before it: `[12:3456] -A …`.
    private static func withoutCounters(_ text: String) -> Substring {
        let trimmed = text.drop { $0 == " " || $0 == "\t" }
        guard trimmed.hasPrefix("["), let end = trimmed.firstIndex(of: "]") else { return trimmed }
        return trimmed[trimmed.index(after: end)...].drop { $0 == " " || $0 == "\t" }
    }

    private static func append(_ rule: Rule) -> Line {
        Line("-A \(rule.place.stockChain.chain) \(IptablesSpelling.specification(rule))", .command)
    }

    private struct Chain {
        let table: String
        let name: String
        let rules: [Rule]
    }

    private static func chains(of rules: [Rule]) -> [Chain] {
        Place.allCases.compactMap { place in
            let here = rules.filter { $0.place == place }
            let (table, chain) = place.stockChain
            return here.isEmpty ? nil : Chain(table: table, name: chain, rules: here)
        }
    }

    /// The tables in the order in which they are restored: the closing rules' first.
    private static func tables(of rules: [Rule]) -> [String] {
        ["mangle", "filter", "nat"].filter { table in rules.contains { $0.place.stockChain.table == table } }
    }
}
