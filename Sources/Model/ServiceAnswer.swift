/// What came of asking a service of this machine over HTTP.
package enum ServiceAnswer: Hashable, Sendable {
    /// Nobody listens there.
    case refused
    /// Nothing came within that time.
    case silence(milliseconds: Int)
    /// It could not be asked: the C function that said no, and its error number.
    case failed(String, errno: CInt)
    /// A status, the line that it stands in, and what follows the head; nothing where the head has no end.
    case http(status: Int, line: String, body: [UInt8])
    /// What is no HTTP: its first line.
    case other(String)

    /// The longest first line that is kept, in characters.
    private static let longestLine = 80

    /// Reads what was received until the service closed the connection. Lines that are kept are made printable.
    package init(received bytes: [UInt8]) {
        let first = bytes.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        let line = String(printable: first, most: Self.longestLine)
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/"), words[1].utf8.count == 3, let status = Int(words[1]),
            status >= 100
        else {
            self = .other(line)
            return
        }
        self = .http(status: status, line: line, body: Self.body(of: bytes))
    }

    /// RFC 9112, section 2.1: the head ends with an empty line.
    private static func body(of bytes: [UInt8]) -> [UInt8] {
        let end = Array("\r\n\r\n".utf8)
        var position = 0
        while position + end.count <= bytes.count {
            if bytes[position] == end[0], bytes[position..<position + end.count].elementsEqual(end) {
                return Array(bytes[(position + end.count)...])
            }
            position += 1
        }
        return []
    }

    /// The body of an answer with status 200.
    package var body: [UInt8]? {
        if case .http(200, _, let body) = self { body } else { nil }
    }
}
