import Glibc
import Laboratory
import TestSupport
import Testing

extension Live {
    /// Whatever call on an image's files fails, and wherever the program is killed: every file is whole, and the next
    /// run goes on from there.
    @Suite struct InterruptionTests {
        /// What is interrupted.
        enum Walk: String, CaseIterable, CustomTestStringConvertible {
            case first = "apply --mode bridge,awsvpc"
            case second = "apply --mode host"
            case remove

            var testDescription: String { rawValue }

            func arguments(_ mechanism: String) -> [String] {
                let words = rawValue.split(separator: " ").map(String.init)
                return self == .first ? words + ["--persist", mechanism] : words
            }
        }

        /// A call that changes something in the image.
        struct Call: CustomStringConvertible {
            let name: String
            /// Which of the calls of that name in the whole run, from 1.
            let number: Int
            /// The file or folder that it is about, as a message has to name it.
            let path: String
            let line: String

            var description: String { "\(name) \(number) of \(path)" }

            /// Takes away what an interrupted run left, which need not be there.
            var isCleaning: Bool { name == "unlinkat" && line.contains(Call.temporarySuffix) }

            static let temporarySuffix = ".ecs-netsetup-new"
        }

        private static let names = [
            "write", "openat", "unlinkat", "mkdirat", "?rename", "renameat", "renameat2", "symlinkat", "fsync",
            "fchmod",
            "fchown",
        ]

        /// The calls of a run that nothing interrupts.
        private func calls(_ image: InterruptedImage, _ arguments: [String]) throws -> [Call] {
            let (result, lines) = try image.trace(["-e", "trace=\(Self.names.joined(separator: ","))"], arguments)
            try #require(result.status == 0, "\(result.errors)")
            var counts: [Substring: Int] = [:]
            return lines.compactMap { line in
                let name = line.prefix { $0 != "(" }
                counts[name, default: 0] += 1
                guard let start = line.firstRange(of: image.tree)?.lowerBound else { return nil }
                if name == "openat", !line.contains("O_CREAT") { return nil }
                // `renameat(3</folder>, "name", …`, `symlinkat("target", 3</folder>, "name")`, `write(3</folder/name>, …`
                var path = String(line[start...].prefix { $0 != ">" })
                let words = line.split(separator: "\"", omittingEmptySubsequences: false)
                if words.count > 1, name != "write" { path += "/" + words[name == "symlinkat" ? 3 : 1] }
                if path.hasSuffix(Call.temporarySuffix) { path.removeLast(Call.temporarySuffix.count) }
                return Call(name: String(name), number: counts[name] ?? 0, path: path, line: String(line))
            }
        }

        @Test("by a kill or an error at every call", arguments: ["iptables-services", "systemd"], Walk.allCases)
        func everyCall(_ mechanism: String, _ walk: Walk) throws {
            let image = try InterruptedImage()
            if walk != .first { try image.require(Walk.first.arguments(mechanism)) }
            let before = try image.now
            let calls = try calls(image, walk.arguments(mechanism))
            let after = try image.now
            var scene = Scene(image: image, mechanism: mechanism, walk: walk, before: before, after: after)
            try #require(before != after)
            let errors = ["ENOSPC", "EIO", "EROFS"]
            let every = calls.enumerated().filter { $0.offset % Sanitizer.stride == 0 }
            for (index, call) in every {
                try scene.kill(at: call)
                try scene.fail(at: call, with: errors[index % errors.count])
            }
            let kinds = Dictionary(grouping: calls, by: \.name)
            var lasting = 0
            for (index, call) in kinds.values.flatMap({ $0.enumerated().filter { $0.offset % 4 == 0 } }).enumerated() {
                try scene.failFromNowOn(at: call.element, with: errors[index % errors.count])
                lasting += 1
            }
            print(
                "\(mechanism), \(walk.rawValue): at \(every.count) of \(calls.count) calls a kill and one of",
                "\(errors.joined(separator: ", ")) in turn, at a sample of \(lasting) an error that lasts;",
                "calls of \(kinds.keys.sorted().joined(separator: ", "))")
        }

        @Test(
            "systemctl fails or is killed: it is told and undone", .enabled(if: Self.hasSystemctl, "needs systemctl"),
            arguments: [Walk.first, .remove])
        func systemctl(_ walk: Walk) throws {
            let image = try InterruptedImage()
            let original = try image.now
            try image.require(Walk.first.arguments("systemd"))
            let applied = try image.now
            let (before, after) = walk == .first ? (original, applied) : (applied, original)
            let scene = Scene(image: image, mechanism: "systemd", walk: walk, before: before, after: after)
            let links = Self.links(in: applied)
            for (index, link) in links.enumerated() {
                try scene.failSystemctl(at: link, "signal=KILL")
                try scene.failSystemctl(at: link, index % 2 == 0 ? "error=ENOSPC" : "error=EROFS")
            }
            print(
                "systemctl, \(walk.rawValue): at each of \(links.count) links a kill and one of ENOSPC, EROFS in turn")
        }

