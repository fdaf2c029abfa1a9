import Glibc
import Model

/// The xtables lock, and the tables opened under it that have not been written yet.
///
/// Opening a table of many rules is dear, so that one opened to be read is kept to be written.
///
/// Safe: it travels in an `InstalledRuleset`, which is `Sendable`, from `read` to `commit`, and both are called by the
/// engine on the thread that it runs on. The only other threads of this program send a probe's packets, and get no
/// ruleset.
final class XtablesSession: Reservation, @unchecked Sendable {
    private var lock: FileLock?
    private var tables: [OpenTable] = []

    /// A table and what it held when it was opened.
    final class OpenTable {
        let handle: TableHandle
        let contents: TableContents

        init(_ name: TableName) throws(Failure) {
            handle = try TableHandle(name)
            contents = TableContents(of: handle)
        }
    }

    /// A session if nobody holds the lock. Who only may want to write does not wait for it.
    static func ifFree() -> XtablesSession? {
        do throws(Failure) { return try XtablesSession(until: Deadline(seconds: 0)) } catch { return nil }
    }

    /// A session, waiting for the lock until the deadline.
    init(until deadline: Deadline) throws(Failure) { lock = try XtablesLock.take(until: deadline) }

    /// Opens a table that exists, and keeps it.
    func open(_ name: TableName) throws(Failure) -> TableContents {
        let table = try OpenTable(name)
        tables.append(table)
        return table.contents
    }

    /// The table as it was opened, or opened now. It is the caller's: a table is written once.
    func take(_ name: TableName) throws(Failure) -> OpenTable {
        if let index = tables.firstIndex(where: { $0.handle.name == name }) { return tables.remove(at: index) }
        do throws(Failure) {
            return try OpenTable(name)
        } catch let error where error.kind == .unsupported {
            KernelSupport.loadModule(name.family)
            return try OpenTable(name)
        }
    }

    /// Gives the lock and the tables up.
    func release() {
        tables = []
        lock = nil
    }
}
