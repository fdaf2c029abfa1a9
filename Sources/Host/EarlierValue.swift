package import Model

/// The record of a kernel parameter's value from before this program changed it, so that `remove` can put it back.
///
/// The file also names the boot: a value from before a restart says nothing about the present.
extension Host {
    private static let record = RecordFolder.path + "/earlier-values"
    private static let bootKey = "boot_id"

    /// The recorded value; nil when this program has not changed the parameter since the kernel started.
    ///
    /// - Throws: `Failure`, also where the file holds anything but what `rememberEarlierValue` writes.
    package func earlierValue(of name: String) throws(Failure) -> String? {
        guard let text = try files.read(Self.record)?.text else { return nil }
        // Nothing but what was written counts: to go on without it would leave the parameter raised.
        let fields = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        }
        guard fields.count == 3, fields[2] == [""], fields[0].count == 2, fields[1].count == 2,
            fields[0][0] == Self.bootKey,
            Int(fields[1][1]).map({ "\($0)" }) == fields[1][1]
        else {
            throw Failure(
                .trouble, "the record of the earlier value of \(name) is damaged", source: path(Self.record),
                advice: "delete it; what \(name) was before is then not known, and nothing sets it back")
        }
        let boot = try bootIdentifier
        return !boot.isEmpty && fields[0][1] == boot && fields[1][0] == name ? fields[1][1] : nil
    }

    /// Records a value. Called before the parameter is changed.
    package func rememberEarlierValue(_ value: String, of name: String) throws(Failure) {
        try files.makeFolder(RecordFolder.path, mode: RecordFolder.mode)
        let text = "\(Self.bootKey)=\(try bootIdentifier)\n\(name)=\(value)\n"
        // Synced, although it is void after a crash of the machine: half of it would be damage, which keeps apply from its work.
        // Nobody has a reason to put a link in this folder.
        try files.write(FileContents(text: text, mode: 0o644), to: Self.record, followsLast: false)
    }

    /// Removes the record. Called after the parameter has its earlier value again.
    package func forgetEarlierValues() throws(Failure) {
        try files.remove(Self.record, isSynced: false, followsLast: false)
        try files.removeEmptyFolder(RecordFolder.path)
    }
}
