import Glibc

/// Reads a file line by line, and closes it when it goes out of scope. The corresponding C functions are `fopen`,
/// `fgets` and `fclose`.
///
/// Safe: the stream is `fopen`'s. It is not null, nobody else has it, as it is private in a value that cannot be
/// copied, and it is closed once, in `deinit`.
@safe package struct LineReader: ~Copyable {
    private let stream: UnsafeMutablePointer<FILE>
    private var line: [CChar]

    /// Opens a file, where that is possible; `errno` tells why it is not.
    ///
    /// - Parameter longest: a longer line comes in parts, of one byte less than this.
    package init?(_ path: String, longest: CInt) {
        guard let opened = unsafe fopen(path, "re") else { return nil }
        unsafe stream = opened
        line = [CChar](repeating: 0, count: Int(longest))
    }

    deinit { unsafe fclose(stream) }

    /// The next line without its end; nil at the end of the file, and where reading failed.
    package mutating func next() -> [UInt8]? {
        // Safe: fgets(3) writes no more than the size that it is told, with the NUL.
        guard unsafe fgets(&line, CInt(line.count), stream) != nil else { return nil }
        return line.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "\n")) }.map { UInt8(bitPattern: $0) }
    }

    /// Whether reading failed. The corresponding C function is `ferror`.
    package var hasFailed: Bool { unsafe ferror(stream) != 0 }
}
