/// Why iptables-restore would refuse a line, in words that follow "line 7 ".
struct RestoreFault: Error, Equatable {
    let why: String

    init(_ why: String) { self.why = why }

    /// A word as it is shown: its first characters, in single quotation marks.
    static func show(_ word: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(word), as: UTF8.self)
        return text.unicodeScalars.count > 60 ? "'\(text.unicodeScalars.prefix(60))…'" : "'\(text)'"
    }
}
