import Dispatch
import Glibc
import Model
import Synchronization
import TestSupport
import Testing

@testable import Host

@Suite("Changing files in which others write")
struct FileChangingTests {
    private static let path = "/etc/file"
    private static let temporary = path + FileTree.temporarySuffix
    private static let trace = path + Location.traceSuffix
    private static let before = "A=1\nB=2\n"
    private static let after = "A=1\nB=3\nC=4\n"
    private let root: FixtureRoot
    private var files: FileTree { root.host.files }

    init() throws {
        root = try FixtureRoot()
        try root.makeFolder("/etc")
    }

    private func change(from before: String?, to after: String?) throws(Failure) {
        try files.change(
            Self.path, from: before.map { Array($0.utf8) }, to: after.map { FileContents(text: $0, mode: 0o640) })
    }

    @Test(
        "is done where the file holds what was expected", arguments: [before, nil, ""] as [String?],
        [after, nil, "", "D"] as [String?])
    func undisturbed(_ before: String?, _ after: String?) throws {
        if let before { try root.write(before, to: Self.path) }
        try change(from: before, to: after)
        #expect(root.read(Self.path) == after)
        #expect(root.list("/etc") == (after == nil ? [] : ["file"]))
    }

    /// What a file may hold, and is not, or is lines more than, what a change expects.
    struct Surprise: Sendable, CustomTestStringConvertible {
        let found: String?
        let before: String?
        var after: String? = FileChangingTests.after
        /// What it holds then; nil where the change is refused.
        var merged: String?
        var testDescription: String { "\(found ?? "nothing") for \(before ?? "nothing") to \(after ?? "nothing")" }
    }

