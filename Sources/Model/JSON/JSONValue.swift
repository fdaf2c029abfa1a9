/// A JSON value (RFC 8259).
package enum JSONValue: Sendable {
    case null
    case string(String)
    case integer(UInt64)
    /// Any other number, as it is spelled: `-101`, `1.5e3`.
    case number(String)
    case boolean(Bool)
    case array([JSONValue])
    /// Members in the order in which they are written.
    case object([(String, JSONValue)])

    /// The text, indented for people, with a line break at its end.
    package var text: String { Self.write(self, indent: "") + "\n" }

    private static func write(_ value: JSONValue, indent: String) -> String {
        let inner = indent + "  "
        switch value {
        case .null: return "null"
        case .string(let text): return quote(text)
        case .number(let text): return text
        case .integer(let number): return "\(number)"
        case .boolean(let flag): return flag ? "true" : "false"
        case .array(let values):
            if values.isEmpty { return "[]" }
            let lines = values.map { inner + write($0, indent: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n" + indent + "]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map { "\(inner)\(quote($0.0)): \(write($0.1, indent: inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n" + indent + "}"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            // Those that JSON does not forbid too: documents are looked at in terminals.
            case _ where scalar.isControl:
                for unit in String(scalar).utf16 { quoted += "\\u" + String(hexadecimal: unit, digits: 4) }
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// What a reader asks for; nil where the value is of another type.
extension JSONValue {
    /// The first member of this name.
    package subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members.first { $0.0 == name }?.1 } else { nil }
    }

    package var members: [(String, JSONValue)]? { if case .object(let members) = self { members } else { nil } }
    package var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var boolean: Bool? { if case .boolean(let flag) = self { flag } else { nil } }

    /// A whole number that fits.
    package var integer: Int? {
        switch self {
        case .integer(let number): Int(exactly: number)
        case .number(let text): Int(text)
        default: nil
        }
    }

    /// A count, as of packets.
    package var count: UInt64? { if case .integer(let number) = self { number } else { nil } }
}
