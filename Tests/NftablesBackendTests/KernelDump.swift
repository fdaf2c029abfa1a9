import CLibmnl
import CLibnftnl
import Model
import Planning

@testable import NftablesBackend

/// The messages of one dump of our table's rules, as a kernel sent them.
struct KernelDump: Sendable {
    /// Each message in hexadecimal digits, from its `nlmsghdr` on.
    let messages: [String]

    /// The bridge patterns in every dump here.
    static let dumpedPatterns = [
        InterfacePattern(name: "docker", isWildcard: true),
        InterfacePattern(name: "br-0123456789ab", isWildcard: false),
    ]

    /// The settings of the `…Drop` dumps, and of the `…Reject` dumps.
    static func settings(rejects: Bool) -> Settings {
        var settings = Settings()
        settings.modes = [.bridge, .awsvpc]
        settings.bridgeInterfaces = dumpedPatterns
        settings.metadataAction = rejects ? .reject : .drop
        settings.metadataPlacement = rejects ? .documented : .early
        return settings
    }

    /// The rules, parsed by libnftnl as `TableReader` does it.
    var rules: [ParsedRule] {
        messages.compactMap { message in ParsedRule(message: bytes(hex: message)) }
    }
}

/// A rule out of a netlink message.
struct ParsedRule {
    let chain: String
    let comment: String?
    let expressions: [Expression]

    /// Nil when libnftnl cannot read the message.
    init?(message: [UInt8]) {
        let rule = withReceivedMessage(message) { message -> RuleObject? in RuleObject(message) }
        guard let rule else { return nil }
        chain = rule.text(NFTNL_RULE_CHAIN)
        comment = rule.userData.flatMap(RuleComment.decode)
        expressions = rule.map { ExpressionTransfer.read($0) }
    }

    /// What the rule says in a table of this layout.
    func decoded(in layout: TableLayout) -> RuleDecoder.Result? {
        guard let place = Place(rawValue: chain), let comment else { return nil }
        return RuleDecoder.decode(expressions, at: place, in: layout, comment: comment)
    }
}

/// Lends a message as a socket does: libmnl wants its head aligned.
func withReceivedMessage<Value: ~Copyable>(_ bytes: [UInt8], _ body: (borrowing ReceivedMessage) -> Value) -> Value {
    let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { copy.deallocate() }
    copy.copyMemory(from: bytes, byteCount: bytes.count)
    return body(ReceivedMessage(lent: UnsafePointer(copy.assumingMemoryBound(to: nlmsghdr.self))))
}

/// The bytes of hexadecimal digits; blanks and line breaks between them do not count.
private func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
