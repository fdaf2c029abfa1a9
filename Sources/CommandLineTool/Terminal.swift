import Glibc
import Host
import Model

/// The two streams that this program writes to.
///
/// Files, captures, the kernel, the agent and the command line are other people's text, and a terminal must not obey it.
/// What goes to standard error is made safe here, and the answers for people where `TextReport` hands them out: only
/// `Palette.shown` can tell its own colours from others'. Documents for programs spell control characters in their own
/// ways: JSON, and with it SARIF, `\u001b`; JUnit's XML references, or U+FFFD for what XML forbids; TAP blanks, and
/// escapes in YAML. What `generate` prints, the metrics for Prometheus and the plan that `diff --out` writes are read by
/// programs, byte for byte, and come from settings that were checked.
enum Terminal {
    /// Writes to standard output, as it is.
    ///
    /// - Throws: `Failure` when not all of it could be written, as to a full disk or a closed descriptor.
    static func write(_ text: String) throws(Failure) {
        guard writeAll(text, to: STDOUT_FILENO) else {
            throw .system("cannot write to standard output", source: "write", errno: errno)
        }
    }

    /// Writes a line to standard error, with control characters shown: line breaks too, behind which anything could be made
    /// to look like a line of ours. There is nobody to tell when that fails.
    static func complain(_ text: String) {
        _ = writeAll("ecs-netsetup: \(text.showingControls(keeping: ["\t"]))\n", to: STDERR_FILENO)
    }

    private static func writeAll(_ text: String, to file: CInt) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = SystemCall.write(rest, to: file)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Takes the numbers of the streams that the caller left closed, so that no file that is opened later gets them, and with
    /// it what is meant for people. Nothing can be read or written by such a descriptor: EBADF, as before.
    static func holdClosedStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 {
            // The lowest free number is this one.
            _ = SystemCall.open("/", FileTree.pathOnly | O_CLOEXEC)
        }
    }

    /// Whether standard output gets colours: asked for, or a terminal that is not dumb and `NO_COLOR` unset or empty
    /// (no-color.org).
    static func usesColor(_ mode: ColorMode) -> Bool {
        switch mode {
        case .always: true
        case .never: false
        case .auto:
            isatty(STDOUT_FILENO) == 1 && (EnvironmentVariable.text("NO_COLOR") ?? "").isEmpty
                && EnvironmentVariable.text("TERM") != "dumb"
        }
    }

    /// Whether more than ASCII may be drawn: the locale's encoding is UTF-8 (locale(7): the first of these variables that
    /// is set counts), and the terminal is not dumb.
    static var usesUnicode: Bool {
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(EnvironmentVariable.text).first { !$0.isEmpty } ?? ""
        let encoding = locale.lowercased()
        return EnvironmentVariable.text("TERM") != "dumb" && (encoding.contains("utf-8") || encoding.contains("utf8"))
    }
}

/// Colours, or none. The codes are ECMA-48's "select graphic rendition".
struct Palette {
    let isColored: Bool
    /// What stands for the beginning of a code of ours until the text is shown: characters that Unicode keeps for a program's
    /// own use, by chance, so that nobody whose text is shown can know them.
    private let mark: [Unicode.Scalar]

    init(isColored: Bool) {
        self.isColored = isColored
        mark = isColored ? (0..<16).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0xfdd0...0xfdef)) } : []
    }

    /// The text as a terminal may get it: with our colours, and with every other control character shown, except line breaks
    /// and tabs. Text that was painted is passed on through this, once, whole.
    func shown(_ text: String) -> String {
        let kept: Set<Unicode.Scalar> = ["\n", "\t"]
        guard isColored else { return text.showingControls(keeping: kept) }
        let scalars = Array(text.unicodeScalars)
        var shown = ""
        var index = 0
        while index < scalars.count {
            if scalars[index...].starts(with: mark) {
                shown += "\u{1b}["
                index += mark.count
            } else {
                shown.append(shownControl: scalars[index], keeping: kept)
                index += 1
            }
        }
        return shown
    }

    func green(_ text: String) -> String { paint(text, "32") }
    func red(_ text: String) -> String { paint(text, "31") }
    func yellow(_ text: String) -> String { paint(text, "33") }
    func cyan(_ text: String) -> String { paint(text, "36") }
    func dim(_ text: String) -> String { paint(text, "2") }
    func bold(_ text: String) -> String { paint(text, "1") }

    private func paint(_ text: String, _ code: String) -> String {
        guard isColored else { return text }
        let mark = String(String.UnicodeScalarView(mark))
        return "\(mark)\(code)m\(text)\(mark)0m"
    }
}
