import Model
import Testing

@testable import Planning

@Suite("The agent's audit log")
struct AuditLogTests {
    private static func arn(_ task: Int) -> String { "arn:aws:ecs:us-east-1:123456789012:task/default/\(task)" }

    private static func granted(_ time: String, task: Int, agent: String = "aws-sdk-go/1.44") -> String {
        "\(time) 200 172.17.0.2:48242 \"/v2/credentials/0a1b\" \"\(agent)\" \(arn(task)) GetCredentials 2 default arn:aws:ecs:us-east-1:123456789012:container-instance/default/9\n"
    }

    private static func refused(_ time: String, task: String = "-", path: String = "/v2/credentials/0a1b") -> String {
        "\(time) 400 172.17.0.3:40000 \"\(path)\" \"curl/8\" \(task)\n"
    }

    private func read(_ text: String, by size: Int = .max, isCut: Bool = false) -> CredentialsUse {
        var reader = AuditLogReader()
        reader.beginFile(isCut: isCut)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let part = rest.prefix(size)
            rest = rest.dropFirst(part.count)
            reader.take(Array(part))
        }
        reader.endFile()
        return reader.result
    }

    @Test("tells who asked when, whatever the pieces it comes in", arguments: [1, 2, 7, 100, Int.max])
    func counts(_ size: Int) {
        let text =
            Self.granted("2026-11-25T03:00:00Z", task: 1) + Self.granted("2026-11-25T04:59:21Z", task: 2)
            + Self.granted("2026-11-25T04:00:00Z", task: 1, agent: #"it "quotes" and - blanks \" "#)
            + Self.refused("2026-11-25T04:30:00Z") + Self.refused("2026-11-25T04:30:01Z", task: Self.arn(3))
        let use = read(text, by: size)
        #expect(use.requests == 5 && use.failed == 2 && use.tasks == 3 && use.notUnderstood == 0)
        #expect(use.first?.description == "2026-11-25T03:00:00Z")
        #expect(use.last?.description == "2026-11-25T04:59:21Z")
        #expect(use.lastGranted == use.last)
    }

    @Test("leaves out those who only look whether the agent answers, as verify does")
    func questions() {
        let question = Self.refused("2026-11-25T05:00:00Z", path: "/v2/credentials/")
        #expect(read(question) == CredentialsUse())
        let use = read(Self.granted("2026-11-25T04:00:00Z", task: 1) + question)
        #expect(use.requests == 1 && use.failed == 0 && use.last?.description == "2026-11-25T04:00:00Z")
    }

    @Test("a file whose beginning was left out begins with its first whole line")
    func cut() {
        let text = "0 \"x\" -\n" + Self.granted("2026-11-25T04:00:00Z", task: 1)
        #expect(read(text, isCut: true).notUnderstood == 0)
        #expect(read(text, isCut: true).requests == 1)
        #expect(read(text).notUnderstood == 1)
    }

    @Test("a last line that is being written is no fault, and one that only lacks its end counts")
    func unfinished() {
        #expect(read("2026-11-25T04:00:00Z 200 172.17") == CredentialsUse())
        #expect(read(String(Self.refused("2026-11-25T04:00:00Z").dropLast())).failed == 1)
    }

    @Test(
        "lines that make no sense are counted, and nothing else comes of them",
        arguments: [
            "x", " ", "\"", "\"\"", "2026-11-25T04:00:00Z", "2026-11-25T04:00:00Z 200", "2026-11-25T04:00:00Z 200 a",
            "2026-11-25T04:00:00Z 200 a \"", "2026-11-25T04:00:00Z 200 a \"/x\" \"y\"",
            "2026-11-25T04:00:00Z 200 a \"/x\" \"y\" ", "2026-11-25T04:00:00Z 200 a \"/x\" \"y\" nobody",
            "2026-11-25T04:00:00Z 2000 a \"/x\" \"y\" -", "2026-11-25T04:00:00Z -20 a \"/x\" \"y\" -",
            "2026-11-25T04:00:00Z +20 a \"/x\" \"y\" -", "2026-11-25T04:00:00Z 099 a \"/x\" \"y\" -",
            "yesterday 200 a \"/x\" \"y\" -", "2026-11-25T04:00:00Z 200  \"/x\" \"y\" -", "\u{0}\u{1}\u{1b}[2J",
        ])
    func nonsense(_ line: String) {
        let use = read(line + "\n" + Self.refused("2026-11-25T04:00:00Z"))
        #expect(use.notUnderstood == 1 && use.requests == 1)
    }

    @Test("one line of 50 MB costs no more than a short one, and what follows is read")
    func longLine() {
        var reader = AuditLogReader()
        reader.beginFile(isCut: false)
        let piece = [UInt8](repeating: UInt8(ascii: "\""), count: 1 << 20)
        for _ in 0..<50 { reader.take(piece) }
        reader.take(Array(("\n" + Self.refused("2026-11-25T04:00:00Z")).utf8))
        reader.endFile()
        #expect(reader.result.notUnderstood == 1 && reader.result.requests == 1)
    }

    @Test("every single byte may be anything")
    func bytes() {
        let line = Array(Self.granted("2026-11-25T04:00:00Z", task: 1).utf8)
        for index in line.indices {
            for byte in [0, 0x0a, 0x0d, 0x20, 0x22, 0x2d, 0x7f, 0xff] as [UInt8] {
                var altered = line
                altered[index] = byte
                var reader = AuditLogReader()
                reader.take(altered)
                reader.endFile()
                #expect(reader.result.requests + reader.result.notUnderstood <= 2)
            }
        }
    }

    @Test("tasks are told apart up to a number")
    func manyTasks() {
        let text = (0..<AuditLogReader.mostTasks + 5).map { Self.granted("2026-11-25T04:00:00Z", task: $0) }.joined()
        #expect(read(text).tasks == AuditLogReader.mostTasks)
    }
}
