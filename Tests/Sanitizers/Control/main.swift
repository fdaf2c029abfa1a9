import Glibc

/// `control use-after-free|leak|data-race`: does what a sanitizer has to find, to show that it would be noticed.
func useAfterFree() {
    let pointer = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    unsafe pointer.initialize(to: 1)
    unsafe pointer.deallocate()
    unsafe print(pointer.pointee)
}

/// What is lost is written over, so that no register or stack holds it any more.
func leak() {
    for size in 1...100 { unsafe memset(UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8), 1, size) }
}

func raceForData() {
    let shared = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    unsafe shared.initialize(to: 0)
    let threads = (0..<2).map { _ in
        var thread = pthread_t()
        _ = unsafe pthread_create(
            &thread, nil,
            { argument in
                for _ in 0..<1000 { unsafe argument?.assumingMemoryBound(to: Int.self).pointee += 1 }
                return nil
            }, shared)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    unsafe print(shared.pointee)
    unsafe shared.deallocate()
}

switch CommandLine.arguments.dropFirst().first {
case "use-after-free": useAfterFree()
case "leak": leak()
case "data-race": raceForData()
default: exit(2)
}
