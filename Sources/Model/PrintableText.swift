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

extension String {
    /// A number in hexadecimal digits, with zeroes before it up to this many.
    package init(hexadecimal number: some UnsignedInteger, digits: Int) {
        let significant = String(number, radix: 16)
        self.init(repeating: "0", count: Swift.max(digits - significant.count, 0))
        self += significant
    }
}

extension Unicode.Scalar {
    /// Whether a terminal takes it for a command, it ends a line, or it changes the order in which the text around it is shown:
    /// the control characters C0, DEL and C1 (ECMA-48), Unicode's separators of lines and paragraphs, and what it calls
    /// formats: its embeddings, overrides and isolates (UAX #9, section 2), and marks that nobody sees.
    package var isControl: Bool {
        // Most text, which need not be looked up.
        if value < 0x7f { return value < 0x20 }
        return [.control, .format, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
    }
}

extension String {
    /// The text fit for a terminal: control characters are shown as C spells them, `\x1b` and `\u202e`. All else stays, a
    /// backslash too.
    ///
    /// - Parameter kept: control characters that stay.
    package func showingControls(keeping kept: Set<Unicode.Scalar>) -> String {
        guard unicodeScalars.contains(where: { $0.isControl && !kept.contains($0) }) else { return self }
        var shown = ""
        for scalar in unicodeScalars { shown.append(shownControl: scalar, keeping: kept) }
        return shown
    }

    /// Adds a character, or what is shown for it.
    package mutating func append(shownControl scalar: Unicode.Scalar, keeping kept: Set<Unicode.Scalar>) {
        guard scalar.isControl, !kept.contains(scalar) else {
            unicodeScalars.append(scalar)
            return
        }
        let (sign, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        self += "\\" + sign + String(hexadecimal: scalar.value, digits: width)
    }
}
