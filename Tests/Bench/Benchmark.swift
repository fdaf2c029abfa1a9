import Glibc
import Laboratory

/// Measures ecs-netsetup against the stock tools on hosts with many foreign rules.
struct Benchmark {
    /// The numbers of foreign rules, and how many rounds each is measured.
    private let sizes: [(rules: Int, rounds: Int)] = [(0, 61), (1000, 41), (10000, 21), (50000, 9)]

    /// The whole report, in Markdown.
    func run() throws -> String {
        // A second host with the same rules: on a real one, Docker has netfilter's hooks switched on already, and
        // switching the first one on costs the kernel milliseconds that belong to no contender.
        let other = try Laboratory.Bare()
        try other.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables", "--persist", "none"])
        var results: [Report.Result] = []
        for backend in ["nftables", "iptables"] {
            for size in sizes {
                let lab = try Laboratory.Bare()
                try ForeignRules.install(size.rules, on: lab.host, backend)
                for contest in try Contests.all(lab, backend) {
                    let timings = try contest.run(on: lab.host, rounds: size.rounds)
                    results.append(Report.Result(contest: contest, foreignRules: size.rules, timings: timings))
                }
            }
        }
        let memory = try ["nftables", "iptables"].map { ($0, try peakMemory(backend: $0)) }
        withExtendedLifetime(other) {}
        return Report.text(results, memory: memory)
    }

    /// The peak resident memory of a first apply, in KiB, as time(1) tells: it starts the program from a small process,
    /// whose own memory would count otherwise.
    private func peakMemory(backend: String) throws -> Int {
        let lab = try Laboratory.Bare()
        let result = try lab.host.execute(
            ["/usr/bin/time", "-f", "%M", Tool.path, "apply", "--mode", "bridge", "--backend", backend, "--quiet"])
        guard result.status == 0, let kilobytes = Int(result.errors.filter { $0 != "\n" }) else {
            throw LaboratoryError("time: \(result.errors)")
        }
        return kilobytes
    }
}

/// Rules that are somebody else's.
enum ForeignRules {
    /// Puts so many rules into a chain of the stock filter table, or of a table of nf_tables.
    static func install(_ count: Int, on host: Namespace, _ backend: String) throws {
        if count == 0 { return }
        let addresses = (0..<count).map { "10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)" }
        if backend == "nftables" {
            let rules = addresses.map { "add rule ip foreign rules ip saddr \($0) counter drop\n" }.joined()
            try host.require(["nft", "-f", "-"], input: "add table ip foreign\nadd chain ip foreign rules\n" + rules)
        } else {
            let rules = addresses.map { "-A FOREIGN -s \($0)/32 -j DROP\n" }.joined()
            try host.require(["iptables-legacy-restore"], input: "*filter\n:FOREIGN - [0:0]\n\(rules)COMMIT\n")
        }
    }
}
