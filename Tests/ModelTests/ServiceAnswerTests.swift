import Model
import Testing

@Suite("Answers over HTTP")
struct ServiceAnswerTests {
    /// What was received, and the body that is taken from it.
    struct Answer: Sendable, CustomTestStringConvertible {
        let received: String
        let body: String?
        var testDescription: String { received.debugDescription }
    }

    private static let answers = [
        Answer(received: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
        Answer(received: "HTTP/1.1 200 OK\r\n\r\n{}\r\n\r\n{}", body: "{}\r\n\r\n{}"),
        Answer(received: "HTTP/1.0 200\r\n\r\n{}", body: "{}"),
        Answer(received: "HTTP/1.0  200  OK\r\n\r\n", body: ""),
        Answer(received: "HTTP/1.0 404 Not Found\r\n\r\n{}", body: nil),
        Answer(received: "HTTP/1.0 2000 OK\r\n\r\n{}", body: nil),
        Answer(received: "HTTP/1.0 503 200\r\n\r\n{}", body: nil),
        Answer(received: "HTTP/1.0 301 Moved\r\nLocation: http://x/\r\n\r\n", body: nil),
        Answer(received: "HTTP/1.0\r\n200\r\n\r\n{}", body: nil),
        Answer(received: "HTTP/1.0 200 OK\r\nContent-Le", body: ""),
        Answer(received: "HTTP/1.0 200 OK\r\n", body: ""),
        Answer(received: "\r\n\r\n", body: nil),
        Answer(received: " 200 OK\r\n\r\n{}", body: nil),
        Answer(received: "", body: nil),
        Answer(received: "SSH-2.0-OpenSSH 200\r\n\r\n", body: nil),
        Answer(received: "\u{0}\u{0}HTTP/1.0 200 OK\r\n\r\n{}", body: nil),
        Answer(received: "{\"Version\":\"1.2.3\"}", body: nil),
    ]

    @Test("only the body of an answer with status 200 counts", arguments: answers)
    func body(_ answer: Answer) {
        let body = ServiceAnswer(received: Array(answer.received.utf8)).body
        #expect(body.map { String(decoding: $0, as: UTF8.self) } == answer.body)
    }
}
