package import Model

/// What this program changed on disk, so that it can be taken back exactly. Written before each change.
package struct Record: Hashable, Sendable {
    /// How a file came to be as it is.
    enum Origin: String {
        /// There was none.
        case created
        /// It was there, and keeps what is in it.
        case kept
        /// It was there with contents of somebody else, which stand beside it since.
        case setAside = "set-aside"
    }

    /// A value that was set in a file of assignments.
    struct Key: Hashable {
        let name: String
        /// The whole lines that were written last, the newest first: the one before it may still be in the file, where
        /// this program was killed in between.
        let written: [String]
        /// The whole line that stood there before; nil where the key was not set.
        let earlier: [UInt8]?
    }

    enum Treatment: Hashable {
        /// A file that is all ours, with the digests of what was written last, the newest first, as above.
        case whole(digests: [String])
        /// Single values in a file of assignments.
        ///
        /// - Parameter unbrokenLine: the file's last line, where it got a line break that it did not have.
        case assignments([Key], unbrokenLine: [UInt8]?)
        /// Our rules in a rules file.
        case rules
    }

    struct File: Hashable {
        let path: String
        let origin: Origin
        let treatment: Treatment

        /// This and the keys that another knows besides: they are taken back when the file is written, not before.
        func including(_ other: File) -> File {
            guard case .assignments(let keys, let unbroken) = treatment,
                case .assignments(let others, let otherUnbroken) = other.treatment
            else { return self }
            let besides = others.filter { other in !keys.contains { $0.name == other.name } }
            return File(
                path: path, origin: origin,
                treatment: .assignments(keys + besides, unbrokenLine: unbroken ?? otherUnbroken))
        }
    }

    struct Service: Hashable {
        let name: String
        let manager: ServiceManager
    }

    var files: [File] = []
    /// Folders that were made, outer ones first.
    package internal(set) var folders: [String] = []
    /// Services that were enabled and were not before.
    var services: [Service] = []

    package init() {}

    package var isEmpty: Bool { files.isEmpty && folders.isEmpty && services.isEmpty }

    /// This and what another says of other things: what may be on disk while one follows the other.
    package func including(_ other: Record) -> Record {
        var all = self
        all.files = files.map { file in other.file(file.path).map { file.including($0) } ?? file }
        all.files += other.files.filter { file($0.path) == nil }
        all.folders += other.folders.filter { !folders.contains($0) }
        all.services += other.services.filter { !services.contains($0) }
        return all
    }

    /// Whether it tells of a file of ours that sets the kernel parameter at boot.
    package var raisesRouteLocalnet: Bool { file(HostPath.sysctl) != nil }

    func file(_ path: String) -> File? { files.first { $0.path == path } }

    /// The paths of all files in it.
    package var paths: [String] { files.map(\.path) }

    /// What was written last, put before what was written before that.
    static func newest<Value: Equatable>(_ value: Value, before earlier: [Value]) -> [Value] {
        [value] + earlier.filter { $0 != value }.prefix(1)
    }

    /// Identifies a file's contents, as 16 hexadecimal digits.
    package static func digest(_ bytes: [UInt8]) -> String {
        String(hexadecimal: Digest.of(bytes), digits: 16)
    }
}

extension Record {
    /// Raised when an older program could not read it any more.
    private static let version = "version\t1"
    private static let header =
        "# What ecs-netsetup apply changed in files. ecs-netsetup remove needs it; do not edit or delete.\n"

    /// The text that is stored.
    package var text: String {
        var lines = [Self.version]
        lines += folders.map { Self.join(["folder", $0]) }
        lines += services.map { Self.join(["service", $0.manager.rawValue, $0.name]) }
        for file in files {
            switch file.treatment {
            case .whole(let digests): lines.append(Self.join(["whole", file.path, file.origin.rawValue] + digests))
            case .rules: lines.append(Self.join(["rules", file.path, file.origin.rawValue]))
            case .assignments(let keys, let unbroken):
                lines.append(Self.join(["assignments", file.path, file.origin.rawValue]))
                if let unbroken { lines.append(Self.join(["unbroken"]) + "\t" + Self.escape(unbroken)) }
                for key in keys {
                    lines.append(Self.join(["key", key.name] + key.written))
                    if let earlier = key.earlier { lines.append(Self.join(["earlier"]) + "\t" + Self.escape(earlier)) }
                }
            }
        }
        return Self.header + lines.map { $0 + "\n" }.joined()
    }

