import Glibc

/// How many cases a suite tried of something, for `docs/reliability.md`.
package enum TriedCases {
    /// Prints the number, and notes it in the file that `ECS_NETSETUP_NOTES` names, where one is named. A case that does not
    /// hold fails its test, and with it the whole run, so that none of those that are published did.
    package static func note(_ what: String, _ count: Int) {
        print("\(what): \(count) cases tried")
        guard let path = unsafe getenv("ECS_NETSETUP_NOTES"), let file = unsafe fopen(path, "ae") else { return }
        defer { unsafe fclose(file) }
        _ = unsafe fputs("\(what)\t\(count)\t0\n", file)
    }
}
