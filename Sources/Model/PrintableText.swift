extension String {
    /// What somebody else sent or wrote, fit for a terminal and a report: printable ASCII as it is, `?` for every other
    /// byte, and no more than so many characters.
    package init(printable bytes: some Sequence<UInt8>, most: Int) {
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if index == most {
                text += "…"
                break
            }
            text.unicodeScalars.append((0x20..<0x7f).contains(byte) ? Unicode.Scalar(byte) : "?")
        }
        self = text
    }
}
