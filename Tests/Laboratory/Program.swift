import CNamespaces
import Glibc

/// How a program ended and what it wrote.
package struct ProgramResult: Sendable {
    /// The exit status, or 128 and the signal's number.
    package let status: CInt
    package let output: String
    package let errors: String
    /// From start to end, in seconds.
    package let wallTime: Double
    /// User and system time, in seconds.
    package let cpuTime: Double
}

extension Namespace {
    /// Runs a program inside the namespace to its end.
    ///
    /// - Parameters:
    ///   - words: the program, looked up in PATH, and its arguments.
    ///   - input: what it reads.
    ///   - environment: variables put beside, or in place of, this process's.
    package func execute(
        _ words: [String], input: String = "", environment: [String] = []
    ) throws -> ProgramResult {
        try run { try Program(words, environment: environment).execute(input: input) }
    }

    /// Runs a program that must succeed.
    ///
    /// - Returns: what it wrote to standard output.
    @discardableResult
    package func require(_ words: [String], input: String = "") throws -> String {
        let result = try execute(words, input: input)
        guard result.status == 0 else {
            throw LaboratoryError("\(name): \(words.joined(separator: " ")): status \(result.status): \(result.errors)")
        }
        return result.output
    }

    /// Starts a program inside the namespace and lets it run.
    package func start(_ words: [String], environment: [String] = []) throws -> RunningProgram {
        try run { try Program(words, environment: environment).start() }
    }
}

extension Namespace {
    /// Runs programs one after the other with their output thrown away, and measures them together.
    ///
    /// - Returns: wall time from the first start to the last end, and user and system time, in seconds.
    package func measure(_ commands: [[String]]) throws -> (wall: Double, cpu: Double) {
        try run {
            let programs = commands.map { Program($0, environment: []) }
            let began = now()
            var cpu = 0.0
            for (program, words) in zip(programs, commands) {
                let (status, used) = try program.start().waitMeasuring()
                cpu += used
                if status != 0 { throw LaboratoryError("\(words.joined(separator: " ")): status \(status)") }
            }
            return (now() - began, cpu)
        }
    }
}

/// The machine itself, for programs that touch nothing but the folder they are given.
package enum Machine {
    /// Runs a program to its end.
    ///
    /// - Parameters:
    ///   - words: the program, looked up in PATH, and its arguments.
    ///   - input: what it reads.
    ///   - environment: variables put beside, or in place of, this process's.
    package static func execute(
        _ words: [String], input: String = "", environment: [String] = []
    ) throws -> ProgramResult {
        try Program(words, environment: environment).execute(input: input)
    }

    /// Starts a program and lets it run.
    package static func start(_ words: [String]) throws -> RunningProgram {
        try Program(words, environment: []).start()
    }
}

