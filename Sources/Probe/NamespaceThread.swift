import CNamespaces
import Glibc
import Model

/// Threads, because a network namespace is a thread's: this process's own threads never leave theirs, so that nothing has
/// to find a way back.
enum NamespaceThread {
    /// Runs `body` for every item at once, each on a thread of its own, and waits for all of them.
    ///
    /// - Returns: nil for an item whose thread could not be started. The corresponding C function is `pthread_create`.
    static func map<Item, Value>(_ items: [Item], _ body: @escaping (Item) -> Value) -> [Value?] {
        let tasks = items.map { item in ThreadTask { body(item) } }
        let threads = tasks.map { task -> pthread_t? in
            var thread = pthread_t()
            // Safe: the task is retained for the thread, which takes that reference over as it starts; where it does
            // not start, the reference is released here, and nobody has it any more.
            let argument = unsafe Unmanaged.passRetained(task as ErasedTask).toOpaque()
            let code = unsafe pthread_create(&thread, nil, { unsafe runTask($0) }, argument)
            if code == 0 { return thread }
            unsafe Unmanaged<ErasedTask>.fromOpaque(argument).release()
            return nil
        }
        for case let thread? in threads { _ = pthread_join(thread, nil) }
        return tasks.map(\.value)
    }

    /// Runs `body` on a thread that is in a namespace.
    static func run<Value>(in namespace: CInt, _ body: @escaping () -> Value) -> Value? {
        let results = map([()]) { () -> Value? in setns(namespace, CLONE_NEWNET) == 0 ? body() : nil }
        return results.first.flatMap(\.self).flatMap(\.self)
    }

    /// Moves the calling thread into a new namespace, for good. The corresponding C function is `unshare`.
    ///
    /// - Returns: a file descriptor of it. It ends with the last descriptor and socket of it, and so with this process.
    static func enterNew() throws(Failure) -> CInt {
        guard unshare(CLONE_NEWNET) == 0 else {
            throw .system(
                "cannot make a network namespace", source: "unshare", errno: errno,
                advice: "run as root, or with the capability CAP_SYS_ADMIN, on a kernel with network namespaces")
        }
        return try openCurrent()
    }

    /// The file of the network namespace that the calling thread is in.
    static let current = "/proc/thread-self/ns/net"

    /// Opens that file. The corresponding C function is `open`.
    static func openCurrent() throws(Failure) -> CInt {
        let file = SystemCall.open(current, O_RDONLY | O_CLOEXEC)
        if file < 0 { throw .system("cannot open a network namespace", source: current, errno: errno) }
        return file
    }
}

/// Safe: only `NamespaceThread.map` starts a thread with it, and gives it a task that is retained for it.
private func runTask(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument = unsafe argument { unsafe Unmanaged<ErasedTask>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}

private class ErasedTask {
    func run() {}
}

private final class ThreadTask<Value>: ErasedTask {
    private let body: () -> Value
    // Written by the thread, and read after it has been joined.
    private(set) var value: Value?

    init(_ body: @escaping () -> Value) { self.body = body }

    override func run() { value = body() }
}
