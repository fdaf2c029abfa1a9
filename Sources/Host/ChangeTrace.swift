import Model

/// What a file held before a change and what it holds after it, as far as is needed to tell both from what somebody else
/// wrote. It stands beside the file while an old file may be there that nobody has looked at.
struct ChangeTrace: Equatable {
    /// What identifies contents.
    struct Print: Equatable {
        let count: Int
        let digest: UInt64

        init(_ bytes: some Collection<UInt8>) { (count, digest) = (bytes.count, Digest.of(bytes)) }

        fileprivate init(count: Int, digest: UInt64) { (self.count, self.digest) = (count, digest) }

        /// What follows these contents; nil where others do.
        ///
        /// Only whole lines: where the last line had no end, or has none now, somebody is in the middle of one, and what is
        /// read cannot be put elsewhere.
        func rest(of bytes: [UInt8]) -> ArraySlice<UInt8>? {
            guard bytes.count >= count, Print(bytes.prefix(count)) == self else { return nil }
            let rest = bytes.dropFirst(count)
            let lineBreak = UInt8(ascii: "\n")
            let isWhole = rest.last == lineBreak && (count == 0 || bytes[count - 1] == lineBreak)
            return rest.isEmpty || isWhole ? rest : nil
        }
    }

    let before: Print
    /// Nil where the file is removed.
    let after: Print?

    init(before: Print, after: Print?) { (self.before, self.after) = (before, after) }

    /// Reads what `text` has written; nil for anything else.
    init?(_ text: [UInt8]) {
        let words = String(decoding: text, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        let prints = stride(from: 0, to: words.count, by: 2).map { index -> Print? in
            guard index + 1 < words.count, let count = Int(words[index]), count >= 0,
                let digest = UInt64(words[index + 1], radix: 16)
            else { return nil }
            return Print(count: count, digest: digest)
        }
        guard (1...2).contains(prints.count), let before = prints[0] else { return nil }
        if prints.count == 2, prints[1] == nil { return nil }
        self.init(before: before, after: prints.count == 2 ? prints[1] : nil)
    }

    var text: String {
        [before, after].compactMap { $0 }.map { "\($0.count) \(String($0.digest, radix: 16))" }.joined(separator: " ")
    }

    /// What follows the longer one of the two contents that these bytes begin with; nil where they begin with neither.
    func rest(of bytes: [UInt8]) -> ArraySlice<UInt8>? {
        let known = [before, after].compactMap { $0 }.sorted { $0.count > $1.count }
        return known.lazy.compactMap { $0.rest(of: bytes) }.first
    }
}
