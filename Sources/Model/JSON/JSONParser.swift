/// Reads JSON (RFC 8259) from bytes, a value after the other, so that a large text needs no tree of all its values.
///
/// What the text may cost is bounded: nesting by `maximumDepth`, names by `longestName`.
package struct JSONParser {
    /// Why a text is no JSON, or is more than is read.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// What was found or missed: "a comma or ] is missing".
        package let what: String
        /// Where, in bytes from the beginning, counted from 0.
        package let offset: Int

        package init(what: String, offset: Int) {
            self.what = what
            self.offset = offset
        }

        package var description: String { "\(what) at byte \(offset)" }
    }

    /// Deeper nesting than this is refused. What is read here nests a dozen levels.
    private static let maximumDepth = 64

    /// A member's longer name is refused: names of a large text must not cost as much as the text.
    private static let longestName = 4096

    private let bytes: [UInt8]
    /// Where the next byte stands, counted from 0.
    package private(set) var offset = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads a text that is one value.
    package static func parse(_ bytes: [UInt8]) throws(Fault) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value()
        try parser.end()
        return value
    }

    // MARK: A value as a whole

    /// Reads the next value.
    package mutating func value() throws(Fault) -> JSONValue { try value(depth: 0) }

    /// Passes over the next value.
    ///
    /// - Returns: the bytes it takes.
    @discardableResult
    package mutating func skip() throws(Fault) -> Range<Int> {
        skipBlanks()
        let start = offset
        try skip(depth: 0)
        return start..<offset
    }

    /// Nothing but blanks may follow.
    package mutating func end() throws(Fault) {
        skipBlanks()
        if offset < bytes.count { throw fault("there is more behind the value") }
    }

    // MARK: A value piece by piece

    /// Reads an object, member after member.
    ///
    /// - Parameter member: is given the name, and has to read or skip the value.
    package mutating func object(_ member: (inout JSONParser, String) throws(Fault) -> Void) throws(Fault) {
        try expect(UInt8(ascii: "{"), "an object")
        if take(UInt8(ascii: "}")) { return }
        repeat {
            skipBlanks()
            let name = try string(upTo: Self.longestName)
            try expect(UInt8(ascii: ":"), "a colon")
            try member(&self, name)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "a comma or }")
    }

    /// Reads an array, element after element.
    ///
    /// - Parameter element: has to read or skip the value.
    package mutating func array(_ element: (inout JSONParser) throws(Fault) -> Void) throws(Fault) {
        try expect(UInt8(ascii: "["), "an array")
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"), "a comma or ]")
    }

    // MARK: Inside

    private func fault(_ what: String) -> Fault { Fault(what: what, offset: offset) }

    private mutating func skipBlanks() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0a, 0x0d: offset += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, _ what: String) throws(Fault) {
        if !take(byte) { throw fault("\(what) is missing") }
    }

    private mutating func value(depth: Int) throws(Fault) -> JSONValue {
        skipBlanks()
        guard offset < bytes.count else { throw fault("a value is missing") }
        switch bytes[offset] {
        case UInt8(ascii: "{"):
            if depth == Self.maximumDepth { throw fault("values are nested too deeply") }
            var members: [(String, JSONValue)] = []
            try object { parser, name throws(Fault) in members.append((name, try parser.value(depth: depth + 1))) }
            return .object(members)
        case UInt8(ascii: "["):
            if depth == Self.maximumDepth { throw fault("values are nested too deeply") }
            var elements: [JSONValue] = []
            try array { parser throws(Fault) in elements.append(try parser.value(depth: depth + 1)) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func skip(depth: Int) throws(Fault) {
        skipBlanks()
        guard offset < bytes.count else { throw fault("a value is missing") }
        switch bytes[offset] {
        case UInt8(ascii: "{"):
            if depth == Self.maximumDepth { throw fault("values are nested too deeply") }
            try object { parser, _ throws(Fault) in try parser.skip(depth: depth + 1) }
        case UInt8(ascii: "["):
            if depth == Self.maximumDepth { throw fault("values are nested too deeply") }
            try array { parser throws(Fault) in try parser.skip(depth: depth + 1) }
        case UInt8(ascii: "\""): try skipString()
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): _ = try value(depth: depth)
        default: try skipNumber()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
        let text = "\(word)".utf8
        guard bytes[offset...].starts(with: text) else { throw fault("no value begins so") }
        offset += text.count
        return value
    }

    private mutating func digits() throws(Fault) {
        let start = offset
        while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
        if offset == start { throw fault("a digit is missing") }
    }

    private mutating func number() throws(Fault) -> JSONValue {
        let start = offset
        try skipNumber()
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        return UInt64(text).map(JSONValue.integer) ?? .number(text)
    }

    private mutating func skipNumber() throws(Fault) {
        func stands(_ candidates: UInt8...) -> Bool { offset < bytes.count && candidates.contains(bytes[offset]) }
        if stands(UInt8(ascii: "-")) { offset += 1 }
        let whole = offset
        guard offset < bytes.count, (0x30...0x39).contains(bytes[offset]) else { throw fault("no value begins so") }
        try digits()
        if offset > whole + 1, bytes[whole] == UInt8(ascii: "0") { throw fault("a number begins with 0") }
        if stands(UInt8(ascii: ".")) {
            offset += 1
            try digits()
        }
        if stands(UInt8(ascii: "e"), UInt8(ascii: "E")) {
            offset += 1
            if stands(UInt8(ascii: "+"), UInt8(ascii: "-")) { offset += 1 }
            try digits()
        }
    }

    /// Moves behind a string's closing quotation mark.
    ///
    /// - Returns: what stands between the marks, as it is spelled.
    @discardableResult
    private mutating func skipString() throws(Fault) -> (range: Range<Int>, hasEscapes: Bool) {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw fault("a string is missing") }
        offset += 1
        let start = offset
        var hasEscapes = false
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return (start..<offset - 1, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                offset += 2
            case 0..<0x20: throw fault("a control character stands in a string")
            default: offset += 1
            }
        }
        offset = bytes.count
        throw fault("a string has no end")
    }

    /// Reads a string. Bytes that are no UTF-8, and halves of surrogate pairs, become U+FFFD.
    private mutating func string(upTo longest: Int = .max) throws(Fault) -> String {
        let (range, hasEscapes) = try skipString()
        if range.count > longest { throw fault("a name is too long") }
        if !hasEscapes { return String(decoding: bytes[range], as: UTF8.self) }
        var text: [UInt8] = []
        var position = range.lowerBound
        while position < range.upperBound {
            if bytes[position] != UInt8(ascii: "\\") {
                text.append(bytes[position])
                position += 1
                continue
            }
            let letter = bytes[position + 1]
            position += 2
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0c)
            case UInt8(ascii: "n"): text.append(0x0a)
            case UInt8(ascii: "r"): text.append(0x0d)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): text += Array(try character(at: &position, before: range.upperBound).utf8)
            default: throw Fault(what: "an unknown escape stands in a string", offset: position - 1)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The character of `\uXXXX`, or of two of them that make a pair.
    ///
    /// - Parameter position: behind `\u`; moves behind what was read.
    private func character(at position: inout Int, before end: Int) throws(Fault) -> String {
        let first = try unit(at: position, before: end)
        position += 4
        if UTF16.isLeadSurrogate(first), position + 6 <= end, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            let second = try unit(at: position + 2, before: end)
            if UTF16.isTrailSurrogate(second) {
                position += 6
                return String(decoding: [first, second], as: UTF16.self)
            }
        }
        return String(decoding: [first], as: UTF16.self)
    }

    private func unit(at position: Int, before end: Int) throws(Fault) -> UInt16 {
        let digits = bytes[position..<min(position + 4, end)]
        // A sign would be taken for part of a number.
        guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw Fault(what: "\\u has no four hexadecimal digits", offset: position) }
        return unit
    }
}
