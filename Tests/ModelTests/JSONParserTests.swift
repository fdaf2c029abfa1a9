import FoundationEssentials
import Model
import Testing

@Suite("The JSON reader")
struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test(
        "reads what it would write",
        arguments: [
            "null", "true", "[]", "{}", "0", "18446744073709551615", "-101", "1.5e3", "\"\"",
            "[1, [2, {\"a\": [], \"b\": {}}], \"x\"]", "{\"a\": {\"a\": {\"a\": [null]}}, \"a\": 1}",
        ])
    func roundTrip(_ text: String) throws {
        let value = try parse(text)
        let again = try JSONParser.parse(Array(value.text.utf8))
        #expect(again.text == value.text)
        let digest = { (text: String) in String(text.filter { $0 != " " && $0 != "\n" }) }
        #expect(digest(value.text) == digest(text))
    }

    @Test("reads every string that Foundation writes", arguments: JSONValueTests.strings)
    func strings(_ text: String) throws {
        let encoded = try JSONEncoder().encode([text])
        #expect(try JSONParser.parse(Array(encoded)).elements?.first?.string == text)
        #expect(try JSONParser.parse(Array(JSONValue.string(text).text.utf8)).string == text)
    }

    @Test(
        "reads escapes",
        arguments: [
            (#""\u0041\n\/\b\f\r\t\"\\""#, "A\n/\u{8}\u{c}\r\t\"\\"), (#""\ud83d\ude00""#, "😀"),
            (#""\ud83dx""#, "\u{fffd}x"), (#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"), (#""\ud83d\u0041""#, "\u{fffd}A"),
        ])
    func escapes(_ text: String, _ expected: String) throws {
        #expect(try parse(text).string == expected)
    }

    /// Texts that Foundation refuses too.
    static let faulty = [
        "", " ", "nul", "tru", "+1", "01", "-", "1.", ".5", "1e", "--1", "[1,]", "[1 2]", "[", "{", "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{a:1}", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"", "\"a\nb\"", "1 2", "[]]",
        "\"\\",
        "'a'",
    ]

    @Test("refuses what is no JSON, with the place", arguments: faulty)
    func refuses(_ text: String) throws {
        #expect(throws: JSONParser.Fault.self) { try parse(text) }
        #expect(throws: (any Error).self) { try JSONDecoder().decode([String].self, from: Data(text.utf8)) }
        do { _ = try parse(text) } catch { #expect("\(error)".contains("at byte ")) }
    }

    @Test("refuses nesting that would exhaust the stack, when reading and when passing over")
    func depth() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let fine = String(repeating: open, count: 60) + "1" + String(repeating: close, count: 60)
            _ = try parse(fine)
            let deep = Array(String(repeating: open, count: 1_000_000).utf8)
            #expect(throws: JSONParser.Fault.self) { try JSONParser.parse(deep) }
            #expect(throws: JSONParser.Fault.self) {
                var parser = JSONParser(deep)
                try parser.skip()
            }
        }
    }

    @Test("reads an array of objects piece by piece, and passes over the rest")
    func pieces() throws {
        var parser = JSONParser(Array(#"{"x": [1, {"a": "]"}], "list": [ {"n": 1}, 5, "}" , {"n": 2} ]} "#.utf8))
        var found: [Int] = []
        try parser.object { parser, name throws(JSONParser.Fault) in
            guard name == "list" else {
                try parser.skip()
                return
            }
            try parser.array { parser throws(JSONParser.Fault) in
                if let number = try parser.value()["n"]?.integer { found.append(number) }
            }
        }
        try parser.end()
        #expect(found == [1, 2])
    }

    @Test("agrees with Foundation on texts with a byte changed, left out or put in")
    func mutations() throws {
        let text = Array(#"{"a": [1, -2.5e+3, "x\u00e9\n", true, null, {"b": []}], "c": "\\"}"#.utf8)
        let bytes: [UInt8] = Array("\"\\{}[]:,0-.eE+ntu \n\u{1}".utf8)
        for index in text.indices {
            var variants = [Array(text[..<index]) + text[(index + 1)...]]
            for byte in bytes {
                variants.append(Array(text[..<index]) + [byte] + text[index...])
                variants.append(Array(text[..<index]) + [byte] + text[(index + 1)...])
            }
            for variant in variants {
                let reads = (try? JSONParser.parse(variant)) != nil
                let text = String(decoding: variant, as: UTF8.self)
                // Foundation takes a comma at the end, which RFC 8259 does not know.
                let isExtended = text.contains(",]") || text.contains(",}")
                let foundationReads = (try? JSONDecoder().decode(AnyJSON.self, from: Data(variant))) != nil
                #expect(reads == (foundationReads && !isExtended), "\(text)")
            }
        }
    }

    /// Decodes whatever is JSON.
    private struct AnyJSON: Decodable {
        init(from decoder: any Decoder) throws {
            if let container = try? decoder.container(keyedBy: Key.self) {
                for key in container.allKeys { _ = try container.decode(AnyJSON.self, forKey: key) }
            } else if var container = try? decoder.unkeyedContainer() {
                while !container.isAtEnd { _ = try container.decode(AnyJSON.self) }
            } else {
                let container = try decoder.singleValueContainer()
                if container.decodeNil() { return }
                if (try? container.decode(Bool.self)) != nil { return }
                if (try? container.decode(Double.self)) != nil { return }
                _ = try container.decode(String.self)
            }
        }

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
    }
}
