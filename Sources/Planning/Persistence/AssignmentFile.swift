/// A file of lines `KEY=value`, in which single values can be set and taken back with every other byte kept.
///
/// `/etc/ecs/ecs.config` is read by systemd, which strips quotes and knows comments, and by ecs-init, which trims the
/// line and splits it at the first `=`, and knows neither; in both the last one wins. Bare `KEY=value` is what both read
/// alike, so that is what is written.
package struct AssignmentFile {
    private var text: TextLines

    package init(_ bytes: [UInt8]) { text = TextLines(bytes) }

    var bytes: [UInt8] { text.bytes }

    /// A line that gives a key a value.
    package struct Assignment {
        /// Counted from 1.
        package let number: Int
        package let key: String
        /// Without blanks around it, quotes kept.
        package let value: String
        /// The line without its line break.
        let line: String
        /// Whether it reads the same to everybody: no blanks around the `=`, no quotes.
        let isBare: Bool
    }

    /// Every assignment, in order. Comments and lines without `=` are none, nor are those whose key is no ASCII: Swift
    /// holds some of them for equal to one that is.
    package var assignments: [Assignment] {
        text.lines.enumerated().compactMap { index, line in
            let line = TextLines.text(line)
            let trimmed = line.trimmed
            let bytes = trimmed.utf8
            guard !trimmed.begins(with: "#"), !trimmed.begins(with: ";"),
                let equals = bytes.firstIndex(of: UInt8(ascii: "=")), bytes[..<equals].allSatisfy({ $0 < 0x80 })
            else { return nil }
            let (key, value) = (trimmed[..<equals], trimmed[bytes.index(after: equals)...])
            let bareKey = key.trimmed
            let bareValue = value.trimmed
            let isQuoted = bareValue.begins(with: "\"") || bareValue.begins(with: "'")
            return Assignment(
                number: index + 1, key: bareKey, value: bareValue, line: line,
                isBare: bareKey == key && bareValue == value && !isQuoted)
        }
    }

    /// The lines that are neither an assignment nor a comment nor empty.
    package var strangers: [(number: Int, line: String)] {
        let known = Set(assignments.map(\.number))
        return text.lines.enumerated().compactMap { index, line in
            let trimmed = TextLines.text(line).trimmed
            let isComment = trimmed.begins(with: "#") || trimmed.begins(with: ";")
            return known.contains(index + 1) || trimmed.isEmpty || isComment ? nil : (index + 1, TextLines.text(line))
        }
    }

    /// The assignment that counts.
    func last(_ key: String) -> Assignment? { assignments.last { $0.key == key } }

    /// Whether the file ends with a line break, so that a line can be appended as it is.
    var endsWithLineBreak: Bool { text.endsWithLineBreak }

    /// The last line, without its line break; empty where there is none.
    var lastLine: [UInt8] { text.lines.isEmpty ? [] : line(text.lines.count) }

    /// Replaces a whole line, its line break kept.
    mutating func replace(line number: Int, with bytes: [UInt8]) {
        let hasBreak = text.lines[number - 1].last == UInt8(ascii: "\n")
        text.lines[number - 1] = bytes + (hasBreak ? [UInt8(ascii: "\n")] : [])
    }

    /// A whole line without its line break.
    func line(_ number: Int) -> [UInt8] {
        let line = text.lines[number - 1]
        return line.last == UInt8(ascii: "\n") ? Array(line.dropLast()) : line
    }

    /// Whether a line that is added at the end would go on with the last one: systemd joins lines at a backslash
    /// (systemd.exec(5), `EnvironmentFile=`).
    var endsOpen: Bool { lastLine.last == UInt8(ascii: "\\") }

    /// Adds a line at the beginning.
    mutating func prepend(_ line: String) { text.lines.insert(TextLines.line(line), at: 0) }

    /// Adds a line at the end, with a line break before it where the last one has none.
    mutating func append(_ line: String) {
        if !endsWithLineBreak { text.lines[text.lines.count - 1].append(UInt8(ascii: "\n")) }
        text.lines.append(TextLines.line(line))
    }

    mutating func remove(line number: Int) { text.lines.remove(at: number - 1) }

    /// Takes the line break at the end of the file away.
    mutating func dropLastLineBreak() {
        guard let last = text.lines.last, last.last == UInt8(ascii: "\n") else { return }
        text.lines[text.lines.count - 1] = Array(last.dropLast())
        if text.lines.last?.isEmpty ?? false { text.lines.removeLast() }
    }
}

extension StringProtocol {
    /// Without blanks, tabs and carriage returns at both ends.
    var trimmed: String {
        let bytes = Substring(self).utf8
        let isBlank = { (byte: UInt8) in
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
        }
        guard let start = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(Substring(bytes[start...last]))
    }

    /// Whether the first sign is this one. Not by characters, as `hasPrefix`: an accent that follows would melt with it.
    func begins(with sign: Unicode.Scalar) -> Bool { unicodeScalars.first == sign }
}
