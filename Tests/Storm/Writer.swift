import Glibc
import Laboratory

/// Somebody else who changes rules until told to stop, and knows what is left of them.
struct Writer: Sendable {
    let name: String
    /// Shell commands that add one rule and take one away; they see how many rounds were begun as `$i`.
    let round: String
    /// Before the first round.
    var preparation = ""
    /// What the stock tools show of its rules, one a line, after a number of rounds.
    let expected: @Sendable (_ rounds: Int) -> [String]
    /// The command that shows its rules, beside others.
    let show: [String]
    /// What every line of its rules has in it.
    let mark: String
    /// Whether its order counts. In a file, a line may be overtaken by the next, some ten microseconds later.
    var isOrdered = true

    /// Where writers leave what they did, and are told to stop.
    static let folder = "/run/writers"
    static let stop = folder + "/stop"

    func start(on host: Namespace) throws -> RunningProgram {
        try host.start([
            "timeout", "-s", "KILL", "600", "sh", "-c",
            """
            exec >\(Self.folder)/\(name).log 2>&1
            i=0
            set -e
            \(preparation)
            while [ ! -e \(Self.stop) ]; do
                i=$((i + 1))
                \(round)
                echo $i >\(Self.folder)/\(name).rounds
                sleep 0.02
            done
            """,
        ])
    }

    /// How many rounds it has made.
    func rounds(on host: Namespace) throws -> Int {
        Int(try host.execute(["cat", "\(Self.folder)/\(name).rounds"]).output.prefix { $0 != "\n" }) ?? 0
    }

    /// Waits until it has made some, or clearly does not.
    func waitForRounds(_ count: Int, on host: Namespace) throws {
        var tries = 1000
        while tries > 0, try rounds(on: host) < count {
            usleep(10_000)
            tries -= 1
        }
    }

    /// What is wrong after its end; nil where nothing is.
    func fault(status: CInt, on host: Namespace) throws -> String? {
        let log = try host.execute(["cat", "\(Self.folder)/\(name).log"]).output
        if status != 0 { return "\(name) ended with status \(status): \(log)" }
        let lines = try host.require(show).split(separator: "\n").filter { $0.contains(mark) }
        let found = lines.map { $0.split { $0.isWhitespace }.joined(separator: " ") }
        let wanted = expected(try rounds(on: host))
        if isOrdered ? found == wanted : found.sorted() == wanted.sorted() { return nil }
        let missing = Set(wanted).subtracting(found).sorted()
        return "\(name): \(found.count) rules in place of \(wanted.count); missing: \(missing.prefix(3))"
    }
}

extension Writer {
    /// Appends rules by a stock tool, and takes every second one away again.
    ///
    /// - Parameters:
    ///   - tool: such as `iptables-legacy`.
    ///   - number: tells its rules from those of others.
    ///   - environment: shell assignments ahead of each command.
    ///   - deletes: whether it takes any away.
    static func appending(
        _ tool: String, table: String, chain: String, number: Int, environment: String = "", deletes: Bool = true
    ) -> Writer {
        let isIPv6 = tool.hasPrefix("ip6")
        let address = isIPv6 ? "fd0f:\(number)::$i/128" : "10.\(number).$((i / 250)).$((i % 250))/32"
        let command = { (verb: String) in
            "\(environment) \(tool) -w -t \(table) -\(verb) \(chain) -s \(address) -j ACCEPT"
        }
        let deletion = deletes ? "\n[ $((i % 2)) = 1 ] || \(command("D"))" : ""
        return Writer(
            name: "\(tool)-\(table)-\(number)", round: command("A") + deletion,
            expected: { rounds in
                (1...max(rounds, 1)).filter { !deletes || $0 % 2 == 1 }.map { round in
                    // Digits of a shell's number are digits of the address, too.
                    let source =
                        isIPv6 ? "fd0f:\(number)::\(round)/128" : "10.\(number).\(round / 250).\(round % 250)/32"
                    return "-A \(chain) -s \(source) -j ACCEPT"
                }
            },
            show: [tool, "-w", "-t", table, "-S", chain], mark: isIPv6 ? "fd0f:\(number)::" : "-s 10.\(number).")
    }

    /// Adds rules to a table of its own, and makes and deletes tables beside it.
    static func nft(number: Int) -> Writer {
        Writer(
            name: "nft-\(number)",
            round: """
                nft add rule inet somebody-\(number) c ip saddr 10.\(number).$((i / 250)).$((i % 250)) accept
                nft add table ip passing-\(number)
                nft delete table ip passing-\(number)
                """,
            preparation: "nft add table inet somebody-\(number); nft add chain inet somebody-\(number) c",
            expected: { rounds in
                (1...max(rounds, 1)).map { "ip saddr 10.\(number).\($0 / 250).\($0 % 250) accept" }
            },
            show: ["nft", "list", "table", "inet", "somebody-\(number)"], mark: "ip saddr")
    }

    /// The Docker engine, which restarts again and again.
    ///
    /// - Parameter left: what one restart leaves, on a host where nobody else is.
    static func docker(_ flavour: String, leaving left: [String]) -> Writer {
        Writer(
            name: "docker", round: DockerRestart.script(flavour), expected: { _ in left }, show: dockerRules(flavour),
            mark: "ocker")
    }

    /// Lists everything that Docker may have left.
    static func dockerRules(_ flavour: String) -> [String] {
        let (v4, v6) = ("iptables-\(flavour)", "ip6tables-\(flavour)")
        return ["sh", "-ec", "\(v4) -w -S; \(v4) -w -t nat -S; \(v6) -w -S"]
    }

    /// Adds lines at the end of a file, about a thousand in a second, and no more than the file may hold.
    ///
    /// - Parameter line: with `$i` for its number.
    static func adding(_ line: String, to file: String) -> Writer {
        Writer(
            name: "lines-\(file.split(separator: "/").joined(separator: "-"))",
            round: """
                i=$((i - 1))
                for turn in 1 2 3 4 5 6 7 8 9 10; do
                    [ $i -lt \(mostLines) ] || break
                    i=$((i + 1))
                    echo "\(line)" >>\(file)
                done
                """,
            preparation: "mkdir -p /etc/ecs",
            expected: { rounds in
                rounds == 0 ? [] : (1...rounds).map { line.split(separator: "$i").joined(separator: "\($0)") }
            },
            show: ["cat", file], mark: "WRITER_LINE_", isOrdered: false)
    }

    private static let mostLines = 10_000

    /// Somebody who deletes all rules, everybody's.
    static func flushing(_ backend: String) -> Writer {
        let legacy = ["filter", "nat", "mangle"].flatMap { table in
            ["iptables-legacy -w -t \(table) -F", "ip6tables-legacy -w -t \(table) -F"]
        }
        return Writer(
            name: "flush", round: backend == "nftables" ? "nft flush ruleset" : legacy.joined(separator: "\n"),
            expected: { _ in [] }, show: ["true"], mark: "")
    }
}
