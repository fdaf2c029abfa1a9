import Glibc
import Laboratory

/// The measurements as a page of Markdown.
enum Report {
    struct Result {
        let contest: Contest
        let foreignRules: Int
        let timings: [Timing]
    }

    static func text(_ results: [Result], memory: [(String, Int)]) -> String {
        var lines = [
            "# Benchmarks", "",
            "Made by `make bench`. Whole processes, from start to end; medians of interleaved runs; milliseconds of wall time",
            "and of CPU time. A ratio is the contender's wall time as a multiple of ecs-netsetup's in the same contest: above 1",
            "it is slower than ecs-netsetup.", "", "Machine: \(machine()).", "",
        ]
        for backend in ["nftables", "iptables"] {
            for title in ["first apply", "nothing to do, and verify"] {
                let chosen = results.filter { $0.contest.title == title && uses($0, backend) }
                lines += table("\(backend): \(title)", chosen)
            }
        }
        lines += ["## Targets", "", "| target | limit | measured | |", "|---|---:|---:|---|"]
        lines += targets(results, memory).map(\.row)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func uses(_ result: Result, _ backend: String) -> Bool {
        result.contest.contenders.first?.commands.first?.contains(backend) ?? false
    }

    private static func table(_ title: String, _ results: [Result]) -> [String] {
        guard let first = results.first else { return [] }
        let heads = results.map { "\($0.foreignRules) foreign rules" }
        var lines = ["## \(title)", "", "| | " + heads.joined(separator: " | ") + " |"]
        lines.append("|---|" + heads.map { _ in "---:|" }.joined())
        for (index, contender) in first.contest.contenders.enumerated() {
            let cells = results.map { result in
                let timing = result.timings[index]
                let ratio = index == 0 ? "" : ", \(number(timing.wall / result.timings[0].wall))×"
                return "\(number(timing.wall * 1000)) ms, CPU \(number(timing.cpu * 1000))\(ratio)"
            }
            lines.append("| \(contender.name) | " + cells.joined(separator: " | ") + " |")
        }
        return lines + [""]
    }

    /// A figure that was aimed at.
    private struct Target {
        let name: String
        let limit: Double
        let measured: Double
        let unit: String

        var row: String {
            let over = Int((measured / limit - 1) * 100)
            let verdict = measured <= limit ? "met" : "**missed by \(max(over, 1)) %**"
            return "| \(name) | \(number(limit))\(unit) | \(number(measured))\(unit) | \(verdict) |"
        }
    }

    private static func targets(_ results: [Result], _ memory: [(String, Int)]) -> [Target] {
        var targets: [Target] = []
        for result in results where result.contest.title == "first apply" {
            let names = result.contest.contenders.map(\.name)
            for (index, name) in names.enumerated() {
                let ratio = result.timings[0].wall / result.timings[index].wall
                let at = "at \(result.foreignRules) foreign rules"
                if name == "nft -f", result.foreignRules == 0 {
                    targets.append(Target(name: "first apply, against nft -f", limit: 0.65, measured: ratio, unit: "×"))
                }
                if name.hasPrefix("the four"), result.foreignRules == 0 {
                    targets.append(Target(name: "first apply, against \(name)", limit: 0.3, measured: ratio, unit: "×"))
                }
                if name.hasPrefix("iptables-legacy-restore") {
                    targets.append(
                        Target(name: "legacy apply, against \(name), \(at)", limit: 1.2, measured: ratio, unit: "×"))
                }
            }
        }
        let again = results.filter { $0.contest.title != "first apply" && uses($0, "nftables") }
        if let none = again.first, let most = again.last {
            for index in 0..<2 {
                targets.append(
                    Target(
                        name:
                            "nftables: \(none.contest.contenders[index].name), at \(most.foreignRules) against 0 foreign rules",
                        limit: 1.3, measured: most.timings[index].wall / none.timings[index].wall, unit: "×"))
            }
        }
        return targets
            + memory.map {
                Target(
                    name: "peak memory of a first apply, \($0.0)", limit: 12, measured: Double($0.1) / 1024,
                    unit: " MiB")
            }
    }

    private static func number(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }

    /// The kernel, the processors and the stock tools' versions.
    private static func machine() -> String {
        var name = utsname()
        _ = unsafe uname(&name)
        let release = unsafe withUnsafeBytes(of: name.release) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let machine = unsafe withUnsafeBytes(of: name.machine) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let version = release.prefix { $0.isNumber || $0 == "." }
        let tools = ["iptables-legacy", "nft"].map { tool in
            let words = (try? Laboratory.Bare().host.require([tool, "--version"]))?.split(separator: " ") ?? []
            return words.prefix(2).joined(separator: " ")
        }
        return
            "Linux \(version), \(machine), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) processors; \(tools.joined(separator: ", "))"
    }

    static func write(_ text: String, to path: String) throws {
        guard let file = unsafe fopen(path, "we") else { throw LaboratoryError("cannot write \(path)") }
        defer { unsafe fclose(file) }
        _ = unsafe fputs(text, file)
    }
}
