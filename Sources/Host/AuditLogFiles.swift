package import Model

/// Where the ECS agent notes every use of the credentials endpoint.
package enum AuditLogFiles {
    /// Amazon ECS developer guide, "Viewing Amazon ECS container agent logs": current agents write `audit.log` here and
    /// keep the ones before under longer names; older agents wrote `audit.log.YYYY-MM-DD-HH`.
    package static let folder = "/var/log/ecs"
    package static let name = "audit.log"

    /// How many files are read at most: those of a day, where each has an hour.
    fileprivate static let mostFiles = 24
    /// How much is read of them all, in bytes.
    fileprivate static let mostBytes = 8 << 20

    /// Whether it is one of them that can be read: those that somebody compressed cannot.
    fileprivate static func isLog(_ file: String) -> Bool {
        guard file.hasPrefix(name) else { return false }
        return ![".gz", ".xz", ".zst", ".bz2"].contains { file.hasSuffix($0) }
    }
}

extension Host {
    /// Reads the newest of the agent's audit logs, the newest first, of the last one perhaps only the end.
    ///
    /// - Parameter take: is given a file's bytes, and whether the first line may lack its beginning.
    package func readAuditLogs(_ take: (_ bytes: [UInt8], _ isCut: Bool) -> Void) throws(Failure) {
        var logs: [(path: String, time: UnixTime)] = []
        for name in try files.list(AuditLogFiles.folder) where AuditLogFiles.isLog(name) {
            let path = "\(AuditLogFiles.folder)/\(name)"
            if let (time, isRegular) = try files.modified(path), isRegular { logs.append((path, time)) }
        }
        logs.sort { ($1.time, $1.path) < ($0.time, $0.path) }
        var left = AuditLogFiles.mostBytes
        for log in logs.prefix(AuditLogFiles.mostFiles) where left > 0 {
            guard let (bytes, isCut) = try files.tail(log.path, most: left) else { continue }
            take(bytes, isCut)
            left -= bytes.count
        }
    }
}
