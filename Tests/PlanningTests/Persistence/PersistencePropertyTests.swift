import Model
import TestSupport
import Testing

@testable import Planning

/// What holds for every file, every host and every wish. A failed case prints what it was made of.
@Suite("Whatever is on disk")
struct PersistencePropertyTests {
    /// A file in words, spelled only where a case fails.
    private struct Lazy: CustomStringConvertible {
        let number: Int
        let bytes: [UInt8]
        init(_ number: Int, _ bytes: [UInt8]) { (self.number, self.bytes) = (number, bytes) }
        var description: String { "case \(number): \(String(decoding: bytes, as: UTF8.self).debugDescription)" }
    }

    // MARK: Single files

    @Test("ours go into any rules file once, and come out again without a trace")
    func rulesFiles() throws {
        let cases = PropertySeed.cases(4000)
        var random = PropertySeed.generator(1)
        let rules = try [[Mode.bridge], [.host], [.awsvpc, .bridge], []].flatMap { modes in
            try AddressFamily.allCases.map { try legacyRules(modes, $0) }
        }
        for number in 0..<cases {
            let bytes = AnyRulesFile.bytes(&random)
            let (first, second) = (random.pick(rules), random.pick(rules))
            let text = Lazy(number, bytes)
            let file = try RulesFile(bytes, path: "x")
            let once = file.merged(with: first)
            #expect(once.merged(with: first).bytes == once.bytes, "\(text)")
            #expect(once.ourRuleCount == first.count, "\(text)")
            let again = try RulesFile(once.bytes, path: "x")
            #expect(again.stripped.bytes == bytes, "\(text)")
            #expect(again.merged(with: second).bytes == file.merged(with: second).bytes, "\(text)")
        }
        PropertySeed.tell("rules files", cases: cases)
    }

