import Laboratory
import Testing

extension Live {
    /// Our rules and the stock tools' are the same rules.
    @Suite struct StockToolTests {
        private static let variants = [
            "--mode bridge", "--mode host", "--mode awsvpc",
            "--mode bridge,host,awsvpc --bridge-interface docker0 --bridge-interface br-+ --bridge-interface abcdefghijklmno",
            "--mode bridge --imds-placement documented --imds-action reject",
        ]

        /// The printed commands spell `iptables`; the legacy tools are `iptables-legacy`.
        private func legacy(_ command: String) -> String {
            command.hasPrefix("ip6tables")
                ? "ip6tables-legacy" + command.dropFirst(9) : "iptables-legacy" + command.dropFirst(8)
        }

        @Test("legacy entries are byte for byte what the stock tool makes of the printed commands", arguments: variants)
        func legacyBytes(_ options: String) throws {
            let ours = try Laboratory.Bare()
            let stock = try Laboratory.Bare()
            let printed = try ours.netsetup(
                ["diff", "--backend", "iptables", "--color", "never", "--persist", "none"]
                    + options.split(separator: " ").map(String.init))
            for line in printed.output.split(separator: "\n") where line.hasPrefix("+ ") {
                try stock.host.require(["sh", "-c", legacy(String(line.dropFirst(2)))])
            }
            try ours.requireNetsetup(
                ["apply", "--backend", "iptables"] + options.split(separator: " ").map(String.init))
            for table in KernelTable.all {
                let (first, second) = (
                    try KernelTable.entries(table, in: ours.host), try KernelTable.entries(table, in: stock.host)
                )
                #expect(!first.isEmpty || second.isEmpty, "\(table)")
                #expect(first == second, "\(table)")
            }
        }

        @Test(
            "iptables-legacy -S prints each rule as diff spells it, and -D with that text deletes it",
            arguments: variants)
        func legacySpelling(_ options: String) throws {
            let lab = try Laboratory.Bare()
            let words = options.split(separator: " ").map(String.init)
            let printed = try lab.netsetup(
                ["diff", "--backend", "iptables", "--color", "never", "--persist", "none"] + words
            ).output
            try lab.requireNetsetup(["apply", "--backend", "iptables"] + words)
            for line in printed.split(separator: "\n") where line.hasPrefix("+ ") {
                // iptables -t TABLE -I CHAIN POSITION SPECIFICATION
                let parts = line.dropFirst(2).split(separator: " ", maxSplits: 6).map(String.init)
                let (program, table, chain, specification) = (legacy(parts[0]), parts[2], parts[4], parts[6])
                let listed = try lab.host.require([program, "-t", table, "-S", chain]).split(separator: "\n")
                #expect(listed.contains(Substring("-A \(chain) \(specification)")), "\(specification)")
                try lab.host.require(["sh", "-c", "\(program) -t \(table) -D \(chain) \(specification)"])
            }
            let status = try lab.netsetup(["status"]).output
            #expect(status.contains("no rule of ecs-netsetup"), "every rule was deleted by its printed form: \(status)")
        }

        @Test("the table that stock nft makes of the printed commands is the desired one", arguments: variants)
        func nftSpelling(_ options: String) throws {
            let stock = try Laboratory.Bare()
            let ours = try Laboratory.Bare()
            let words = options.split(separator: " ").map(String.init)
            let printed = try stock.netsetup(
                ["diff", "--backend", "nftables", "--color", "never", "--persist", "none"] + words
            ).output
            for line in printed.split(separator: "\n") where line.hasPrefix("+ ") {
                try stock.host.require(["sh", "-c", String(line.dropFirst(2))])
            }
            try stock.host.writeSysctl("ipv4/conf/all/route_localnet", words.contains("host") ? "0" : "1")
            let verified = try stock.netsetup(["verify", "--backend", "nftables", "--persist", "none"] + words)
            #expect(verified.status == 0, "\(verified.output)")
            try ours.requireNetsetup(["apply", "--backend", "nftables"] + words)
            let list = ["nft", "-s", "list", "ruleset"]
            #expect(try ours.host.require(list) == stock.host.require(list))
        }

        @Test("diff --format json and diff list the same commands")
        func jsonTwin() throws {
            let lab = try Laboratory.Bare()
            for backend in Backend.allCases {
                let options = ["diff", "--mode", "bridge", "--persist", "none", "--backend", backend.rawValue]
                let text = try lab.netsetup(options).output.split(separator: "\n")
                let json = try lab.netsetup(options + ["--format", "json"]).output
                for line in text where line.hasPrefix("+ ") {
                    let quoted = line.dropFirst(2).split(separator: "\"").joined(separator: "\\\"")
                    #expect(json.contains(quoted), "\(line)")
                }
            }
        }
    }
}