/// A program that runs in the background with its output thrown away.
package struct RunningProgram: Sendable {
    package let identifier: CInt

    /// Waits for its end and returns its exit status.
    package func wait() -> CInt { waitMeasuring().status }

    /// Waits for its end and returns its exit status, and its user and system time in seconds.
    fileprivate func waitMeasuring() -> (status: CInt, cpu: Double) {
        var status: CInt = 0
        var usage = rusage()
        while unsafe wait4(identifier, &status, 0, &usage) < 0, errno == EINTR {}
        return (exitStatus(status), seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }

    /// Whether it has ended.
    package var hasEnded: Bool { waitpid(identifier, nil, WNOHANG) != 0 }

    /// Ends it and waits.
    package func kill() {
        _ = Glibc.kill(identifier, SIGKILL)
        _ = wait()
    }
}

private func exitStatus(_ status: CInt) -> CInt {
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
}

/// A program and its arguments, to be spawned by the calling thread into that thread's namespaces.
private struct Program {
    private let words: [String]
    private let environment: [String]

    init(_ words: [String], environment: [String]) {
        self.words = words
        let names = environment.map { String($0.prefix { $0 != "=" }) + "=" }
        var all: [String] = []
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if !names.contains(where: text.hasPrefix) { all.append(text) }
            unsafe next += 1
        }
        self.environment = all + environment
    }

    func start() throws -> RunningProgram {
        let nothing = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        return RunningProgram(identifier: try spawn(input: nothing, output: nothing, errors: nothing))
    }

    func execute(input: String) throws -> ProgramResult {
        let (inputEnd, ourInput) = try pipeEnds()
        let (ourOutput, outputEnd) = try pipeEnds()
        let (ourErrors, errorsEnd) = try pipeEnds()
        let began = now()
        let child: pid_t
        do {
            defer { [inputEnd, outputEnd, errorsEnd].forEach { close($0) } }
            child = try spawn(input: inputEnd, output: outputEnd, errors: errorsEnd)
        } catch {
            [ourInput, ourOutput, ourErrors].forEach { close($0) }
            throw error
        }
        let (output, errors) = converse(input: Array(input.utf8), ourInput, ourOutput, ourErrors)
        let (status, cpuTime) = RunningProgram(identifier: child).waitMeasuring()
        return ProgramResult(
            status: status, output: output, errors: errors, wallTime: now() - began, cpuTime: cpuTime)
    }

    private func pipeEnds() throws -> (read: CInt, write: CInt) {
        var ends: [CInt] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw LaboratoryError.system("pipe2") }
        return (ends[0], ends[1])
    }

    private func spawn(input: CInt, output: CInt, errors: CInt) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        _ = unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        for (ours, theirs) in [(input, STDIN_FILENO), (output, STDOUT_FILENO), (errors, STDERR_FILENO)] {
            _ = unsafe posix_spawn_file_actions_adddup2(&actions, ours, theirs)
        }
        // The test runner's threads block signals, and a shell that waits for its children needs SIGCHLD.
        var attributes = posix_spawnattr_t()
        _ = unsafe posix_spawnattr_init(&attributes)
        defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        _ = unsafe sigemptyset(&none)
        _ = unsafe posix_spawnattr_setsigmask(&attributes, &none)
        _ = unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var child: pid_t = 0
        let code = unsafe posix_spawnp(&child, words[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw LaboratoryError("\(words[0]): \(unsafe String(cString: strerror(code)))") }
        return child
    }

    /// Writes the input and reads both outputs until the program closes them. Closes all three ends.
    private func converse(input: [UInt8], _ inEnd: CInt, _ outEnd: CInt, _ errEnd: CInt) -> (String, String) {
        // Inputs of tests fit into a pipe, or are read at once by the stock tools' parsers.
        let writer = input.isEmpty ? nil : InputWriter(input, to: inEnd)
        if writer == nil { close(inEnd) }
        var texts: [[UInt8]] = [[], []]
        var polled = [
            pollfd(fd: outEnd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errEnd, events: Int16(POLLIN), revents: 0),
        ]
        var chunk = [UInt8](repeating: 0, count: 65536)
        while polled.contains(where: { $0.fd >= 0 }) {
            _ = unsafe poll(&polled, 2, -1)
            for index in polled.indices where polled[index].fd >= 0 && polled[index].revents != 0 {
                let count = unsafe read(polled[index].fd, &chunk, chunk.count)
                if count > 0 {
                    texts[index] += chunk.prefix(count)
                } else {
                    close(polled[index].fd)
                    polled[index].fd = -1
                }
            }
        }
        writer?.join()
        return (String(decoding: texts[0], as: UTF8.self), String(decoding: texts[1], as: UTF8.self))
    }
}

/// Feeds a program's standard input from a thread of its own, as it may be longer than a pipe holds.
private final class InputWriter: @unchecked Sendable {
    private var thread = pthread_t()
    private let bytes: [UInt8]
    private let file: CInt

    init(_ bytes: [UInt8], to file: CInt) {
        self.bytes = bytes
        self.file = file
        let argument = unsafe Unmanaged.passUnretained(self).toOpaque()
        _ = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<InputWriter>.fromOpaque(argument).takeUnretainedValue().run()
                }
                return nil
            }, argument)
    }

    private func run() {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            rest = rest.dropFirst(count)
        }
        close(file)
    }

    func join() { pthread_join(thread, nil) }
}

/// The monotonic clock, in seconds.
func now() -> Double {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

private func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
