import Glibc
import Laboratory

guard getuid() == 0 else {
    print("make bench makes network namespaces and needs root: sudo make bench")
    exit(2)
}
guard CommandLine.arguments.count == 2 else {
    print("usage: bench REPORT.md")
    exit(2)
}

do {
    let report = try Benchmark().run()
    print(report)
    try Report.write(report, to: CommandLine.arguments[1])
} catch {
    print("make bench: \(error)")
    exit(1)
}