        /// The links that enable our unit.
        private static func links(in tree: TreeSnapshot) -> [String] {
            tree.entries.keys.filter { $0.hasSuffix(".wants/ecs-netsetup.service") }.sorted()
        }

        private static let hasSystemctl = unsafe access("/usr/bin/systemctl", X_OK) == 0

        @Test(
            "systemctl is not led out of the image by a link in it, and what was done is undone",
            .enabled(if: Self.hasSystemctl, "needs systemctl"))
        func linkOut() throws {
            let image = try InterruptedImage()
            let outside = try FixtureRoot()
            let link = image.tree + "/etc/systemd/system/docker.service.wants"
            guard unsafe symlink(outside.path, link) == 0 else { throw LaboratoryError("symlink \(link) failed") }
            let before = try image.now
            let result = try image.netsetup(Walk.first.arguments("systemd"))
            #expect(result.status == 2)
            #expect(result.errors.contains("\(link); "), "\(result.errors)")
            #expect(result.errors.contains("was undone"), "\(result.errors)")
            #expect(before.differences(to: try image.now) == [])
            #expect(outside.list("") == [])
        }

        @Test(
            "where the machine stopped while systemctl made links, the next run makes the others",
            .enabled(if: Self.hasSystemctl, "needs systemctl"))
        func someLinks() throws {
            let image = try InterruptedImage()
            let apply = Walk.first.arguments("systemd")
            try image.require(apply)
            let after = try image.now
            let links = Self.links(in: after)
            #expect(links.count == 8)
            for link in links {
                guard unsafe unlink(image.tree + link) == 0 else { throw LaboratoryError("unlink \(link) failed") }
                #expect(try image.netsetup(["verify"]).status == 1)
                try image.require(apply)
                #expect(try after.differences(to: image.now) == [])
            }
            // Where few of them are there, they are taken back all the same.
            for link in links.dropFirst() { _ = unsafe unlink(image.tree + link) }
            try image.require(["remove"])
            let left = image.original.differences(to: try image.now).filter { !$0.contains(".wants: is there now") }
            #expect(left == [])
        }
    }
}

/// One command on one image, to be interrupted again and again.
private struct Scene {
    let image: InterruptedImage
    let mechanism: String
    let walk: Live.InterruptionTests.Walk
    let before: TreeSnapshot
    let after: TreeSnapshot

    /// Trees that the next runs were seen to go on from.
    private var recovered: Set<TreeSnapshot> = []

    init(
        image: InterruptedImage, mechanism: String, walk: Live.InterruptionTests.Walk, before: TreeSnapshot,
        after: TreeSnapshot
    ) {
        self.image = image
        self.mechanism = mechanism
        self.walk = walk
        self.before = before
        self.after = after
    }

    private typealias Call = Live.InterruptionTests.Call

    private var arguments: [String] { walk.arguments(mechanism) }

    /// Runs the command with something done to it at a call.
    private func interrupt(
        at call: Call, _ fault: String, isLasting: Bool = false
    ) throws -> ProgramResult {
        try before.restore(to: image.tree)
        let when = "\(call.number)\(isLasting ? "+" : "")"
        let inject = ["-e", "trace=\(call.name)", "-e", "inject=\(call.name):\(fault):when=\(when)"]
        // Four times as fast, but strace injects no signals then, and it follows systemctl, which is not meant here.
        let isFast = mechanism != "systemd" && fault.hasPrefix("error")
        let options = isFast ? ["-f", "--seccomp-bpf"] : []
        let (result, lines) = try image.trace(options + inject, arguments)
        try #require(lines.contains(where: Self.isHit), "nothing was injected at \(call)")
        return result
    }

    mutating func kill(at call: Live.InterruptionTests.Call) throws {
        let result = try interrupt(at: call, "signal=KILL")
        #expect(result.status == 128 + SIGKILL)
        let killed = try image.now
        // As after a kill at an earlier call.
        guard recovered.insert(killed).inserted else { return }
        expectWhole(killed, "killed at \(call)")
        // Nobody need run apply again before taking everything back.
        try expectRemoval("killed at \(call), then removed")
        try killed.restore(to: image.tree)
        try expectRecovery("killed at \(call)")
    }

