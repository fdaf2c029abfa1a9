/// A file cut into lines, every byte kept.
struct TextLines {
    /// Each with its line break, which only the last may lack.
    var lines: [[UInt8]]

    private static let lineFeed = UInt8(ascii: "\n")

    init(_ bytes: [UInt8]) {
        lines = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: Self.lineFeed).map { $0 + 1 } ?? bytes.endIndex
            lines.append(Array(bytes[start..<end]))
            start = end
        }
    }

    var bytes: [UInt8] { Array(lines.joined()) }

    /// Whether the file is empty or its last line has a line break.
    var endsWithLineBreak: Bool { lines.last.map { $0.last == Self.lineFeed } ?? true }

    /// A line as text, without its line break.
    static func text(_ line: [UInt8]) -> String {
        String(decoding: line.last == lineFeed ? line.dropLast() : line[...], as: UTF8.self)
    }

    static func line(_ text: String) -> [UInt8] { Array(text.utf8) + [lineFeed] }
}
