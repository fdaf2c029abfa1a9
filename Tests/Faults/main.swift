import Glibc
import Laboratory

guard getuid() == 0 else {
    print("make test-faults makes network namespaces and needs root: sudo make test-faults")
    exit(2)
}

/// `faults STRIDE [WALK]`: every how many cases one is tried, and of which walks. Where all are, the walk's row of the page is
/// written.
let arguments = CommandLine.arguments
guard arguments.count >= 2, arguments.count <= 3, let stride = Int(arguments[1]), stride > 0 else {
    print("usage: faults STRIDE [WALK]")
    exit(2)
}

do {
    try nameProcess()
    if !Tracer.canFail { print("errors are skipped: on this architecture no call is made to fail") }
    if stride > 1 { print("a fixed sample: 1 of \(stride) cases of each kind and command") }
    var total = Tally()
    for walk in Walk.all where arguments.count == 2 || walk.title.contains(arguments[2]) {
        let (calls, tally) = try Matrix(stride: stride).run(walk)
        if stride == 1, Tracer.canFail { try Page.publish(walk, calls: calls, tally) }
        total.add(tally)
    }
    print("\(total.tried) cases tried, \(total.held) held, \(total.failed) failed")
    exit(total.failed == 0 && total.tried > 0 ? 0 : 1)
} catch {
    print("make test-faults: \(error)")
    exit(2)
}

/// Calls this process as the agent's is called: the stub agent is part of it, and verification looks at processes of that
/// name first, however many there are.
func nameProcess() throws {
    guard let file = unsafe fopen("/proc/self/comm", "we") else {
        throw LaboratoryError("cannot write /proc/self/comm")
    }
    defer { unsafe fclose(file) }
    _ = unsafe fputs("agent", file)
}
