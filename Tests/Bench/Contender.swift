import Glibc
import Laboratory

/// One thing that is measured: commands, and what puts the host back for the next round.
struct Contender {
    let name: String
    let commands: [[String]]
    /// Runs before each measurement, unmeasured.
    var prepare: [[String]] = []
    /// Runs after each measurement, unmeasured.
    var restore: [[String]] = []
}

/// Contenders that do the same job, on a host with some number of foreign rules.
struct Contest {
    let title: String
    /// The first one is ecs-netsetup.
    let contenders: [Contender]
}

/// Medians of interleaved runs, in seconds.
struct Timing {
    let wall: Double
    let cpu: Double
}

extension Contest {
    /// How long the host is left alone before each measurement, in microseconds.
    private static let settling: useconds_t = 30_000

    /// Measures every contender once a round, one after the other, so that what disturbs the machine disturbs all.
    func run(on host: Namespace, rounds: Int) throws -> [Timing] {
        var samples = Array(repeating: [(wall: Double, cpu: Double)](), count: contenders.count)
        // The first round fills caches and does not count.
        for round in 0...rounds {
            for (index, contender) in contenders.enumerated() {
                for command in contender.prepare { try host.require(command) }
                // The kernel frees deleted rules behind the scenes, and makes the next writer wait for it.
                usleep(Self.settling)
                let sample = try host.measure(contender.commands)
                for command in contender.restore { try host.require(command) }
                if round > 0 { samples[index].append(sample) }
            }
        }
        return samples.map { Timing(wall: median($0.map(\.wall)), cpu: median($0.map(\.cpu))) }
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
