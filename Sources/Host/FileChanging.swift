import Glibc
package import Model

/// Files in which others write too, with no lock that anybody takes.
extension FileTree {
    /// Makes, replaces or removes a file, if it still holds what this is planned from. As with `write`, it is there whole,
    /// old or new, whoever is killed when.
    ///
    /// What somebody else writes meanwhile is not lost. The new file and the old one change places in one step, and the old
    /// one is looked at before it goes. Lines that were added to it are added to the new one, as if whoever added them had
    /// come after this. Where it was changed otherwise, it is put back. Where a run was killed in between, the next one does
    /// this (`removeLeftover`).
    ///
    /// What remains: a line that was added in the moment of the exchange may stand behind one that was added right after it.
    /// Somebody who keeps the old file open for longer than is waited (`longestWait`), and writes to it after
    /// that, writes to a file that is gone, as with every program that replaces files. Where a file system cannot let two
    /// files change places (`renameat2` fails with EINVAL, ENOSYS or ENOTSUP), all is lost that is written after the look
    /// before the renaming.
    ///
    /// The corresponding C functions are those of `write`, `symlinkat`, `renameat2` and, with `F_SETLEASE`, `fcntl`.
    ///
    /// - Parameters:
    ///   - before: what it holds; nil where there is none.
    ///   - after: what it shall hold, and its mode where it is new; nil to remove it.
    ///   - limit: the largest that is read, in bytes.
    /// - Throws: `Failure`; of kind `.concurrentChange` where somebody else has changed it, so that it has to be read again.
    package func change(
        _ path: String, from before: [UInt8]?, to after: FileContents?, limit: Int = largestFile
    ) throws(Failure) {
        guard let before else {
            if let after { try create(path, after) }
            return
        }
        guard let location = try place(path) else { throw Self.changed(shown(path)) }
        try Self.removeLeftover(at: location)
        let trace: ChangeTrace
        var replaced: stat?
        do throws(Failure) {
            if let after {
                replaced = try Self.write(after, to: location.temporary, beside: location, isSynced: true)
                // It was there when it was read. Without it, the new file has the owner, mode and attributes of none.
                if replaced == nil { throw Self.changed(location.path) }
            }
            trace = try Self.catchUp(from: before, to: after?.bytes, at: location, limit)
            try Self.leave(trace, at: location)
            try Self.displace(location, isReplaced: after != nil)
        } catch {
            Self.forget(location)
            throw error
        }
        // From here on, what fails is left to the next change or run.
        try Self.settle(trace, replaced, at: location)
        try Self.sync(folderOf: location)
        try Self.discard(location)
    }

    /// Makes a file where there is none.
    private func create(_ path: String, _ contents: FileContents) throws(Failure) {
        guard let location = try place(path) else {
            throw .system("cannot create", source: shown(path), errno: ENOENT)
        }
        try Self.removeLeftover(at: location)
        do throws(Failure) {
            _ = try Self.write(contents, to: location.temporary, beside: location, isSynced: true)
            guard Renaming.toFreeName(location.temporary, location.name, in: location.folder) == 0 else {
                if errno == EEXIST { throw Self.changed(location.path) }
                throw .system("cannot create", source: "renameat2 \(location.path)", errno: errno)
            }
        } catch {
            Self.forget(location)
            throw error
        }
        try Self.sync(folderOf: location)
    }

    private static func changed(_ path: String) -> Failure {
        Failure(
            .concurrentChange, "\(path) was changed by somebody at the same time",
            advice: "try again, or wait longer with --wait SECONDS")
    }

    /// Adds to the new file what was added to the old one since it was read, so that somebody who writes all the time keeps
    /// nobody waiting.
    ///
    /// - Returns: what both hold now.
    /// - Throws: `Failure`, of kind `.concurrentChange` where the old one was changed otherwise.
    private static func catchUp(
        from before: [UInt8], to after: [UInt8]?, at location: borrowing Location, _ limit: Int
    ) throws(Failure) -> ChangeTrace {
        guard let now = try read(location.name, in: location.folder, location.path, limit: limit)?.bytes,
            let lines = ChangeTrace.Print(before).rest(of: now), lines.isEmpty || after != nil
        else { throw changed(location.path) }
        let all = after.map { $0 + ending($0, lines) }
        if let after, let all { try add(all.dropFirst(after.count), to: location.temporary, at: location) }
        return ChangeTrace(before: .init(now), after: all.map { .init($0) })
    }

