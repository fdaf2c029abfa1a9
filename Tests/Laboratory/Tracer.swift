import CNamespaces
import CTracing
import Glibc

/// What is done to a program at one of its system calls.
package enum Fault {
    /// It is killed at the call's entry; the call is not carried out.
    case kill
    /// The call is not carried out and fails with this error number.
    case error(CInt)
    /// Something else happens before the call, which then goes on.
    case meanwhile(() throws -> Void)
}

/// A system call at its entry.
package struct SystemCall: Sendable {
    /// Which of the program's calls it is, from 1: the first after exec.
    package let index: Int
    /// Which of those with its number it is, from 1. How often the program looks whether another one has ended is not the same
    /// in every run, so that this finds again more calls than `index` does.
    package let ordinal: Int
    /// The kernel's number of the call (`asm/unistd.h`).
    package let number: CInt
    package let arguments: [UInt64]
    /// What a text argument says where it is looked at: a path.
    package let text: String
}

/// How a traced program ended.
package struct TracedResult: Sendable {
    /// The exit status, or 128 and the signal's number.
    package let status: CInt
    package let output: String
    package let errors: String
    /// The calls of an undisturbed run in order, without texts; none of a disturbed one.
    package let calls: [SystemCall]
    /// The call at which the fault happened; nil where the program ended before.
    package let hit: SystemCall?
}

/// Runs a program call by call: ptrace(2), which is exact where signals and timers are not.
///
/// What the program starts is not traced, and is waited for where the program is killed.
package struct Tracer {
    private let words: [String]
    /// How long the program may take, in seconds; it ends by SIGALRM then.
    private let longest: UInt32

    package init(_ words: [String], longest: UInt32 = 60) {
        self.words = words
        self.longest = longest
    }

    /// Whether calls can be made to fail here: their registers are known.
    package static var canFail: Bool { Registers.areKnown }

    /// Runs the program in the calling thread's namespaces to its end.
    ///
    /// - Parameters:
    ///   - call: the call at which the fault happens, by its number and ordinal; nil lets it run undisturbed.
    ///   - fault: what happens.
    package func run(at call: SystemCall? = nil, _ fault: Fault = .kill) throws -> TracedResult {
        let outputs = try [Pipe(), Pipe()]
        let process = try start(outputs.map(\.writing))
        for pipe in outputs { close(pipe.writing) }
        defer { for pipe in outputs { close(pipe.reading) } }
        var trace = Trace(process: process, target: call)
        let status = try trace.follow(fault)
        return TracedResult(
            status: status, output: outputs[0].contents, errors: outputs[1].contents, calls: trace.calls, hit: trace.hit
        )
    }

    /// A pipe whose contents are read when the program has ended: they fit.
    private struct Pipe {
        let reading: CInt
        let writing: CInt

        init() throws {
            var ends: [CInt] = [-1, -1]
            guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw LaboratoryError.system("pipe2") }
            (reading, writing) = (ends[0], ends[1])
            _ = fcntl(reading, F_SETFL, O_NONBLOCK)
        }

        var contents: String {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = unsafe read(reading, &chunk, chunk.count)
                if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
                bytes += chunk.prefix(count)
            }
        }
    }

    /// Starts the program as a child that asks to be traced. The child of a process with threads may do nothing but call
    /// the kernel, so that everything is ready before.
    private func start(_ outputs: [CInt]) throws -> pid_t {
        let nothing = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(nothing) }
        let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
        for (index, word) in words.enumerated() { unsafe arguments[index] = strdup(word) }
        unsafe arguments[words.count] = nil
        defer {
            for index in words.indices { unsafe free(arguments[index]) }
            unsafe arguments.deallocate()
        }
        let (output, errors, seconds) = (outputs[0], outputs[1], longest)
        var none = sigset_t()
        _ = unsafe sigemptyset(&none)
        let variables = unsafe environ
        let child = ct_fork()
        if child != 0 {
            guard child > 0 else { throw LaboratoryError.system("fork") }
            return child
        }
        dup2(nothing, STDIN_FILENO)
        dup2(output, STDOUT_FILENO)
        dup2(errors, STDERR_FILENO)
        _ = unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
        // Kept across exec.
        alarm(seconds)
        _ = ct_ptrace(CLong(PTRACE_TRACEME), 0, 0, 0)
        if let program = unsafe arguments[0] { _ = unsafe execve(program, arguments, variables) }
        _exit(127)
    }
}

/// A program that stops at each of its system calls.
private struct Trace {
    let process: pid_t
    /// The call at which something happens.
    let target: SystemCall?
    private(set) var calls: [SystemCall] = []
    /// How many calls were entered, and how many of them by number.
    private var count = 0
    private var counts: [CInt: Int] = [:]
    private(set) var hit: SystemCall?

    init(process: pid_t, target: SystemCall?) {
        self.process = process
        self.target = target
    }

