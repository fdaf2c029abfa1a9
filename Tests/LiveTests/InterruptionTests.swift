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
            "write", "openat", "unlinkat", "mkdirat", "rename", "renameat", "renameat2", "fsync", "fchmod", "fchown",
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
                // `renameat(3</folder>, "name", …`, `write(3</folder/name>, …`
                var path = String(line[start...].prefix { $0 != ">" })
                let words = line.split(separator: "\"", omittingEmptySubsequences: false)
                if words.count > 1, name != "write" { path += "/" + words[1] }
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
            let scene = Scene(image: image, mechanism: mechanism, walk: walk, before: before, after: after)
            try #require(before != after)
            var errors = 0
            for (index, call) in calls.enumerated() {
                try scene.kill(at: call)
                for error in [["ENOSPC", "EIO", "EROFS"][index % 3]] {
                    try scene.fail(at: call, with: error)
                    errors += 1
                }
            }
            let kinds = Set(calls.map(\.name)).sorted().joined(separator: ", ")
            print("\(mechanism), \(walk.rawValue): \(calls.count) kills and \(errors) errors at calls of \(kinds)")
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

    private typealias Call = Live.InterruptionTests.Call

    private var arguments: [String] { walk.arguments(mechanism) }

    /// Runs the command with something done to it at a call.
    private func interrupt(at call: Call, _ fault: String) throws -> ProgramResult {
        try before.restore(to: image.tree)
        let options = ["-e", "trace=\(call.name)", "-e", "inject=\(call.name):\(fault):when=\(call.number)"]
        let (result, lines) = try image.trace(options, arguments)
        try #require(
            lines.contains { $0.contains("(INJECTED)") || $0.contains("killed by SIGKILL") },
            "nothing was injected at \(call)")
        return result
    }

    func kill(at call: Live.InterruptionTests.Call) throws {
        let result = try interrupt(at: call, "signal=KILL")
        #expect(result.status == 128 + SIGKILL)
        let killed = try image.now
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
        #expect(result.status == 2, "\(error) at \(call)")
        #expect(result.errors.contains(call.path), "\(error) at \(call): \(result.errors)")
        if result.errors.contains("undoing failed too") { return try expectRecovery("\(error) at \(call)") }
        let told = ["was undone", "nothing was changed"].contains(where: result.errors.contains)
        #expect(told, "\(error) at \(call): \(result.errors)")
        expectSame(before, now, "\(error) at \(call): \(result.errors)")
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
