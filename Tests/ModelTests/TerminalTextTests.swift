import Model
import Testing

@Suite("Text for a terminal")
struct TerminalTextTests {
    @Test(
        "control characters and overrides of direction are shown, all else stays",
        arguments: [
            ("\u{1b}[2J", "\\x1b[2J"), ("\0\r\u{7f}", "\\x00\\x0d\\x7f"), ("\u{9b}31m\u{85}", "\\x9b31m\\x85"),
            ("\u{202e}x\u{202c}", "\\u202ex\\u202c"), ("\u{2066}\u{2069}\u{2028}", "\\u2066\\u2069\\u2028"),
            ("a\r\nb", "a\\x0d\nb"), ("e\u{1b}\u{301}", "e\\x1b\u{301}"), ("a\tb\n", "a\tb\n"), ("", ""),
            ("naïve 🧪 e\u{301} \\x1b", "naïve 🧪 e\u{301} \\x1b"),
            ("\u{200d}\u{feff}\u{e0041}", "\\u200d\\ufeff\\U000e0041"),
        ])
    func shown(_ text: String, _ shown: String) {
        // Not as characters, of which some are equal that are spelled otherwise.
        #expect(Array(text.showingControls(keeping: ["\n", "\t"]).utf8) == Array(shown.utf8))
    }

    @Test("line breaks and tabs are shown where they are not kept")
    func lineBreaks() {
        #expect("a\nb\tc".showingControls(keeping: []) == "a\\x0ab\\x09c")
    }

    @Test("no control character is left in JSON, and all are read back")
    func json() throws {
        let text = String(String.UnicodeScalarView(((0...0x2100) + [0xfeff, 0xe0041]).compactMap(Unicode.Scalar.init)))
        let written = JSONValue.string(text).text
        #expect(!written.unicodeScalars.contains { $0.isControl && $0 != "\n" })
        #expect(try JSONParser.parse(Array(written.utf8)).string == text)
    }
}
