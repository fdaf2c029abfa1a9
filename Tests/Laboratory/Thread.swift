import Glibc
import Synchronization

/// Runs `body` on a thread of its own and waits for it, so that what it does to its thread (namespaces above all) ends
/// with it.
func onOwnThread<Value>(_ body: @escaping () throws -> Value) throws -> Value {
    let task = ThreadTask(body)
    var thread = pthread_t()
    let argument = unsafe Unmanaged.passRetained(task).toOpaque()
    let code = unsafe pthread_create(&thread, nil, { unsafe runTask($0) }, argument)
    guard code == 0 else { throw LaboratoryError("pthread_create: error \(code)") }
    pthread_join(thread, nil)
    guard let result = task.result else { throw LaboratoryError("a thread ended without a result") }
    return try result.get()
}

private func runTask(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument = unsafe argument { unsafe Unmanaged<ErasedTask>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}

private class ErasedTask {
    func run() {}
}

private final class ThreadTask<Value>: ErasedTask {
    private let body: () throws -> Value
    private(set) var result: Result<Value, any Error>?

    init(_ body: @escaping () throws -> Value) { self.body = body }

    override func run() { result = Result { try body() } }
}

/// A thread that goes on until it is told to stop.
package final class BackgroundThread: @unchecked Sendable {
    // Written before the thread starts and read after it has been joined.
    private var thread = pthread_t()
    private let stopping = Atomic(false)
    private let joined = Atomic(false)

    /// Starts a thread in a namespace.
    ///
    /// - Parameter body: is given a closure that says whether to stop; asked often enough, the thread ends soon.
    package init(in namespace: Namespace, _ body: @escaping @Sendable (_ mustStop: () -> Bool) -> Void) throws {
        let task = ThreadTask { [self] in
            try namespace.enter()
            body { self.stopping.load(ordering: .acquiring) }
        }
        let argument = unsafe Unmanaged.passRetained(task).toOpaque()
        let code = unsafe pthread_create(&thread, nil, { unsafe runTask($0) }, argument)
        guard code == 0 else { throw LaboratoryError("pthread_create: error \(code)") }
    }

    /// Stops the thread and waits for its end.
    package func stop() {
        stopping.store(true, ordering: .releasing)
        if !joined.exchange(true, ordering: .acquiringAndReleasing) { pthread_join(thread, nil) }
    }
}

/// What could not be set up.
package struct LaboratoryError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// The failure of a C function, with its error text.
    static func system(_ function: String) -> LaboratoryError {
        let number = errno
        return LaboratoryError("\(function): \(unsafe String(cString: strerror(number)))")
    }
}
