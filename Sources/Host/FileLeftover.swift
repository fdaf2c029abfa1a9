import Glibc
package import Model

/// What stands beside a file while it is changed.
extension FileTree {
    /// Removes what an interrupted change left beside a file, but nothing that somebody else wrote: a displaced file in which
    /// there is more than was known of it is seen to as `change` does. The corresponding C functions are those of `change`.
    ///
    /// - Throws: `Failure`, also where two others have changed the file, so that one of them is kept beside it.
    package func removeLeftover(of path: String) throws(Failure) {
        guard let location = try locate(path) else { return }
        try Self.removeLeftover(at: location)
    }

    static func removeLeftover(at location: borrowing Location) throws(Failure) {
        // Asked for first: a file system that is read-only refuses whatever there is.
        let left = [location.temporary, location.trace].map { name in
            SystemCall.status(of: name, in: location.folder, AT_SYMLINK_NOFOLLOW)
        }
        if left.allSatisfy({ $0 == nil }) { return }
        // What has another name too is nobody's file that stood here: somebody made a link to it.
        let isDisplaced = left[0].map { $0.st_mode & S_IFMT == S_IFREG && $0.st_nlink == 1 } ?? false
        if isDisplaced, left[1].map({ $0.st_mode & S_IFMT }) == S_IFLNK, let trace = trace(at: location),
            let now = try displaced(at: location)
        {
            try recover(now, trace, at: location)
        }
        try discard(location)
    }

    private static func trace(at location: borrowing Location) -> ChangeTrace? {
        // Two numbers of 64 bits for each.
        SystemCall.linkTarget(of: location.trace, in: location.folder, most: 128).flatMap(ChangeTrace.init)
    }

    /// Sees to it that nothing is lost of what is at the temporary name of a change that was interrupted: the new file, or
    /// the displaced one.
    private static func recover(
        _ left: FileContents, _ trace: ChangeTrace, at location: borrowing Location
    ) throws(Failure) {
        let (name, temporary) = (location.name, location.temporary)
        let lines = trace.rest(of: left.bytes)
        if lines?.isEmpty == true { return }
        // The file is not there: it was being removed.
        if Renaming.toFreeName(temporary, name, in: location.folder) == 0 { return }
        guard errno == EEXIST else {
            throw .system("cannot put back", source: "renameat2 \(location.path)", errno: errno)
        }
        let now = try read(name, in: location.folder, location.path, limit: largestDisplaced)?.bytes ?? []
        if let lines {
            // The run that was killed may have added them already, and others more behind them.
            if !now.contains(lines) { try add(lines, to: location) }
            return
        }
        guard trace.after?.rest(of: now)?.isEmpty == true,
            Renaming.exchange(temporary, name, in: location.folder) == 0
        else { throw try kept(location) }
    }

    /// Keeps a displaced file for a person to look at: two others have changed the file at the same time, each in another
    /// place.
    ///
    /// - Returns: what is to be told.
    static func kept(_ location: borrowing Location) throws(Failure) -> Failure {
        for number in 1...99 {
            let suffix = ".kept-by-ecs-netsetup-\(number)"
            let (name, folder) = (location.name + suffix, location.folder)
            if Renaming.toFreeName(location.temporary, name, in: folder) == 0 {
                try discard(location)
                return Failure(
                    .trouble, "\(location.path) was changed by others while it was replaced",
                    advice:
                        "what one of them wrote is in \(location.path)\(suffix): put into the file what is missing there"
                )
            }
            if errno != EEXIST { break }
        }
        throw .system("cannot keep", source: location.path + temporarySuffix, errno: errno)
    }

    /// Removes what stands beside a file while it is changed: a displaced one that nobody needs any more, then the trace.
    static func discard(_ location: borrowing Location) throws(Failure) {
        for suffix in [temporarySuffix, Location.traceSuffix] {
            if SystemCall.unlink(location.name + suffix, in: location.folder) != 0, errno != ENOENT {
                throw .system("cannot remove", source: location.path + suffix, errno: errno)
            }
        }
    }

    /// The same where something has failed already.
    static func forget(_ location: borrowing Location) {
        _ = SystemCall.unlink(location.temporary, in: location.folder)
        _ = SystemCall.unlink(location.trace, in: location.folder)
    }

    /// The file at the temporary name, when nobody writes to it any more; nil where there is none. Anything else, such as a
    /// link, is a failure.
    static func displaced(at location: borrowing Location) throws(Failure) -> FileContents? {
        try read(
            location.temporary, in: location.folder, location.path + temporarySuffix, limit: largestDisplaced,
            O_NOFOLLOW,
            after: waitForWriters)
    }

    /// How long somebody is waited for who has a displaced file open, in milliseconds: an `echo >>` takes less than one.
    private static let longestWait = 100
    /// `F_SETLEASE` and `F_SETSIG` (`<linux/fcntl.h>`, `asm-generic/fcntl.h`), which the C library hides from the Glibc
    /// module.
    private static let setLease: CInt = 1024
    private static let setSignal: CInt = 10

    /// Waits until nobody else has a file open for writing, which is when the kernel grants a lease for reading (fcntl(2)).
    /// It ends with the descriptor. Nobody opens the file anew, as its name is ours. The corresponding C function is `fcntl`.
    private static func waitForWriters(_ file: CInt) {
        // By another name somebody may open it after all. Of that the kernel would tell by a signal that ends the program;
        // this one is ignored.
        _ = fcntl(file, setSignal, SIGURG)
        for _ in 0..<longestWait * 10 {
            // Without leases there is nothing to wait for.
            if fcntl(file, setLease, CInt(F_RDLCK)) == 0 || errno != EAGAIN { return }
            SystemCall.sleep(timespec(tv_sec: 0, tv_nsec: 100_000))
        }
    }
}

/// Names that stand beside a file while it is written.
extension Location {
    /// What the name of a trace ends with.
    static let traceSuffix = ".change" + FileTree.temporarySuffix

    /// The new file, and after it was put in place the displaced one.
    var temporary: String { name + FileTree.temporarySuffix }
    /// A symbolic link that leads nowhere: its target is a `ChangeTrace`.
    var trace: String { name + Self.traceSuffix }
}
