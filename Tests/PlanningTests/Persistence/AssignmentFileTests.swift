import Testing

@testable import Planning

@Suite("Lines KEY=value")
struct AssignmentFileTests {
    private func file(_ text: String) -> AssignmentFile { AssignmentFile(Array(text.utf8)) }

    @Test("comments, empty lines and lines without an equals sign are no assignments")
    func others() {
        let this = file("# A=1\n ; B=2\n\nC\n\t# D=4\r\n#\u{fe0f}\u{20e3} E=5\n;\u{301}F=6\nG=7\n")
        #expect(this.assignments.map(\.key) == ["G"])
        #expect(this.assignments.map(\.number) == [8])
        #expect(this.strangers.map(\.number) == [4])
        #expect(this.strangers.map(\.line) == ["C"])
    }

    /// A line, what is read from it, and whether everybody reads the same.
    struct Line: CustomTestStringConvertible {
        let line: String
        let key: String
        let value: String
        let isBare: Bool
        init(_ line: String, _ key: String, _ value: String, isBare: Bool) {
            (self.line, self.key, self.value, self.isBare) = (line, key, value, isBare)
        }
        var testDescription: String { line }
    }

    static let lines = [
        Line("A=1", "A", "1", isBare: true),
        Line("  A=1  ", "A", "1", isBare: true),
        Line("A=1\r", "A", "1", isBare: true),
        Line("A =1", "A", "1", isBare: false),
        Line("A= 1", "A", "1", isBare: false),
        Line("A\t=\t1", "A", "1", isBare: false),
        Line("A=\"1\"", "A", "\"1\"", isBare: false),
        Line("A='1'", "A", "'1'", isBare: false),
        Line("A=", "A", "", isBare: true),
        Line("=", "", "", isBare: true),
        Line("A=b=c", "A", "b=c", isBare: true),
        Line("A=\u{301}", "A", "\u{301}", isBare: true),
    ]

    @Test("a line is read as systemd and ecs-init read it", arguments: lines)
    func line(_ this: Line) throws {
        let assignment = try #require(file(this.line + "\n").assignments.first)
        #expect(assignment.key == this.key)
        #expect(assignment.value == this.value)
        #expect(assignment.isBare == this.isBare)
    }

    @Test("a key that only looks the same is another key")
    func kelvin() {
        // U+212A, the sign of the unit kelvin, is canonically equivalent to the letter K.
        #expect(file("ECS_ENABLE_TAS\u{212a}_IAM_ROLE=true\n").last("ECS_ENABLE_TASK_IAM_ROLE") == nil)
    }

    @Test("every byte is kept", arguments: ["", "\n", "A=1", "A=1\n\n", "\r\nA = 1 \r\n", "\n\nx"])
    func bytes(_ text: String) {
        #expect(file(text).bytes == Array(text.utf8))
        var this = file(text)
        this.append("B=2")
        #expect(this.assignments.last?.key == "B")
        #expect(String(decoding: this.bytes, as: UTF8.self).hasPrefix(text))
        this.remove(line: this.assignments.last?.number ?? 0)
        if !file(text).endsWithLineBreak { this.dropLastLineBreak() }
        #expect(this.bytes == Array(text.utf8))
    }
}
