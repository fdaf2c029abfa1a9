import Glibc

/// Something that could not be done: what, on which object, why, and what to do next.
package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller can do about it.
    package enum Kind: Sendable {
        /// The command line or the settings are wrong; exit status 64.
        case usage
        /// It could not be done or could not be told; exit status 2.
        case trouble
        /// The kernel lacks what was asked for.
        case unsupported
        /// Somebody else changed the rules in between: read again and decide again.
        case concurrentChange
        /// The kernel's answer was lost (ENOBUFS): read again to learn what happened.
        case outcomeUnknown
    }

    package let kind: Kind
    /// What failed and on what, in lower case: "cannot read table inet ecs-netsetup".
    package let subject: String
    /// The C function or the file that said no; nil when nothing outside this program did.
    package let source: String?
    /// The `errno` value, or 0.
    package let errno: CInt
    /// What a person does next; nil when the subject says it all.
    package let advice: String?

    /// Makes a failure from its parts.
    package init(
        _ kind: Kind, _ subject: String, source: String? = nil, errno: CInt = 0, advice: String? = nil
    ) {
        self.kind = kind
        self.subject = subject
        self.source = source
        self.errno = errno
        self.advice = advice
    }

    /// Wrong usage.
    package static func usage(_ subject: String, advice: String? = nil) -> Failure {
        Failure(.usage, subject, advice: advice)
    }

    /// A system call or library function said no.
    ///
    /// - Parameters:
    ///   - subject: what failed and on what.
    ///   - source: the C function, with the file where there is one.
    ///   - errno: its error number.
    ///   - advice: what to do next; where nil and the number is one that privileges mend, the privileges.
    package static func system(
        _ subject: String, source: String, errno: CInt, kind: Kind = .trouble, advice: String? = nil
    ) -> Failure {
        Failure(kind, subject, source: source, errno: errno, advice: advice ?? Self.usualAdvice(errno))
    }

    private static func usualAdvice(_ errno: CInt) -> String? {
        switch errno {
        case EPERM where geteuid() == 0:
            "root needs the capabilities CAP_NET_ADMIN and CAP_NET_RAW, which a container may lack, and no file may be immutable (lsattr)"
        case EPERM, EACCES: "run as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW"
        case EROFS: "remount it read-write, or run on the host itself and not in a container"
        default: nil
        }
    }

    /// The error text of an error number, in lower case.
    package static func text(ofErrno number: CInt) -> String {
        // Not strerror, whose text for an unknown number the next caller overwrites: probes have threads.
        var text = [CChar](repeating: 0, count: 256)
        // Safe: strerror_r(3), of which the module has POSIX's, writes no more than it is told, with the NUL.
        _ = unsafe strerror_r(number, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }

    /// The same failure under another kind, as when a retry gives up.
    package func with(kind: Kind, advice: String? = nil) -> Failure {
        Failure(kind, subject, source: source, errno: errno, advice: advice ?? self.advice)
    }

    package var description: String {
        var text = subject
        if let source { text += ": \(source)" }
        if errno != 0 { text += ": \(Self.text(ofErrno: errno))" }
        if let advice { text += "; \(advice)" }
        return text
    }
}