    @Test(
        "lines that were added go with it, and everything else that is found is left as it is",
        arguments: [
            Surprise(found: before + "X=9\n", before: before, merged: after + "X=9\n"),
            Surprise(found: before + "X=9\nY=8\n", before: before, merged: after + "X=9\nY=8\n"),
            Surprise(found: "X=9\n", before: "", merged: after + "X=9\n"),
            // Onto a file whose last line has no end.
            Surprise(found: before + "X=9\n", before: before, after: "A", merged: "A\nX=9\n"),
            // Somebody is in the middle of a line.
            Surprise(found: before + "X=", before: before), Surprise(found: "A=1\n", before: "A="),
            Surprise(found: "A=1\n", before: before), Surprise(found: "A=0\nB=2\n", before: before),
            Surprise(found: "", before: before), Surprise(found: nil, before: before),
            Surprise(found: "X=9\n", before: nil), Surprise(found: "", before: nil),
            // What is to be removed.
            Surprise(found: before + "X=9\n", before: before, after: nil),
        ])
    func surprised(_ surprise: Surprise) throws {
        if let found = surprise.found { try root.write(found, to: Self.path) }
        if let merged = surprise.merged {
            try change(from: surprise.before, to: surprise.after)
            #expect(root.read(Self.path) == merged)
        } else {
            let failure = try #require(throws: Failure.self) {
                try change(from: surprise.before, to: surprise.after)
            }
            #expect(failure.kind == .concurrentChange)
            #expect(failure.description.contains(Self.path))
            #expect(root.read(Self.path) == surprise.found)
        }
        #expect(root.list("/etc") == (root.exists(Self.path) ? ["file"] : []))
    }

    @Test("a link to a file is followed, and stays")
    func link() throws {
        try root.write(Self.before, to: "/opt/real")
        try root.makeLink(Self.path, to: "/opt/real")
        try change(from: Self.before, to: Self.after)
        #expect(root.read("/opt/real") == Self.after)
        #expect(try files.linkTarget(Self.path) == "/opt/real")
        #expect(root.list("/opt") == ["real"] && root.list("/etc") == ["file"])
    }

    @Test("a file that is not there is not made in a folder that is not there", arguments: [nil, "A\n"])
    func noFolder(_ before: String?) throws {
        let failure = try #require(throws: Failure.self) {
            try files.change(
                "/missing/file", from: before.map { Array($0.utf8) }, to: FileContents(text: "B\n", mode: 0o600))
        }
        #expect(failure.description.contains("/missing/file"))
    }

    /// What a run that was killed left behind.
    struct Leftover: Sendable, CustomTestStringConvertible {
        let when: String
        /// At the temporary name.
        let left: String?
        let found: String?
        var after: String? = FileChangingTests.after
        /// What the file holds when it was seen to.
        let end: String?
        /// What is kept beside it.
        var kept: String?
        var testDescription: String { when }
    }

    @Test(
        "what a run that was killed left is taken away, but nothing that somebody else wrote",
        arguments: [
            Leftover(when: "before the exchange", left: after, found: before, end: before),
            Leftover(when: "before it, and added to", left: after, found: before + "X\n", end: before + "X\n"),
            Leftover(when: "after the exchange", left: before, found: after, end: after),
            Leftover(when: "after it, and added to", left: before, found: after + "X\n", end: after + "X\n"),
            Leftover(when: "lines are displaced", left: before + "X\n", found: after, end: after + "X\n"),
            Leftover(when: "and put back already", left: before + "X\n", found: after + "X\n", end: after + "X\n"),
            Leftover(when: "and others added", left: before + "X\n", found: after + "Y\n", end: after + "Y\nX\n"),
            Leftover(
                when: "put back already, and others added", left: before + "X\n", found: after + "X\nY\n",
                end: after + "X\nY\n"),
            Leftover(
                when: "put back, and lines are displaced", left: after + "X\n", found: before, end: before + "X\n"),
            Leftover(when: "another file is displaced", left: "X\n", found: after, end: "X\n"),
            Leftover(when: "half a line is displaced", left: before + "X", found: after, end: before + "X"),
            Leftover(when: "two others", left: "X\n", found: "Y\n", end: "Y\n", kept: "X\n"),
            Leftover(when: "after the end", left: nil, found: after, end: after),
            Leftover(when: "removed", left: before, found: nil, after: nil, end: nil),
            Leftover(when: "removed, and added to", left: before + "X\n", found: nil, after: nil, end: before + "X\n"),
            Leftover(when: "removed, and changed", left: "X\n", found: nil, after: nil, end: "X\n"),
            Leftover(when: "removed and made anew", left: before, found: "Y\n", after: nil, end: "Y\n"),
            Leftover(
                when: "removed, added to and made anew", left: before + "X\n", found: "Y\n", after: nil, end: "Y\nX\n"),
            Leftover(
                when: "removed, changed and made anew", left: "X\n", found: "Y\n", after: nil, end: "Y\n", kept: "X\n"),
        ])
    func leftover(_ leftover: Leftover) throws {
        let trace = ChangeTrace(
            before: .init(Self.before.utf8), after: leftover.after.map { .init($0.utf8) })
        try root.makeLink(Self.trace, to: trace.text)
        if let left = leftover.left { try root.write(left, to: Self.temporary) }
        if let found = leftover.found { try root.write(found, to: Self.path) }
        let kept = "/etc/file.kept-by-ecs-netsetup-1"
        if leftover.kept == nil {
            try files.removeLeftover(of: Self.path)
        } else {
            let failure = try #require(throws: Failure.self) { try files.removeLeftover(of: Self.path) }
            #expect(failure.kind == .trouble && failure.description.contains(kept))
        }
        try files.removeLeftover(of: Self.path)
        #expect(root.read(Self.path) == leftover.end)
        #expect(root.read(kept) == leftover.kept)
        #expect(root.list("/etc").count == (leftover.end == nil ? 0 : 1) + (leftover.kept == nil ? 0 : 1))
    }

    @Test(
        "a trace that makes no sense is taken away with what stands beside it", arguments: ["", "x", "1 2 3", "-1 0"])
    func nonsense(_ text: String) throws {
        #expect(ChangeTrace(Array(text.utf8)) == nil)
        try root.write(Self.before, to: Self.path)
        if !text.isEmpty { try root.makeLink(Self.trace, to: text) }
        try root.write("X\n", to: Self.temporary)
        try files.removeLeftover(of: Self.path)
        #expect(root.list("/etc") == ["file"])
        #expect(root.read(Self.path) == Self.before)
    }

    @Test(
        "a folder where something stands beside the file is told and stays, as does the file",
        arguments: [Self.temporary, Self.trace])
    func plantedFolder(_ place: String) throws {
        try root.write(Self.before, to: Self.path)
        try root.makeFolder(place)
        let failure = try #require(throws: Failure.self) { try change(from: Self.before, to: Self.after) }
        #expect(failure.source == root.path + place)
        #expect(root.read(Self.path) == Self.before)
        #expect(root.list("/etc").count == 2)
    }

    @Test("what somebody linked to the temporary name is not taken for a file that stood here")
    func plantedLink() throws {
        try root.write("secret\n", to: "/etc/secret")
        try root.write("", to: Self.path)
        #expect(Glibc.link(root.path + "/etc/secret", root.path + Self.temporary) == 0)
        let trace = ChangeTrace(before: .init("".utf8), after: nil)
        try root.makeLink(Self.trace, to: trace.text)
        try files.removeLeftover(of: Self.path)
        #expect(root.read(Self.path) == "" && root.read("/etc/secret") == "secret\n")
        #expect(root.list("/etc").count == 2)
    }

    @Test("a trace is read as it was written")
    func traceText() {
        for after in [Self.after, "", nil] {
            let trace = ChangeTrace(before: .init(Self.before.utf8), after: after.map { .init($0.utf8) })
            #expect(ChangeTrace(Array(trace.text.utf8)) == trace)
        }
    }

    @Test("no line is lost that somebody adds meanwhile, also to the file that goes", arguments: [0, 300])
    func storm(_ pause: UInt32) throws {
        try root.write("start\n", to: Self.path)
        let place = root.path + Self.path
        let mustEnd = Atomic(false)
        let added = Atomic(0)
        let other = DispatchGroup()
        DispatchQueue.global().async(group: other) {
            // Not more than the file may hold.
            while !mustEnd.load(ordering: .acquiring), added.load(ordering: .relaxed) < 4000 {
                if Self.add("line \(added.load(ordering: .relaxed))\n", to: place, pause) {
                    added.add(1, ordering: .releasing)
                }
                usleep(1000)
            }
        }
        while added.load(ordering: .acquiring) == 0 { usleep(100) }
        let newline = UInt8(ascii: "\n")
        var (changes, refused) = (0, 0)
        for round in 0..<Sanitizer.fewer(400) {
            // A line of ours at the head, as others add theirs at the end.
            let now = try #require(try files.read(Self.path)).text
            let rest = now.hasPrefix("ours") ? String(Substring(now.utf8.drop { $0 != newline }.dropFirst())) : now
            do throws(Failure) {
                try change(from: now, to: round % 2 == 0 ? "ours \(round)\n\(rest)" : rest)
                changes += 1
            } catch {
                #expect(error.kind == .concurrentChange)
                refused += 1
            }
        }
        mustEnd.store(true, ordering: .releasing)
        other.wait()
        let count = added.load(ordering: .acquiring)
        let lines = try #require(root.read(Self.path)).split(separator: "\n")
        let found = Set(lines)
        let lost = (0..<count).filter { !found.contains("line \($0)") }
        print(
            "\(count) lines added by another thread during \(changes) changes, \(refused) refused: \(lost.count) lost")
        #expect(lost == [])
        #expect(lines.count(where: { $0.hasPrefix("line ") }) == count, "none is there twice")
        #expect(changes > 0 && count > 50)
        #expect(root.list("/etc") == ["file"])
    }

    /// Adds a line to a file as `echo >>` does.
    ///
    /// - Parameter pause: how long the file is open before the line is written, in microseconds.
    /// - Returns: whether it did.
    private static func add(_ line: String, to path: String, _ pause: UInt32) -> Bool {
        let file = unsafe open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        usleep(pause)
        let bytes = Array(line.utf8)
        return unsafe write(file, bytes, bytes.count) == bytes.count
    }
}
