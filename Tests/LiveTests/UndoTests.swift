import Laboratory
import Testing

extension Live {
    /// When a step fails, what was done before it is taken back, and said.
    @Suite struct UndoTests {
        /// A bare host whose stock tables exist, so that making them is no difference.
        private func host() throws -> Laboratory.Bare {
            let lab = try Laboratory.Bare()
            for table in ["filter", "nat", "mangle"] { try lab.host.require(["iptables-legacy", "-t", table, "-S"]) }
            for table in ["filter", "mangle"] { try lab.host.require(["ip6tables-legacy", "-t", table, "-S"]) }
            try lab.host.require(["iptables-legacy", "-A", "INPUT", "-s", "10.0.0.1", "-j", "ACCEPT"])
            return lab
        }

        /// - Parameter path: the file whose calls alone count; nil for all calls.
        private func inject(
            _ fault: String, at path: String? = nil, _ arguments: [String], on lab: Laboratory.Bare
        ) throws -> ProgramResult {
            let filter = path.map { ["-P", $0] } ?? []
            let trace = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=\(fault)"] + filter
            return try lab.host.execute(trace + [Tool.path] + arguments)
        }

        /// A commit of one table is one or two calls: the entries, and the counters of those that stay.
        @Test("a legacy table that cannot be written: the tables before it are put back", arguments: 1...8)
        func legacyTable(_ call: Int) throws {
            let lab = try host()
            let apply = ["apply", "--backend", "iptables", "--mode"]
            for modes in ["bridge", "bridge,host,awsvpc"] {
                let before = try Witness.everything(lab)
                let result = try inject("setsockopt:error=ENOMEM:when=\(call)", apply + [modes], on: lab)
                if result.status == 0 { continue }
                #expect(result.status == 2)
                #expect(result.errors.contains("iptc_commit: cannot allocate memory"), "\(result.errors)")
                #expect(try Witness.everything(lab) == before, "call \(call), mode \(modes): \(result.errors)")
                try lab.requireNetsetup(apply + [modes])
            }
        }

        @Test(
            "a kernel parameter that cannot be written in the end: the rules are taken back",
            arguments: Backend.allCases)
        func sysctl(_ backend: Backend) throws {
            let lab = try host()
            let before = try Witness.everything(lab)
            let apply = ["apply", "--mode", "bridge", "--backend", backend.rawValue]
            let parameter = "/proc/sys/net/ipv4/conf/all/route_localnet"
            let result = try inject("write:error=EIO:when=1", at: parameter, apply, on: lab)
            #expect(result.status == 2)
            #expect(result.errors.contains("route_localnet") && result.errors.contains("undone"), "\(result.errors)")
            #expect(try Witness.everything(lab) == before)
            try lab.requireNetsetup(apply)
        }

        /// A rule that drops what ours did, in words that this program does not write.
        private static let alterations: [Backend: String] = [
            .nftables: """
            rule=$(nft -a list chain inet ecs-netsetup forward | sed -n '/ip daddr 169.254.169.254/s/.*# handle //p')
            nft replace rule inet ecs-netsetup forward handle $rule ip daddr 169.254.169.254 iifname '"docker*"' \
                counter log drop comment '"ecs-netsetup: no IMDS for docker+"'
            """,
            .iptables: """
            rule=$(iptables-legacy -t mangle -S FORWARD | sed -n '/169.254.169.254/s/-A FORWARD //p')
            eval iptables-legacy -t mangle -D FORWARD "$rule"
            eval iptables-legacy -t mangle -I FORWARD -m statistic --mode random --probability 1 "$rule"
            """,
        ]

        @Test(
            "a rule of ours that somebody altered cannot be put back: what is safe stays", arguments: Backend.allCases)
        func altered(_ backend: Backend) throws {
            let lab = try host()
            let apply = ["apply", "--mode", "bridge", "--backend", backend.rawValue]
            try lab.requireNetsetup(apply)
            try lab.host.require(["sh", "-ec", try #require(Self.alterations[backend])])
            try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
            let parameter = "/proc/sys/net/ipv4/conf/all/route_localnet"
            let result = try inject("write:error=EIO:when=1", at: parameter, apply, on: lab)
            #expect(result.status == 2)
            #expect(result.errors.contains("cannot be written again"), "\(result.errors)")
            let show = backend == .nftables ? "nft list ruleset" : "iptables-legacy-save; ip6tables-legacy-save"
            let rules = try lab.host.require(["sh", "-ec", show])
            for address in ["169.254.169.254", "fd00:ec2::254"] { #expect(rules.contains(address), "\(rules)") }
            #expect(rules.contains("localhost guard"))
            try lab.requireNetsetup(apply)
        }

        @Test("a batch that nf_tables refuses: nothing is changed", arguments: ["ENOBUFS", "ENOMEM"])
        func batch(_ fault: String) throws {
            let lab = try host()
            let before = try Witness.everything(lab)
            let apply = ["apply", "--mode", "bridge", "--backend", "nftables", "--wait", "0"]
            // Six requests read the ruleset; the seventh message is the batch.
            let result = try inject("sendto:error=\(fault):when=7", apply, on: lab)
            #expect(result.status == 2)
            #expect(result.errors.contains("mnl_socket_sendto"), "\(result.errors)")
            #expect(try Witness.everything(lab) == before)
        }
    }
}
