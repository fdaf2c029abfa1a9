import CTracing
import Glibc
import Laboratory
import TestSupport

/// What must hold after a disturbed run, whatever was done to it.
struct Judge {
    let walk: Walk
    let before: HostState
    let after: HostState
    let now: HostState
    let result: TracedResult
    let disturbance: Case

    /// What does not hold; empty where all does.
    ///
    /// Where the kernel denies a file that is there, the run may take the host for another one than it is, but it must
    /// leave it safe, and every line of others where it is.
    var faults: [String] {
        disturbance.isDenial ? safety + files(in: [.etc]) : safety + files(in: [.etc, .state]) + outcome
    }

    private enum Part {
        case etc
        case state
    }

    /// Rules: those of others are all there, in their order, and ours never leave the host open.
    private var safety: [String] {
        var faults: [String] = []
        if !now.isGuarded { faults.append("route_localnet is \(now.routeLocalnet) without the guard") }
        if before.isClosed, !walk.opens, !now.isClosed { faults.append("IMDS was closed and is open") }
        let foreign = Self.foreign(now.rules.foreign, addsRule: disturbance.kind == .writer)
        if foreign != before.rules.foreign { faults.append("rules of others differ: \(now.rules.foreign)") }
        if disturbance.kind == .writer, !now.rules.foreign.contains(where: { $0.contains(FaultyHost.added) }) {
            faults.append("the other writer's rule is lost")
        }
        return faults
    }

    /// The rules of others without the one that was added meanwhile.
    static func foreign(_ lines: [String], addsRule: Bool) -> [String] {
        addsRule ? lines.filter { !$0.contains(FaultyHost.added) } : lines
    }

    /// What a file that is being written is called; it is nobody's.
    private static let temporarySuffix = ".ecs-netsetup-new"
    private static let record = "/ecs-netsetup/record"

    /// Every file is as it was or as it becomes, with its mode, and none is gone that stays.
    private func files(in parts: [Part]) -> [String] {
        var faults: [String] = []
        for part in parts {
            let (was, becomes, present) =
                part == .etc ? (before.etc, after.etc, now.etc) : (before.record, after.record, now.record)
            for (path, entry) in present.entries where !path.hasSuffix(Self.temporarySuffix) {
                if path == Self.record, entry.mode == S_IFREG | 0o600, entry.contents.last == UInt8(ascii: "\n") {
                    continue
                }
                if was.entries[path] != entry, becomes.entries[path] != entry, !isKept(path, was, present) {
                    faults.append("\(path) is neither as it was nor as it becomes: \(entry)")
                }
            }
            for path in was.entries.keys where becomes.entries[path] != nil && present.entries[path] == nil {
                faults.append("\(path) is gone")
            }
        }
        return faults
    }

    /// Whether what a file held is beside it. Where the kernel denies that a service is enabled, its rules must not be
    /// enabled with ours, so that a file of ours alone takes the place of the one that was there.
    private func isKept(_ path: String, _ was: TreeSnapshot, _ present: TreeSnapshot) -> Bool {
        disturbance.isDenial && was.entries[path] != nil
            && present.entries[path + ".before-ecs-netsetup"]?.contents == was.entries[path]?.contents
    }

    /// The status and the message say what happened.
    private var outcome: [String] {
        switch (disturbance.kind, result.status) {
        case (.kill, 128 + SIGKILL): return []
        case (.kill, let status): return ["killed, but ended with status \(status)"]
        // Rules that changed meanwhile are read and decided upon again.
        case (.writer, let status) where status != 0: return ["ended with status \(status): \(result.errors)"]
        case (_, 0): return isAs(after) ? [] : ["told of success: \(result.output)\(result.errors)"]
        case (_, 2): return failure
        // The dynamic loader could not load the program.
        case (_, 127): return isAs(before) ? [] : ["ended before it began, and the host is changed"]
        // Without memory nothing can be told.
        case (_, 128...) where ErrorTable.memory.contains(disturbance.call.number): return []
        case (_, let status): return ["ended with status \(status): \(result.errors)"]
        }
    }

    private var failure: [String] {
        if result.errors.isEmpty {
            return disturbance.call.number == CInt(__NR_write) ? [] : ["failed and said nothing"]
        }
        let isUndone = ["was undone", "nothing was changed"].contains(where: result.errors.contains)
        let isLeft = ["undoing failed too", "so it stays", "everything else was done"].contains(
            where: result.errors.contains)
        if isUndone, !isLeft, !isAs(before) { return ["told of undoing: \(result.errors)"] }
        if !isUndone, !isLeft, !isAs(before), !isAs(after) { return ["left half done: \(result.errors)"] }
        return []
    }

    /// Whether the host holds what a state does, apart from rules of others and from files that were being written.
    private func isAs(_ state: HostState) -> Bool {
        guard now.rules.ours == state.rules.ours, now.routeLocalnet == state.routeLocalnet else { return false }
        let differences = state.etc.differences(to: now.etc) + state.record.differences(to: now.record)
        return differences.allSatisfy { $0.prefix { $0 != ":" }.hasSuffix(Self.temporarySuffix) }
    }
}
