import Glibc
package import Model

/// A file that the user names, wherever it is.
package enum InputFile {
    /// A larger one is refused, in bytes: nft prints a host's 200,000 rules in less.
    private static let largest = 128 << 20

    /// Reads a file, a pipe, or standard input where the name is `-`. The corresponding C functions are `open` and `read`.
    package static func read(_ path: String) throws(Failure) -> [UInt8] {
        if path == "-" { return try read(STDIN_FILENO, "standard input") }
        let file = SystemCall.open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 { throw failure(path, "open", errno) }
        defer { close(file) }
        return try read(file, path)
    }

    /// Memory is asked for once: as much as the file has, or where that is not known, as it may have. What is not written
    /// to costs nothing.
    private static func read(_ file: CInt, _ name: String) throws(Failure) -> [UInt8] {
        guard let status = SystemCall.status(of: file) else { throw failure(name, "fstat", errno) }
        let isKnown = status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
        let capacity = isKnown ? min(Int(status.st_size), largest) + 1 : largest + 1
        // An array for which there is no memory ends the program without a word.
        // Not tried by malloc, which the compiler leaves out where nothing is done with it.
        // Safe: the kernel chooses where; nothing is done with the memory, and it is given back.
        let trial = unsafe mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if unsafe trial == MAP_FAILED { throw failure(name, "mmap", errno) }
        unsafe munmap(trial, capacity)
        var number: CInt = 0
        // Safe: the array's memory begins with `count` bytes that read(2) has written; it is told where they end, and
        // how many more there is room for.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            while count < buffer.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
                let got = unsafe Glibc.read(file, rest.baseAddress, rest.count)
                if got > 0 {
                    count += got
                } else if got == 0 {
                    break
                } else if errno != EINTR {
                    number = errno
                    break
                }
            }
        }
        if number != 0 { throw failure(name, "read", number) }
        if bytes.count > largest { throw Failure(.trouble, "\(name) is larger than \(largest >> 20) MB") }
        return bytes
    }

    private static func failure(_ name: String, _ function: String, _ number: CInt) -> Failure {
        .system(
            "cannot read \(name)", source: function, errno: number,
            advice: number == EACCES ? "give a file that this user may read" : nil)
    }
}
