import CLibnftnl

/// A rule's comment, which nft keeps in the rule's user data as a list of type, length and value.
enum RuleComment {
    /// `NFTNL_UDATA_RULE_COMMENT` (`libnftnl/udata.h`).
    private static let type = UInt8(NFTNL_UDATA_RULE_COMMENT.rawValue)

    /// The user data that holds a comment: the type, the length with the NUL, the text, the NUL.
    static func encode(_ comment: String) -> [UInt8] {
        let text = Array(comment.utf8.prefix(Int(NFTNL_UDATA_COMMENT_MAXLEN) - 1)) + [0]
        return [type, UInt8(text.count)] + text
    }

    /// The comment in a rule's user data; nil when there is none or it cannot be read.
    static func decode(_ data: [UInt8]) -> String? {
        var rest = data[...]
        while rest.count >= 2, let type = rest.first {
            let length = Int(rest[rest.startIndex + 1])
            let value = rest.dropFirst(2).prefix(length)
            if value.count < length { return nil }
            if type == Self.type { return String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
            rest = rest.dropFirst(2 + length)
        }
        return nil
    }
}