    /// - Returns: the exit status, or 128 and the signal's number.
    mutating func follow(_ fault: Fault) throws -> CInt {
        var isInCall = false
        var isFailing = false
        var signal: CInt = 0
        // The stop after exec, from which on each stop at a call can be told from a signal.
        var status = wait()
        let options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL
        _ = ct_ptrace(CLong(PTRACE_SETOPTIONS), process, 0, UInt(options))
        while true {
            // After the fault, no call is looked at any more.
            let request = hit == nil || isFailing ? PTRACE_SYSCALL : PTRACE_CONT
            _ = ct_ptrace(CLong(request), process, 0, UInt(signal))
            signal = 0
            status = wait()
            let kind = status & 0x7f
            if kind == 0 { return (status >> 8) & 0xff }
            if kind != 0x7f { return 128 + kind }
            let stop = (status >> 8) & 0xff
            if stop != SIGTRAP | 0x80 {
                signal = stop == SIGTRAP ? 0 : stop
                continue
            }
            isInCall.toggle()
            if isInCall {
                isFailing = try enter(fault)
            } else if isFailing, case .error(let number) = fault {
                isFailing = false
                Registers.setResult(of: process, to: -Int(number))
            }
        }
    }

    /// - Returns: whether the call's result is to be set at its end.
    private mutating func enter(_ fault: Fault) throws -> Bool {
        let (number, arguments) = Registers.call(of: process)
        count += 1
        counts[number, default: 0] += 1
        let call = SystemCall(
            index: count, ordinal: counts[number, default: 0], number: number, arguments: arguments, text: "")
        guard let target else {
            calls.append(call)
            return false
        }
        return number == target.number && call.ordinal == target.ordinal ? try happen(fault, at: call) : false
    }

    /// - Returns: whether the call's result is to be set at its end.
    private mutating func happen(_ fault: Fault, at call: SystemCall) throws -> Bool {
        hit = Registers.describe(call, of: process)
        switch fault {
        case .kill:
            let children = Children(of: process)
            Glibc.kill(process, SIGKILL)
            children.waitForTheirEnd()
            return false
        case .error:
            Registers.skipCall(of: process)
            return true
        case .meanwhile(let body):
            do { try body() } catch {
                Glibc.kill(process, SIGKILL)
                _ = wait()
                throw error
            }
            return false
        }
    }

    private func wait() -> CInt {
        var status: CInt = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
    }
}

/// What a program started, and what goes on without it.
private struct Children {
    private let processes: [pid_t]

    init(of process: pid_t) {
        let text = Self.text("/proc/\(process)/task/\(process)/children") ?? ""
        processes = text.split(separator: " ").compactMap { pid_t($0) }
    }

    func waitForTheirEnd() {
        for process in processes {
            while let status = Self.text("/proc/\(process)/stat"), !status.contains(") Z "), !status.contains(") X ") {
                usleep(1000)
            }
        }
    }

    private static func text(_ path: String) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(file, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}

/// What a stopped program's registers say of its call.
private enum Registers {
    #if arch(x86_64)
        static let areKnown = true
        /// Offsets into `struct user_regs_struct` (`sys/user.h`): the call's number, and what it returns.
        private static let (origRax, rax): (UInt, UInt) = (15 * 8, 10 * 8)

        /// The entry does nothing then: there is no call of this number.
        static func skipCall(of process: pid_t) {
            _ = ct_ptrace(CLong(PTRACE_POKEUSR), process, origRax, UInt.max)
        }

        static func setResult(of process: pid_t, to value: Int) {
            _ = ct_ptrace(CLong(PTRACE_POKEUSR), process, rax, UInt(bitPattern: value))
        }
    #else
        static let areKnown = false
        static func skipCall(of process: pid_t) {}
        static func setResult(of process: pid_t, to value: Int) {}
    #endif

    static func call(of process: pid_t) -> (number: CInt, arguments: [UInt64]) {
        let entry = information(process).entry
        let arguments = [entry.args.0, entry.args.1, entry.args.2, entry.args.3, entry.args.4, entry.args.5]
        return (CInt(truncatingIfNeeded: entry.nr), arguments)
    }

    private static func information(_ process: pid_t) -> ptrace_syscall_info {
        var information = ptrace_syscall_info()
        let size = UInt(MemoryLayout<ptrace_syscall_info>.size)
        _ = unsafe withUnsafeMutablePointer(to: &information) {
            ct_ptrace(CLong(PTRACE_GET_SYSCALL_INFO), process, size, UInt(bitPattern: $0))
        }
        return information
    }

    /// A call with what its first two arguments point to.
    static func describe(_ call: SystemCall, of process: pid_t) -> SystemCall {
        let texts = call.arguments.prefix(2).map { text(process, at: UInt($0)) }
        return SystemCall(
            index: call.index, ordinal: call.ordinal, number: call.number, arguments: call.arguments,
            text: texts.first { !$0.isEmpty } ?? "")
    }

    /// The printable text at an address; empty where there is none.
    private static func text(_ process: pid_t, at address: UInt) -> String {
        var bytes: [UInt8] = []
        while address > 65536, bytes.count < 120 {
            // The C function returns what it reads, so that only errno tells of a failure.
            errno = 0
            let outcome = ct_ptrace(CLong(PTRACE_PEEKDATA), process, address + UInt(bytes.count), 0)
            let word = UInt(bitPattern: outcome)
            if outcome == -1, errno != 0 { return "" }
            for shift in stride(from: 0, to: UInt.bitWidth, by: 8) {
                let byte = UInt8(truncatingIfNeeded: word >> UInt(shift))
                if byte == 0 { return String(decoding: bytes, as: UTF8.self) }
                if byte < 32 || byte > 126 { return "" }
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
