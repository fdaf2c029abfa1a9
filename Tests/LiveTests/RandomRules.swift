import TestSupport

/// A random ruleset that can be spelled for `iptables-restore` and for `nft`.
struct RandomRules {
    /// Where base chains hang: stock table and chain, and hook and priority of nf_tables.
    enum Place: CaseIterable {
        case rawPrerouting, manglePrerouting, mangleInput, filterInput, mangleForward, filterForward

        var stock: (table: String, chain: String) {
            switch self {
            case .rawPrerouting: ("raw", "PREROUTING")
            case .manglePrerouting: ("mangle", "PREROUTING")
            case .mangleInput: ("mangle", "INPUT")
            case .filterInput: ("filter", "INPUT")
            case .mangleForward: ("mangle", "FORWARD")
            case .filterForward: ("filter", "FORWARD")
            }
        }

        var hook: String { stock.chain.lowercased() }

        var priority: Int {
            switch stock.table {
            case "raw": -300
            case "mangle": -150
            default: 0
            }
        }
    }

    /// A condition as both tools spell it.
    struct Condition {
        let iptables: String
        let nft: String
    }

    struct Rule {
        let conditions: [Condition]
        /// `ACCEPT`, `DROP`, `RETURN`, `MARK`, nothing, or a chain's name.
        let verdict: String
        let isGoto: Bool
    }

    struct Chain {
        let place: Place
        let drops: Bool
        var rules: [Rule]
    }

    /// Chains that are jumped to: in each table of their own.
    private(set) var called: [String: [String: [Rule]]] = [:]
    private(set) var bases: [Chain] = []

    private static let anywhere = [
        Condition(iptables: "-s 172.17.0.0/16", nft: "ip saddr 172.17.0.0/16"),
        Condition(iptables: "! -s 172.17.0.0/20", nft: "ip saddr != 172.17.0.0/20"),
        Condition(iptables: "-s 10.0.0.0/8", nft: "ip saddr 10.0.0.0/8"),
        Condition(iptables: "-d 169.254.0.0/16", nft: "ip daddr 169.254.0.0/16"),
        Condition(iptables: "! -d 10.0.0.10", nft: "ip daddr != 10.0.0.10"),
        Condition(iptables: "-d 169.254.169.254", nft: "ip daddr { 169.254.169.254, 169.254.170.0-169.254.170.9 }"),
        Condition(iptables: "-i docker0", nft: "iifname \"docker0\""),
        Condition(iptables: "-i docker+", nft: "iifname \"docker*\""),
        Condition(iptables: "! -i docker0", nft: "iif != \"docker0\""),
        Condition(iptables: "! -i eth0", nft: "iifname != { \"eth0\", \"lo\" }"),
        Condition(iptables: "-p tcp", nft: "meta l4proto { tcp, udp }"),
        Condition(iptables: "-p udp", nft: "meta l4proto udp"),
        Condition(iptables: "! -p udp", nft: "ip protocol != udp"),
        Condition(iptables: "-p tcp -m tcp --dport 80", nft: "tcp dport 80"),
        Condition(iptables: "-p tcp -m tcp --dport 51000:52000", nft: "tcp dport 51000-52000"),
        Condition(iptables: "-p tcp -m tcp ! --dport 22", nft: "tcp dport != 22"),
        Condition(iptables: "-p tcp -m multiport --dports 22,80,8000:9000", nft: "tcp dport { 22, 80, 8000-9000 }"),
        Condition(iptables: "-p tcp -m multiport ! --dports 22,51678", nft: "tcp dport != { 22, 51678 }"),
        Condition(iptables: "-m addrtype --dst-type LOCAL", nft: "fib daddr type local"),
        Condition(iptables: "-m addrtype ! --dst-type LOCAL", nft: "fib daddr type != local"),
        Condition(iptables: "-m addrtype --dst-type MULTICAST", nft: "fib daddr type { broadcast, multicast }"),
        Condition(iptables: "-m mark --mark 0x0/0xff", nft: "meta mark & 0xff == 0x0"),
        Condition(iptables: "-m mark ! --mark 0x2", nft: "meta mark != 0x2"),
        Condition(iptables: "-m conntrack --ctstate NEW", nft: "ct state new"),
        Condition(iptables: "-m conntrack --ctstate INVALID", nft: "ct state invalid"),
        Condition(iptables: "-m state --state NEW,RELATED", nft: "ct state { new, related }"),
        Condition(iptables: "-m conntrack ! --ctstate DNAT", nft: "ct status & dnat == 0"),
    ]

    private static let forwarded = [
        Condition(iptables: "-o eth0", nft: "oifname \"eth0\""),
        Condition(iptables: "! -o docker0", nft: "oif != \"docker0\""),
        Condition(iptables: "-o br+", nft: "oifname \"br*\""),
    ]

