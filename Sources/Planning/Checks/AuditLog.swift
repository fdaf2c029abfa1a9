package import Model

/// What the agent's audit log tells of the use of credentials.
package struct CredentialsUse: Hashable, Sendable {
    /// Requests for a task's credentials, those that failed among them.
    package var requests = 0
    package var failed = 0
    /// The tasks that asked, as far as the log names them; `AuditLogReader.mostTasks` stands for that many or more.
    package var tasks = 0
    /// Lines that make no sense.
    package var notUnderstood = 0
    /// The first and the last request that was read, and the last that was granted.
    package var first: UnixTime?
    package var last: UnixTime?
    package var lastGranted: UnixTime?

    package init() {}
}

/// Reads audit logs of the agent, a piece after the other. What it keeps is bounded, whatever the log holds.
///
/// A line is `TIME CODE ADDRESS "PATH" "USER AGENT" TASK`, followed by more where the request succeeded.
/// amazon-ecs-agent, `agent/logger/audit`.
package struct AuditLogReader: Sendable {
    /// More tasks than these are not told apart.
    package static let mostTasks = 10_000
    /// A longer line is not understood.
    private static let longestLine = 16384

    private var use = CredentialsUse()
    /// The beginning of a line whose end has not been read yet.
    private var rest: [UInt8] = []
    /// Whether what comes up to the next line break belongs to a line that is left out.
    private var isSkipping = false
    /// The tasks that asked, by the hashes of their names.
    private var tasks: Set<Int> = []

    package init() {}

    /// What was read so far.
    package var result: CredentialsUse {
        var use = use
        use.tasks = tasks.count
        return use
    }

    /// Begins with another file.
    ///
    /// - Parameter isCut: whether the first line may lack its beginning.
    package mutating func beginFile(isCut: Bool) {
        endFile()
        isSkipping = isCut
    }

    /// Ends the last file. A last line without a line break that makes no sense is one that is being written.
    package mutating func endFile() {
        if !rest.isEmpty, let entry = AuditEntry(rest[...]) { count(entry) }
        rest = []
        isSkipping = false
    }

    /// Reads on.
    package mutating func take(_ bytes: [UInt8]) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            take(bytes[start..<(end ?? bytes.endIndex)], isWhole: end != nil)
            start = end.map { $0 + 1 } ?? bytes.endIndex
        }
    }

    private mutating func take(_ part: ArraySlice<UInt8>, isWhole: Bool) {
        if isSkipping {
            if isWhole { isSkipping = false }
        } else if rest.count + part.count > Self.longestLine {
            use.notUnderstood += 1
            rest = []
            isSkipping = !isWhole
        } else if isWhole {
            countLine(rest.isEmpty ? part : (rest + part)[...])
            rest = []
        } else {
            rest += part
        }
    }

    private mutating func countLine(_ line: ArraySlice<UInt8>) {
        if line.isEmpty { return }
        if let entry = AuditEntry(line) { count(entry) } else { use.notUnderstood += 1 }
    }

    private mutating func count(_ entry: AuditEntry) {
        // Somebody who looked whether the agent answers, as verify itself does.
        if entry.asksForNothing { return }
        use.requests += 1
        use.first = min(use.first ?? entry.time, entry.time)
        use.last = max(use.last ?? entry.time, entry.time)
        if entry.isFailed {
            use.failed += 1
        } else {
            use.lastGranted = max(use.lastGranted ?? entry.time, entry.time)
        }
        if let task = entry.task, tasks.count < Self.mostTasks { tasks.insert(task.hashValue) }
    }
}

/// A line of the audit log.
struct AuditEntry {
    let time: UnixTime
    private let code: Int
    private let path: ArraySlice<UInt8>
    /// The task's ARN; nil where the agent did not know which task it was.
    let task: ArraySlice<UInt8>?

    /// HTTP's own classes of failures: RFC 9110, section 15.
    var isFailed: Bool { code >= 400 }

    /// Whether it named no credentials.
    var asksForNothing: Bool { isFailed && task == nil && path.elementsEqual("/v2/credentials/".utf8) }

    /// nil where the line makes no sense.
    init?(_ line: ArraySlice<UInt8>) {
        let (blank, quote) = (UInt8(ascii: " "), UInt8(ascii: "\""))
        var rest = line
        func field() -> ArraySlice<UInt8> {
            let field = rest.prefix { $0 != blank }
            rest = rest[field.endIndex...].dropFirst()
            return field
        }
        guard let time = UnixTime(rfc3339: field()), let code = Self.code(field()), !field().isEmpty,
            // The user agent is what the client sent, blanks and quotation marks too; behind it there are none.
            rest.first == quote, let end = rest.lastIndex(of: quote), end > rest.startIndex
        else { return nil }
        let quoted = rest[(rest.startIndex + 1)...end]
        rest = rest[(end + 1)...]
        guard rest.first == blank else { return nil }
        rest = rest.dropFirst()
        let task = field()
        if task.elementsEqual("-".utf8) {
            self.task = nil
        } else {
            guard task.starts(with: "arn:".utf8) else { return nil }
            self.task = task
        }
        self.time = time
        self.code = code
        path = quoted.prefix { $0 != quote }
    }

    private static func code(_ field: ArraySlice<UInt8>) -> Int? {
        guard field.count == 3, let code = Int(String(decoding: field, as: UTF8.self)), code >= 100 else { return nil }
        return code
    }
}
