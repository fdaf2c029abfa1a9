/// How iptables-restore(8) cuts a line into words.
///
/// A word ends at a blank, a tab or a line feed, and at a closing quotation mark. Only `"` quotes, and only inside of quotation
/// marks does `\` take the meaning from the next character: a single quotation mark and a `\` elsewhere are part of their word.
/// The program reads C strings, so that a line ends at the first NUL.
///
/// Words are bytes, as the program compares bytes: two names that only look the same are two names.
enum RestoreWords {
    /// The longest line that iptables-restore reads in one piece, its line break included (iptables, `iptables-restore.c`).
    static let longestLine = 10239
    /// The longest word (iptables, `xshared.c`).
    private static let longestWord = 1023
    /// How many words may be in a line. It takes 255, less the last, which is null, and three of its own (iptables, `xshared.h`).
    private static let mostWords = 251

    private static let lineFeed = UInt8(ascii: "\n")

    static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// What `isspace` takes for a blank.
    static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte) }

    /// What C sees of a line.
    static func untilNul(_ line: [UInt8]) -> ArraySlice<UInt8> { line.prefix { $0 != 0 } }

    /// The words of a table's or a chain's line behind its first character, where no quotation mark has a meaning.
    static func plain(_ line: [UInt8]) -> [ArraySlice<UInt8>] {
        untilNul(line).dropFirst().split { isBlank($0) || $0 == lineFeed }
    }

    /// The words of a command, the packet and byte counts before it left out.
    static func command(_ line: [UInt8]) throws(RestoreFault) -> [[UInt8]] { try words(withoutCounters(line)) }

    /// A command without the counts that may stand before it: `[12:3456] -A …`.
    ///
    /// Neither needs to be a number, as they are looked at with the option `-c` alone. With strange ones a piece of the command
    /// is lost: the first `:` and the first `]` behind it end the string.
    private static func withoutCounters(_ line: [UInt8]) throws(RestoreFault) -> ArraySlice<UInt8> {
        let text = untilNul(line)
        guard text.first == UInt8(ascii: "[") else { return text }
        let (colon, bracket) = (UInt8(ascii: ":"), UInt8(ascii: "]"))
        guard let close = text.firstIndex(of: bracket) else { throw RestoreFault("has packet counts without a ]") }
        let packets = text.dropFirst().drop { $0 == colon }
        guard !packets.isEmpty, let end = packets.firstIndex(of: colon) else {
            throw RestoreFault("has packet counts without a :")
        }
        let bytes = text[(end + 1)...].drop { $0 == bracket }
        if bytes.isEmpty { throw RestoreFault("has packet counts that are no pair") }
        let cuts = [end, bytes.firstIndex(of: bracket)].compactMap { $0 }.filter { $0 > close }
        return text[(close + 1)..<(cuts.min() ?? text.endIndex)]
    }

    private static func words(_ text: ArraySlice<UInt8>) throws(RestoreFault) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var word: [UInt8] = []
        var (isQuoted, isEscaped) = (false, false)
        for byte in text {
            if isQuoted, isEscaped {
                isEscaped = false
                word.append(byte)
            } else if isQuoted, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                // The closing one ends the word, even an empty one.
                if isQuoted { words.append(word) }
                if isQuoted { word = [] }
                isQuoted.toggle()
            } else if !isQuoted, isBlank(byte) || byte == lineFeed {
                if !word.isEmpty { words.append(word) }
                word = []
            } else {
                word.append(byte)
            }
            if word.count > longestWord { throw RestoreFault("has a word of more than \(longestWord) bytes") }
        }
        // A quotation mark that nothing closes takes in the line break.
        if !word.isEmpty { words.append(word) }
        if words.count > mostWords { throw RestoreFault("has more than \(mostWords) words") }
        return words
    }
}
