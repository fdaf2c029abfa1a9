import Glibc
import Laboratory
import Testing

/// Tests of what manages many hosts at once, in network namespaces and in a booted guest.
@Suite(.serialized, .enabled(if: getuid() == 0, "making network namespaces needs root"))
enum Fleet {
    /// The checked-out repository.
    static let repository = String(#filePath.dropLast("/Tests/FleetTests/Fleet.swift".utf8.count))

    /// A program of the Python environment that `make fleet-tools` made ready.
    static func tool(_ name: String) throws -> String {
        let path = "\(repository)/.build/fleet/bin/\(name)"
        guard unsafe access(path, X_OK) == 0 else {
            throw LaboratoryError("\(path) is not there; run: make fleet-tools")
        }
        return path
    }
}