    /// Reads what `text` wrote.
    ///
    /// - Throws: `Failure` with the line that makes no sense.
    package init(text: String, path: String) throws(Failure) {
        self.init()
        func damaged(_ line: Int) -> Failure {
            Failure(
                .trouble, "the record of what was changed is damaged in line \(line)", source: path,
                advice: "restore it from a backup, or delete it: what is in files is then left as it is")
        }
        var isVersioned = false
        // Not by characters: to Swift, a line feed after a carriage return is none.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Substring.init)
        for (index, line) in lines.enumerated() {
            if line.isEmpty || line.begins(with: "#") { continue }
            if line == Self.version {
                isVersioned = true
            } else if !isVersioned, line.begins(with: "v") {
                throw Failure(
                    .trouble, "the record of what was changed was written by another version of ecs-netsetup",
                    source: path,
                    advice: "use that version")
            } else if !isVersioned || !take(line.split(separator: "\t", omittingEmptySubsequences: false)) {
                throw damaged(index + 1)
            }
        }
        if !isVersioned { throw damaged(lines.count) }
    }

    private mutating func take(_ fields: [Substring]) -> Bool {
        let bytes = fields.map(Self.unescape)
        let words = bytes.map { String(decoding: $0, as: UTF8.self) }
        switch (words[0], words.count) {
        case ("folder", 2): folders.append(words[1])
        case ("service", 3):
            guard let manager = ServiceManager(rawValue: words[1]) else { return false }
            services.append(Service(name: words[2], manager: manager))
        case ("whole", 4...): return add(words, .whole(digests: Array(words[3...])))
        case ("rules", 3): return add(words, .rules)
        case ("assignments", 3): return add(words, .assignments([], unbrokenLine: nil))
        case ("unbroken", 2):
            return amend { keys, unbroken in unbroken = bytes[1] }
        case ("key", 3...):
            let key = Key(name: words[1], written: Array(words[2...]), earlier: nil)
            return amend { keys, unbroken in keys.append(key) }
        case ("earlier", 2):
            return amend { keys, unbroken in
                guard let key = keys.popLast() else { return }
                keys.append(Key(name: key.name, written: key.written, earlier: bytes[1]))
            }
        default: return false
        }
        return true
    }

    private mutating func add(_ words: [String], _ treatment: Treatment) -> Bool {
        guard let origin = Origin(rawValue: words[2]), words[1].begins(with: "/") else { return false }
        files.append(File(path: words[1], origin: origin, treatment: treatment))
        return true
    }

    /// Changes the file of assignments that was read last.
    private mutating func amend(_ change: (inout [Key], inout [UInt8]?) -> Void) -> Bool {
        guard let file = files.last, case .assignments(var keys, var unbroken) = file.treatment else { return false }
        change(&keys, &unbroken)
        files[files.count - 1] = File(
            path: file.path, origin: file.origin, treatment: .assignments(keys, unbrokenLine: unbroken))
        return true
    }

    private static func join(_ words: [String]) -> String {
        words.map { escape(Array($0.utf8)) }.joined(separator: "\t")
    }

    private static let backslash = UInt8(ascii: "\\")

    /// Printable ASCII as it is, everything else and the backslash as `\` and two hexadecimal digits.
    private static func escape(_ bytes: [UInt8]) -> String {
        var text = ""
        for byte in bytes {
            if (0x20..<0x7f).contains(byte), byte != backslash {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "\\" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }

    private static func unescape(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == backslash, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
