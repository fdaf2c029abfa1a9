import Model

/// A rule as iptables-save prints it, taken apart.
struct IptablesRule {
    /// An option with its values: `! --dport 80`.
    struct Option {
        let name: String
        let isNegated: Bool
        var values: [String] = []

        var text: String { ((isNegated ? ["!", name] : [name]) + values).joined(separator: " ") }
    }

    struct Extension {
        let name: String
        var options: [Option] = []

        var text: String { (["-m", name] + options.map(\.text)).joined(separator: " ") }
    }

    let text: String
    /// `-s`, `-d`, `-i`, `-o`, `-p` and `-f`.
    private(set) var header: [Option] = []
    private(set) var matches: [Extension] = []
    private(set) var target: Extension?
    private(set) var isGoto = false
    /// Words that belong to nothing, such as the rest of an interface's name that has a blank.
    private(set) var strays: [String] = []

    private static let headerOptions: Set<String> = ["-s", "-d", "-i", "-o", "-p"]

    /// - Parameter text: from `-A` on.
    init(_ text: String) {
        self.text = text
        var words = IptablesWords(text)
        // -A and the chain.
        _ = words.next()
        _ = words.next()
        var isNegated = false
        while let word = words.next() {
            if word.isQuoted {
                addValue(word.text)
            } else if word.text == "!" {
                isNegated = true
                continue
            } else if target != nil {
                addTargetWord(word.text, isNegated)
            } else {
                take(word.text, isNegated, &words)
            }
            isNegated = false
        }
    }

    private mutating func take(_ word: String, _ isNegated: Bool, _ words: inout IptablesWords) {
        switch word {
        case "-m":
            matches.append(Extension(name: words.next()?.text ?? ""))
        case "-j", "-g":
            target = Extension(name: words.next()?.text ?? "")
            isGoto = word == "-g"
        case "--comment":
            // Also one that looks like an option.
            let value = words.next()?.text ?? ""
            addOption(Option(name: word, isNegated: isNegated, values: [value]))
        case "-f": header.append(Option(name: word, isNegated: isNegated))
        case _ where Self.headerOptions.contains(word):
            header.append(Option(name: word, isNegated: isNegated, values: [words.next()?.text ?? ""]))
        case _ where word.hasPrefix("--"): addOption(Option(name: word, isNegated: isNegated))
        default: addValue(word)
        }
    }

    private mutating func addTargetWord(_ word: String, _ isNegated: Bool) {
        if word.hasPrefix("--") { addOption(Option(name: word, isNegated: isNegated)) } else { addValue(word) }
    }

    private mutating func addOption(_ option: Option) {
        if target != nil {
            target?.options.append(option)
        } else if matches.isEmpty {
            strays.append(option.text)
        } else {
            matches[matches.count - 1].options.append(option)
        }
    }

    private mutating func addValue(_ value: String) {
        if let last = target?.options.indices.last {
            target?.options[last].values.append(value)
        } else if target == nil, let last = matches.indices.last, let option = matches[last].options.indices.last {
            matches[last].options[option].values.append(value)
        } else {
            strays.append(value)
        }
    }

    /// The text of the first comment; nil where there is none.
    var comment: String? {
        guard let match = matches.first(where: { $0.name == "comment" }) else { return nil }
        return match.options.first { $0.name == "--comment" }?.values.first
    }

    func option(_ name: String) -> Option? { header.first { $0.name == name } }
}

/// The words of a line, as iptables-restore takes them apart: blanks between, quotation marks around, backslashes before
/// what is meant as it is.
struct IptablesWords {
    struct Word {
        let text: String
        let isQuoted: Bool
    }

    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    mutating func next() -> Word? {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
        guard let first = rest.first else { return nil }
        if first == UInt8(ascii: "\"") { return Word(text: quoted(), isQuoted: true) }
        let word = rest.prefix { $0 != 0x20 && $0 != 0x09 }
        rest = rest[word.endIndex...]
        return Word(text: String(decoding: word, as: UTF8.self), isQuoted: false)
    }

    private mutating func quoted() -> String {
        var text: [UInt8] = []
        rest = rest.dropFirst()
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                text.append(escaped)
            } else {
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