    /// Lines as they are added to contents: below the last line, also where that has no end.
    private static func ending(_ contents: [UInt8], _ lines: ArraySlice<UInt8>) -> [UInt8] {
        let isBroken = !lines.isEmpty && !contents.isEmpty && contents.last != UInt8(ascii: "\n")
        return (isBroken ? Array("\n".utf8) : []) + lines
    }

    /// Notes beside a file what is about to be done to it.
    private static func leave(_ trace: ChangeTrace, at location: borrowing Location) throws(Failure) {
        // A link: it is there with all that it says, or not at all.
        guard SystemCall.makeLink(location.trace, to: trace.text, in: location.folder) == 0 else {
            throw .system("cannot create", source: location.path + Location.traceSuffix, errno: errno)
        }
    }

    /// Puts the file at the temporary name in place of the file, which then stands there, or moves the file there.
    private static func displace(_ location: borrowing Location, isReplaced: Bool) throws(Failure) {
        let (name, temporary) = (location.name, location.temporary)
        let result =
            isReplaced
            ? Renaming.exchange(temporary, name, in: location.folder)
            : Renaming.toFreeName(name, temporary, in: location.folder)
        if result == 0 { return }
        if errno == ENOENT { throw changed(location.path) }
        if isReplaced, Renaming.isUnsupported(errno), SystemCall.rename(temporary, to: name, in: location.folder) == 0 {
            return
        }
        throw .system(
            isReplaced ? "cannot replace" : "cannot remove", source: "renameat2 \(location.path)", errno: errno,
            advice: errno == EBUSY ? "something is mounted on it: change it where that comes from" : nil)
    }

    /// Sees to it that what somebody else wrote to the displaced file is not lost.
    ///
    /// - Parameter replaced: the status that it had when the new file got its owner and mode.
    /// - Throws: `Failure`, of kind `.concurrentChange` where it was put back.
    private static func settle(
        _ trace: ChangeTrace, _ replaced: stat?, at location: borrowing Location
    ) throws(Failure) {
        let found: FileContents?
        do throws(Failure) {
            found = try displaced(at: location)
        } catch let failure {
            do throws(Failure) {
                try putBack(trace, at: location)
            } catch let error where error.kind == .concurrentChange {
                throw failure
            }
            return
        }
        // None after a plain renaming.
        guard let now = found else { return }
        let isAsBefore = replaced.map { $0.st_mode & 0o7777 == now.mode } ?? true
        guard isAsBefore, let lines = trace.before.rest(of: now.bytes) else {
            return try putBack(trace, at: location)
        }
        if lines.isEmpty { return }
        if trace.after == nil { return try putBack(trace, at: location) }
        try add(lines, to: location)
        // First, so that whoever comes after a run that is killed now does not add them again.
        _ = SystemCall.unlink(location.trace, in: location.folder)
    }

    /// Puts a displaced file that was changed back in its place.
    ///
    /// - Throws: `Failure`, of kind `.concurrentChange` where that is done.
    private static func putBack(_ trace: ChangeTrace, at location: borrowing Location) throws(Failure) {
        let (name, temporary) = (location.name, location.temporary)
        if Renaming.toFreeName(temporary, name, in: location.folder) == 0 {
            try discard(location)
            throw changed(location.path)
        }
        guard errno == EEXIST, Renaming.exchange(temporary, name, in: location.folder) == 0 else {
            throw .system("cannot put back", source: "renameat2 \(location.path)", errno: errno)
        }
        // Now the other one was in reach for a moment.
        if let now = try displaced(at: location) {
            guard let lines = trace.after?.rest(of: now.bytes) else { throw try kept(location) }
            try add(lines, to: location)
        }
        try discard(location)
        throw changed(location.path)
    }

    /// Adds lines at the end of a file, as whoever has written them to the displaced one.
    static func add(_ lines: ArraySlice<UInt8>, to location: borrowing Location) throws(Failure) {
        let now = try read(location.name, in: location.folder, location.path, limit: largestDisplaced)?.bytes ?? []
        try add(ending(now, lines)[...], to: location.name, at: location)
    }

    /// Adds bytes at the end of a file. The corresponding C functions are `openat` with `O_APPEND`, `write` and `fsync`.
    private static func add(
        _ bytes: ArraySlice<UInt8>, to name: String, at location: borrowing Location
    ) throws(Failure) {
        if bytes.isEmpty { return }
        let file = SystemCall.open(name, in: location.folder, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)
        if file < 0 { throw .system("cannot add to", source: location.path, errno: errno) }
        defer { close(file) }
        try write(Array(bytes), to: file, path: location.path)
        try sync(file, location.path)
    }
}
