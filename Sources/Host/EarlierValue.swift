package import Model

/// The record of a kernel parameter's value from before this program changed it, so that `remove` can put it back.
///
/// The file also names the boot: a value from before a restart says nothing about the present.
extension Host {
    private static let record = RecordFolder.path + "/earlier-values"
    private static let bootKey = "boot_id"

    /// The recorded value; nil when this program has not changed the parameter since the kernel started.
    package func earlierValue(of name: String) throws(Failure) -> String? {
        guard let text = try files.read(Self.record)?.text else { return nil }
        let lines = text.split(separator: "\n")
        func value(_ key: String) -> String? {
            lines.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
        }
        let boot = try bootIdentifier
        guard !boot.isEmpty, value(Self.bootKey) == boot, let earlier = value(name) else { return nil }
        if Int(earlier) == nil {
            throw Failure(
                .trouble, "the record of the earlier value of \(name) is damaged", source: path(Self.record),
                advice: "delete it; what \(name) was before is then not known")
        }
        return earlier
    }

    /// Records a value. Called before the parameter is changed.
    package func rememberEarlierValue(_ value: String, of name: String) throws(Failure) {
        try files.makeFolder(RecordFolder.path, mode: RecordFolder.mode)
        let text = "\(Self.bootKey)=\(try bootIdentifier)\n\(name)=\(value)\n"
        // Not synced: after a crash of the machine the boot is another, and the record void.
        // Nobody has a reason to put a link in this folder.
        try files.write(
            FileContents(text: text, mode: 0o644), to: Self.record, isSynced: false, followsLast: false)
    }

    /// Removes the record. Called after the parameter has its earlier value again.
    package func forgetEarlierValues() throws(Failure) {
        try files.remove(Self.record, isSynced: false, followsLast: false)
        try files.removeEmptyFolder(RecordFolder.path)
    }
}