    @Test("no line of others in a rules file is lost or moved, whatever was put between ours")
    func strangersInRulesFiles() throws {
        let cases = PropertySeed.cases(1500)
        var random = PropertySeed.generator(2)
        for number in 0..<cases {
            let bytes = AnyRulesFile.bytes(&random)
            let rules = try legacyRules(random.pick(Combinations.modes), random.pick(AddressFamily.allCases))
            let merged = TextLines(try RulesFile(bytes, path: "x").merged(with: rules).bytes).lines
            var originals = TextLines(bytes).lines[...]
            var (mixed, foreign): ([[UInt8]], [[UInt8]]) = ([], [])
            for line in merged {
                while random.chance(15) {
                    let stranger = AnyRulesFile.stranger(mixed.count, &random) + [0x0a]
                    mixed.append(stranger)
                    foreign.append(stranger)
                }
                mixed.append(line)
                if line == originals.first { foreign.append(originals.removeFirst()) }
            }
            #expect(originals.isEmpty, "case \(number)")
            let after = try RulesFile(Array(mixed.joined()), path: "x").stripped
            var rest = foreign[...]
            var extra: [String] = []
            for line in TextLines(after.bytes).lines {
                if line == rest.first { rest.removeFirst() } else { extra.append(TextLines.text(line)) }
            }
            let text = Lazy(number, Array(mixed.joined()))
            #expect(rest.isEmpty, "\(text)")
            #expect(after.ourRuleCount == 0, "\(text)")
            // A table that somebody wrote into stays, and so may the comment above it.
            #expect(
                extra.allSatisfy { $0.hasPrefix("*") || $0 == "COMMIT" || $0.hasPrefix("# ecs-netsetup: ") }, "\(text)")
        }
        PropertySeed.tell("rules files with strangers", cases: cases)
    }

    @Test("the agent's keys go into any ecs.config once, and come out again without a trace")
    func agentConfigurations() throws {
        let cases = PropertySeed.cases(2500)
        var random = PropertySeed.generator(3)
        let host = MemoryDisk.Host(osRelease: "ID=debian\nVERSION_ID=12\n")
        for number in 0..<cases {
            var original = MemoryDisk()
            let bytes = AnyAssignments.bytes(AnyAssignments.agentKeys, &random)
            original.put(bytes, at: HostPath.agentConfiguration)
            var disk = original
            let text = Lazy(number, bytes)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let wish = Wish(settings: settings(random.pick(Combinations.modes)), backend: .nftables)
                try disk.apply(wish, host)
                #expect(try disk.plan(wish, host).isFulfilled, "\(text)")
                let file = AssignmentFile(disk.files[HostPath.agentConfiguration]?.bytes ?? [])
                for setting in AgentConfiguration.settings(wish.settings) {
                    #expect(AgentConfiguration.isYes(file.last(setting.key)?.value ?? ""), "\(text)")
                }
            }
            try disk.remove(host)
            #expect(disk.differences(from: original) == [], "\(text)")
        }
        PropertySeed.tell("ecs.config files", cases: cases)
    }

    @Test("no line of others in ecs.config is lost or moved, whatever was put between ours")
    func strangersInAgentConfigurations() throws {
        let cases = PropertySeed.cases(1500)
        var random = PropertySeed.generator(4)
        let host = MemoryDisk.Host(osRelease: "ID=debian\nVERSION_ID=12\n")
        let path = HostPath.agentConfiguration
        for number in 0..<cases {
            var disk = MemoryDisk()
            let bytes = AnyAssignments.bytes(AnyAssignments.agentKeys, &random)
            disk.put(bytes, at: path)
            try disk.apply(Wish(settings: settings(random.pick(Combinations.modes)), backend: .nftables), host)
            let originals = TextLines(bytes).lines
            var (mixed, foreign): ([[UInt8]], [[UInt8]]) = ([], [])
            let applied = TextLines(disk.files[path]?.bytes ?? []).lines
            // Ours stand below all others, or in the place of one; above them where the last would go on with ours.
            let top = AssignmentFile(bytes).endsOpen ? applied.count - originals.count : 0
            for (index, line) in applied.enumerated() {
                while random.chance(15) {
                    let stranger = AnyAssignments.stranger(mixed.count, &random) + [0x0a]
                    mixed.append(stranger)
                    foreign.append(stranger)
                }
                mixed.append(line)
                if originals.indices.contains(index - top) { foreign.append(originals[index - top]) }
            }
            disk.put(Array(mixed.joined()), at: path)
            try disk.apply(Wish(settings: settings(random.pick(Combinations.modes)), backend: .nftables), host)
            try disk.remove(host)
            let left = TextLines(disk.files[path]?.bytes ?? []).lines.map(TextLines.text)
            let text = Lazy(number, Array(mixed.joined()))
            #expect(left == foreign.map(TextLines.text), "\(text)")
        }
        PropertySeed.tell("ecs.config files with strangers", cases: cases)
    }

    // MARK: Whole hosts

    /// A host with a disk and wishes that it can fulfil.
    private struct Scene {
        let host: MemoryDisk.Host
        let original: MemoryDisk
        let wishes: [Wish]
        private let number: Int
        var text: String { "case \(number): \(host), \(original), \(wishes)" }

        init?(_ number: Int, _ random: inout SplitMix64) {
            let host = AnyHost.host(&random)
            let disk = AnyHost.disk(host, &random)
            var (wishes, after): ([Wish], MemoryDisk) = ([], disk)
            for _ in 0..<3 {
                let wish = AnyHost.wish(&random)
                if (try? after.apply(wish, host)) != nil { wishes.append(wish) }
            }
            if wishes.isEmpty { return nil }
            (self.host, original, self.wishes) = (host, disk, wishes)
            self.number = number
        }
    }

    @Test("apply, apply again, apply something else, remove: the disk is as it was")
    func hosts() throws {
        let cases = PropertySeed.cases(600)
        var random = PropertySeed.generator(5)
        var walked = 0
        for number in 0..<cases {
            guard let scene = Scene(number, &random) else { continue }
            walked += 1
            var disk = scene.original
            for wish in scene.wishes {
                try disk.apply(wish, scene.host)
                let again = try disk.plan(wish, scene.host)
                #expect(again.isFulfilled, "\(again.steps) \(scene.text)")
                #expect(again.findings.allSatisfy { $0.problem == nil }, "\(scene.text)")
            }
            try disk.remove(scene.host)
            #expect(disk.differences(from: scene.original) == [], "\(scene.text)")
            #expect(try disk.remove(scene.host).isFulfilled)
        }
        #expect(walked > cases / 2)
        PropertySeed.tell("hosts", cases: walked)
    }

    /// What somebody else may do to a host in between: write into files, replace them, enable and disable services.
    private func meddle(
        _ disk: inout MemoryDisk, _ host: MemoryDisk.Host, _ number: inout Int, _ random: inout SplitMix64
    ) {
        for service in host.installed.sorted() where random.chance(20) {
            if disk.enabled.remove(service) == nil { disk.enabled.insert(service) }
        }
        for path in HostPath.sysconfigRules + HostPath.persistentRules + Self.assignmentFiles {
            if random.chance(10) { disk.files[path] = nil }
            let isNew = random.chance(15)
            guard isNew || disk.files[path] != nil else { continue }
            let isRules = !Self.assignmentFiles.contains(path)
            var bytes = disk.files[path]?.bytes ?? []
            if isNew {
                bytes = isRules ? AnyRulesFile.bytes(&random) : AnyAssignments.bytes(["A", "B"], &random)
            }
            var lines: [[UInt8]] = []
            for line in TextLines(bytes).lines {
                if random.chance(20) {
                    number += 1
                    let stranger =
                        isRules ? AnyRulesFile.stranger(number, &random) : AnyAssignments.stranger(number, &random)
                    lines.append(stranger + [0x0a])
                }
                lines.append(line)
            }
            disk.put(Array(lines.joined()), at: path)
        }
    }

    private static let assignmentFiles = [HostPath.agentConfiguration, HostPath.settings]

    /// The lines of strangers in a file, and in its backup unless that is a copy of what the file kept.
    private func strangers(_ disk: MemoryDisk, _ host: MemoryDisk.Host, _ path: String) throws -> Set<String> {
        let origin = try disk.facts(host).record.file(path)?.origin
        let paths = origin == .kept ? [path] : [path, HostPath.backup(of: path)]
        let lines = paths.flatMap { TextLines(disk.files[$0]?.bytes ?? []).lines }
        return Set(lines.map(TextLines.text).filter { $0.lowercased().contains("stranger") })
    }

    @Test("whatever somebody else does in between, no line of theirs is lost, and nothing of ours is left")
    func meddledHosts() throws {
        let cases = PropertySeed.cases(150)
        var random = PropertySeed.generator(9)
        var (walked, number) = (0, 0)
        for index in 0..<cases {
            let host = AnyHost.host(&random)
            var disk = AnyHost.disk(host, &random)
            for turn in 0...Int.random(in: 2...5, using: &random) {
                meddle(&disk, host, &number, &random)
                let before = disk
                if turn == 5 || random.chance(25) {
                    try disk.remove(host)
                    #expect(disk.record == nil)
                } else if (try? disk.apply(AnyHost.wish(&random), host)) == nil {
                    // Refused, and nothing was done.
                    #expect(disk.differences(from: before) == [], "case \(index)")
                    continue
                }
                walked += 1
                #expect(disk.mistakes.isEmpty, "case \(index)")
                for path in HostPath.managed {
                    let lost = try strangers(before, host, path).subtracting(strangers(disk, host, path))
                    #expect(lost.isEmpty, "case \(index) turn \(turn) \(path)")
                }
            }
        }
        PropertySeed.tell("meddled hosts", cases: walked)
    }

    @Test("a plan that is interrupted after any of its steps can be done again, done otherwise, or taken back")
    func interrupted() throws {
        let cases = PropertySeed.cases(60)
        var random = PropertySeed.generator(6)
        var walked = 0
        for number in 0..<cases {
            guard let scene = Scene(number, &random), let last = scene.wishes.last else { continue }
            var before = scene.original
            for wish in scene.wishes.dropLast() { try before.apply(wish, scene.host) }
            let steps = try before.plan(last, scene.host).steps.count
            for count in 0...steps {
                var killed = before
                try killed.apply(last, scene.host, killedAfter: count)
                for wish in [nil, last, scene.wishes.first] {
                    walked += 1
                    var disk = killed
                    if let wish {
                        try disk.apply(wish, scene.host)
                        #expect(try disk.plan(wish, scene.host).isFulfilled, "killed after \(count) \(scene.text)")
                    }
                    try disk.remove(scene.host)
                    #expect(
                        disk.differences(from: scene.original) == [],
                        "killed after \(count), then \(wish as Any) \(scene.text)")
                }
            }
        }
        PropertySeed.tell("interrupted plans", cases: walked)
    }

    @Test("a remove that is interrupted after any of its steps can be done again, and so can apply")
    func interruptedRemove() throws {
        let cases = PropertySeed.cases(80)
        var random = PropertySeed.generator(7)
        var walked = 0
        for number in 0..<cases {
            guard let scene = Scene(number, &random), let last = scene.wishes.last else { continue }
            var before = scene.original
            for wish in scene.wishes { try before.apply(wish, scene.host) }
            let steps = PersistencePlan(removing: try before.facts(scene.host)).steps.count
            for count in 0...steps {
                var killed = before
                try killed.remove(scene.host, killedAfter: count)
                for wish in [nil, last] {
                    walked += 1
                    var disk = killed
                    if let wish {
                        try disk.apply(wish, scene.host)
                        #expect(try disk.plan(wish, scene.host).isFulfilled, "killed after \(count) \(scene.text)")
                    }
                    try disk.remove(scene.host)
                    #expect(
                        disk.differences(from: scene.original) == [],
                        "killed after \(count), then \(wish as Any) \(scene.text)")
                }
            }
        }
        PropertySeed.tell("interrupted removes", cases: walked)
    }
}
