import Model

/// An element of XML 1.0: with text, or with other elements.
struct XMLElement {
    let name: String
    let attributes: [(String, String)]
    let text: String
    let children: [XMLElement]

    init(
        _ name: String, _ attributes: [(String, String)] = [], text: String = "", children: [XMLElement] = []
    ) {
        self.name = name
        self.attributes = attributes
        self.text = text
        self.children = children
    }

    /// A document with this element as its root.
    var document: String { "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + written(indent: "") }

    private func written(indent: String) -> String {
        let start = ([name] + attributes.map { "\($0.0)=\"\(Self.escape($0.1, inAttribute: true))\"" })
            .joined(separator: " ")
        if children.isEmpty, text.isEmpty { return "\(indent)<\(start)/>\n" }
        if children.isEmpty { return "\(indent)<\(start)>\(Self.escape(text, inAttribute: false))</\(name)>\n" }
        let inner = children.map { $0.written(indent: indent + "  ") }.joined()
        return "\(indent)<\(start)>\n\(inner)\(indent)</\(name)>\n"
    }

    /// What XML 1.0 (section 2.2) forbids even as a reference becomes U+FFFD. A parser makes blanks of line breaks and tabs
    /// in attributes (3.3.3), and line feeds of carriage returns (2.11), unless they are references. What else a terminal would
    /// take for a command is a reference too.
    private static func escape(_ text: String, inAttribute: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\r": escaped += "&#13;"
            case "\t", "\n":
                if inAttribute { escaped += "&#\(scalar.value);" } else { escaped.unicodeScalars.append(scalar) }
            case "\u{7F}"... where scalar.isControl: escaped += "&#\(scalar.value);"
            case "\u{20}"..."\u{FFFD}", "\u{10000}"...: escaped.unicodeScalars.append(scalar)
            default: escaped += "\u{FFFD}"
            }
        }
        return escaped
    }
}