    init(_ random: inout SplitMix64) {
        for place in Place.allCases where Int.random(in: 0..<10, using: &random) < 6 {
            let rules = Self.rules(place, &random, targets: ["ACCEPT", "DROP", "RETURN", "MARK", "", "one", "two"])
            bases.append(Chain(place: place, drops: Int.random(in: 0..<4, using: &random) == 0, rules: rules))
        }
        for table in Set(bases.map(\.place.stock.table)).sorted() {
            let place = bases.first { $0.place.stock.table == table }?.place ?? .filterInput
            // Both hooks of a table call them, so they ask for nothing that only one has.
            let common: Place = place == .rawPrerouting ? place : .filterInput
            called[table] = [
                "one": Self.rules(common, &random, targets: ["ACCEPT", "DROP", "RETURN", "", "two"]),
                "two": Self.rules(common, &random, targets: ["ACCEPT", "DROP", "RETURN", "", "MARK"]),
            ]
        }
    }

    private static func rules(_ place: Place, _ random: inout SplitMix64, targets: [String]) -> [Rule] {
        (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let pool = place.hook == "forward" ? anywhere + forwarded : anywhere
            var conditions: [Condition] = []
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                guard let next = pool.randomElement(using: &random) else { continue }
                // One condition of a kind: iptables takes each option once.
                let kind = next.iptables.split(separator: " ").first { $0 != "!" }
                let isTaken = conditions.contains { $0.iptables.split(separator: " ").contains { $0 == kind } }
                if !isTaken { conditions.append(next) }
            }
            return Rule(
                conditions: conditions, verdict: targets.randomElement(using: &random) ?? "",
                isGoto: Int.random(in: 0..<4, using: &random) == 0)
        }
    }

    // MARK: - Spelling

    /// What keeps answers and later packets out of the question.
    private static func first(_ place: Place) -> (iptables: String, nft: String) {
        place == .rawPrerouting
            ? ("! -i docker0 -j ACCEPT", "iifname != \"docker0\" accept")
            : ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "ct state established,related accept")
    }

    var forIptables: String {
        ["raw", "mangle", "filter"].map { table in
            var lines = ["*\(table)"]
            for chain in bases where chain.place.stock.table == table {
                lines.append(":\(chain.place.stock.chain) \(chain.drops ? "DROP" : "ACCEPT") [0:0]")
            }
            lines += (called[table] ?? [:]).keys.sorted().map { ":\($0) - [0:0]" }
            for chain in bases where chain.place.stock.table == table {
                let name = chain.place.stock.chain
                lines.append("-A \(name) \(Self.first(chain.place).iptables)")
                lines += chain.rules.map { Self.iptables($0, name, table) }
            }
            for (name, rules) in (called[table] ?? [:]).sorted(by: { $0.key < $1.key }) {
                lines += rules.map { Self.iptables($0, name, table) }
            }
            return lines.joined(separator: "\n") + "\nCOMMIT\n"
        }.joined()
    }

    private static func iptables(_ rule: Rule, _ chain: String, _ table: String) -> String {
        let verdict =
            switch rule.verdict {
            case "": ""
            // Only table mangle has it.
            case "MARK": table == "mangle" ? "-j MARK --set-mark 1" : ""
            case "one", "two": (rule.isGoto ? "-g " : "-j ") + rule.verdict
            default: "-j " + rule.verdict
            }
        return "-A \(chain) " + (rule.conditions.map(\.iptables) + [verdict]).joined(separator: " ")
    }

    var forNft: String {
        let tables = Set(bases.map(\.place.stock.table)).sorted()
        return tables.map { table in
            var text = "table inet \(table)-like {\n"
            for (name, rules) in (called[table] ?? [:]).sorted(by: { $0.key > $1.key }) {
                text += "chain \(name) {\n" + rules.map(Self.nft).joined() + "}\n"
            }
            for chain in bases where chain.place.stock.table == table {
                text += "chain \(chain.place.hook) {\n"
                text += "type filter hook \(chain.place.hook) priority \(chain.place.priority)"
                text += "; policy \(chain.drops ? "drop" : "accept");\n\(Self.first(chain.place).nft)\n"
                text += chain.rules.map(Self.nft).joined() + "}\n"
            }
            return text + "}\n"
        }.joined()
    }

    private static func nft(_ rule: Rule) -> String {
        let verdict =
            switch rule.verdict {
            case "": "counter"
            case "MARK": "meta mark set 1"
            case "one", "two": (rule.isGoto ? "goto " : "jump ") + rule.verdict
            case let verdict: verdict.lowercased()
            }
        // Now and then as a map of verdicts.
        if rule.conditions.isEmpty, rule.verdict == "DROP" {
            return "meta nfproto ipv4 iifname vmap { \"eth0\" : accept, \"docker0\" : drop }\n"
        }
        return (rule.conditions.map(\.nft) + [verdict]).joined(separator: " ") + "\n"
    }
}
