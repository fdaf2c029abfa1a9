import FoundationEssentials
import Model
import Testing

@Suite("JSON text")
struct JSONValueTests {
    /// Every control character, what JSON escapes, what it does not, and characters beyond 16 bits.
    static let strings =
        (0..<0x80 as Range<UInt32>).compactMap { Unicode.Scalar($0).map { "a\($0)b" } } + [
            "", "\"", "\\", "\\n", "\\\"", "</script>", "\r\n", "e\u{301}", "日本", "🐧", "\u{2028}\u{2029}",
            "\u{7f}\u{80}",
            String(repeating: "long ", count: 1000),
        ]

    @Test("gives every string back when parsed", arguments: strings)
    func string(_ text: String) throws {
        let written = JSONValue.array([.string(text)]).text
        let parsed = try JSONDecoder().decode([String].self, from: Data(written.utf8))
        #expect(parsed.first.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
        #expect(!written.utf8.contains { $0 < 0x20 && $0 != 0x0a }, "control characters are escaped")
    }

    @Test("gives names of members back when parsed", arguments: ["a", "with \"quotes\"", "line\nbreak", ""])
    func member(_ name: String) throws {
        let written = JSONValue.object([(name, .integer(1))]).text
        #expect(try JSONDecoder().decode([String: Int].self, from: Data(written.utf8)) == [name: 1])
    }

    @Test("writes the largest number, truth and emptiness")
    func others() throws {
        #expect(JSONValue.integer(.max).text == "18446744073709551615\n")
        #expect(JSONValue.boolean(true).text == "true\n")
        #expect(JSONValue.boolean(false).text == "false\n")
        #expect(JSONValue.array([]).text == "[]\n")
        #expect(JSONValue.object([]).text == "{}\n")
    }

    @Test("keeps members in their order, indented for people")
    func order() {
        let value = JSONValue.object([("b", .integer(1)), ("a", .array([.boolean(true), .string("x")]))])
        #expect(
            value.text == """
                {
                  "b": 1,
                  "a": [
                    true,
                    "x"
                  ]
                }

                """)
    }
}