    func fail(at call: Live.InterruptionTests.Call, with error: String) throws {
        let result = try interrupt(at: call, "error=\(error)")
        let now = try image.now
        expectWhole(now, "\(error) at \(call)")
        if call.isCleaning, result.status == 0 { return expectSame(after, now, "\(error) at \(call)") }
        #expect(result.errors.contains(call.path), "\(error) at \(call): \(result.errors)")
        try expectUndone(result, "\(error) at \(call)")
    }

    /// The disk is full or broken from a call on, also while what was done is being undone.
    func failFromNowOn(at call: Live.InterruptionTests.Call, with error: String) throws {
        let result = try interrupt(at: call, "error=\(error)", isLasting: true)
        let comment = "\(error) from \(call) on"
        expectWhole(try image.now, comment)
        if result.status == 0, call.name == "unlinkat" { return expectSame(after, try image.now, comment) }
        // What is told cannot be read where nothing can be written.
        #expect(result.status == 2, "\(comment): \(result.errors)")
        try expectRecovery(comment)
    }

    /// systemctl fails or is killed when it makes a link, or removes it.
    func failSystemctl(at link: String, _ fault: String) throws {
        try before.restore(to: image.tree)
        let path = image.tree + link
        // Where this program makes no such calls.
        let filter = ["-f", "-P", path, "-P", String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex))]
        let names = walk == .remove ? "unlinkat" : "?symlink,symlinkat"
        let inject = ["-e", "trace=\(names)", "-e", "inject=\(names):\(fault):when=1"]
        let (result, lines) = try image.trace(filter + inject, arguments)
        let comment = "systemctl, \(fault) at \(link)"
        try #require(lines.contains(where: Self.isHit), "\(comment): nothing was injected")
        #expect(result.errors.contains("systemctl --root=\(image.tree)"), "\(comment): \(result.errors)")
        if fault.hasPrefix("error") { #expect(result.errors.contains("Failed to "), "\(comment): \(result.errors)") }
        try expectUndone(result, comment)
    }

    /// Whether a line of strace's is about a fault.
    private static func isHit(_ line: Substring) -> Bool {
        line.contains("(INJECTED)") || line.contains("killed by SIGKILL")
    }

    /// The status and the message say that it failed, and the image is as it was, unless the message says otherwise.
    private func expectUndone(_ result: ProgramResult, _ comment: String) throws {
        #expect(result.status == 2, "\(comment)")
        if result.errors.contains("undoing failed too") { return try expectRecovery(comment) }
        let isTold = ["was undone", "nothing was changed"].contains(where: result.errors.contains)
        #expect(isTold, "\(comment): \(result.errors)")
        expectSame(before, try image.now, "\(comment): \(result.errors)")
    }

    private static let record = "/var/lib/ecs-netsetup/record"

    /// Every file is as it was or as it becomes, with its mode. What we call a file that is being written is nobody's.
    private func expectWhole(_ now: TreeSnapshot, _ comment: String) {
        for (path, entry) in now.entries where !path.hasSuffix(Call.temporarySuffix) && path != Self.record {
            #expect([before.entries[path], after.entries[path]].contains(entry), "\(comment): \(path): \(entry)")
        }
        for path in before.entries.keys where after.entries[path] != nil {
            #expect(now.entries[path] != nil, "\(comment): \(path) is gone")
        }
        if let record = now.entries[Self.record] {
            #expect(record.contents.last == UInt8(ascii: "\n") && record.mode == S_IFREG | 0o600, "\(comment)")
        }
    }

    /// The next run needs no help, and the one after it has nothing to do.
    private func expectRecovery(_ comment: String) throws {
        let again = walk == .remove ? Live.InterruptionTests.Walk.first.arguments(mechanism) : arguments
        let applied = try image.netsetup(again)
        #expect(applied.status == 0, "\(comment): \(applied.errors)")
        let second = try image.netsetup(again)
        #expect(second.status == 0 && second.output.contains("nothing to do"), "\(comment): \(second.output)")
        let verified = try image.netsetup(["verify"])
        #expect(verified.status == 0, "\(comment): \(verified.output)\(verified.errors)")
        if walk != .remove { expectSame(after, try image.now, comment) }
        try expectRemoval(comment)
    }

    /// Everything goes back to what it was, byte for byte.
    private func expectRemoval(_ comment: String) throws {
        let removed = try image.netsetup(["remove"])
        #expect(removed.status == 0, "\(comment): \(removed.errors)")
        expectSame(image.original, try image.now, "\(comment): \(removed.output)\(removed.errors)")
    }

    private func expectSame(_ expected: TreeSnapshot, _ now: TreeSnapshot, _ comment: String) {
        let differences = expected.differences(to: now)
        #expect(differences.isEmpty, "\(comment): \(differences.joined(separator: "\n"))")
    }
}
