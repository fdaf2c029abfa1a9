/// The language of the manual pages, mdoc(7): what texts from tables become in it.
enum Mdoc {
    /// A text as it stands on a line of its own, with nothing in it that roff would take for a request or an escape.
    static func text(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\e").replacing("--", with: "\\-\\-").replacing(" - ", with: " \\- ")
        return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }

    /// A text as a sentence: with a capital, unless it begins with a name that has its own spelling, and a full stop.
    static func sentence(_ text: String) -> String {
        let firstWord = text.prefix { $0 != " " }
        let isWord = firstWord.allSatisfy { $0.isLowercase || $0 == "'" }
        return Self.text(isWord ? text.prefix(1).uppercased() + text.dropFirst() : text) + "."
    }

    /// A word as an argument of a macro: with hyphens that can be copied as they are, and never a macro itself.
    static func word(_ word: String) -> String {
        let escaped = word.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return escaped.utf8.count <= 3 || escaped.hasPrefix(".") ? "\\&" + escaped : escaped
    }

    /// An option with its letter and what its value is called: `Fl q , Fl \-quiet`.
    static func option(_ option: Option) -> String {
        let letter = option.short.map { "Fl \($0) , " } ?? ""
        return letter + "Fl \\-" + option.name.replacing("-", with: "\\-") + (option.argument.map { " Ar \($0)" } ?? "")
    }

    /// Words that a reader types, on lines of their own: with commas, and `and` before the last.
    static func list(_ words: [String]) -> String {
        words.enumerated().map { index, word in
            switch words.count - index {
            case 1: ".Cm \(Self.word(word))"
            case 2: ".Cm \(Self.word(word))\nand"
            default: ".Cm \(Self.word(word)) ,"
            }
        }.joined(separator: "\n")
    }

    /// A page whose text lines fit 80 columns, as `mandoc -T lint` asks; macros and what is shown as it is stay.
    static func wrapped(_ page: String) -> String {
        var isLiteral = false
        return page.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            if line.hasPrefix(".Bd ") { isLiteral = true }
            if line.hasPrefix(".Ed") { isLiteral = false }
            if isLiteral || line.hasPrefix(".") { return String(line) }
            return HelpText.wrap(String(line), width: 80).map { $0.hasPrefix("'") ? "\\&" + $0 : $0 }
                .joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
