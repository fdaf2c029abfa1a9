import Model
import Planning

/// The settings of `/etc/ecs-netsetup.conf`: an option a line, its name in capitals.
struct SettingsFile {
    /// A line with its option.
    struct Entry {
        fileprivate let option: Option
        fileprivate let key: String
        fileprivate let value: String
        /// File and line, for messages.
        fileprivate let place: String

        /// - Throws: a usage failure that begins with the file and the line.
        func apply(to request: inout Request) throws(Failure) {
            do throws(Failure) {
                try option.take(&request, value)
            } catch {
                // Told of the option on a command line; here it is a key.
                let name = "--\(option.name)"
                let what = error.subject.hasPrefix(name) ? key + error.subject.dropFirst(name.count) : error.subject
                throw .usage("\(place): \(what)", advice: error.advice)
            }
        }
    }

    private(set) var entries: [Entry] = []

    /// Reads a settings file. Of a key that is set more than once, the last line counts.
    ///
    /// - Parameters:
    ///   - contents: the file's text.
    ///   - path: what to call it in messages.
    /// - Throws: a usage failure that names the first line that makes no sense.
    init(_ contents: FileContents, path: String) throws(Failure) {
        let file = AssignmentFile(contents.bytes)
        if let stranger = file.strangers.first {
            throw .usage(
                "\(path):\(stranger.number): '\(stranger.line.prefix(60))' is no KEY=value",
                advice: "write a comment with # before it, or take the line out")
        }
        for assignment in file.assignments {
            let place = "\(path):\(assignment.number)"
            guard let option = CommandTable.options.first(where: { $0.settingsKey == assignment.key }) else {
                let known = CommandTable.options.compactMap(\.settingsKey)
                throw .usage(
                    "\(place): unknown key '\(assignment.key)'",
                    advice: Suggestion.text(for: assignment.key, among: known)
                        ?? "it takes: \(known.joined(separator: ", "))")
            }
            if assignment.value.isEmpty {
                throw .usage("\(place): \(assignment.key) has an empty value", advice: option.summary)
            }
            entries.append(Entry(option: option, key: assignment.key, value: assignment.value, place: place))
            // Checked line by line: also one that a later line overrides.
            var scratch = Request()
            try entries[entries.count - 1].apply(to: &scratch)
        }
    }
}
