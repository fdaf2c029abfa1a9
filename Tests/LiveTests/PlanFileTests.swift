import Laboratory
import Testing

extension Live {
    /// A plan is carried out on the running kernel as it is, or not at all.
    @Suite struct PlanFileTests {
        private static let plan = "/run/plan.json"

        private func makePlan(_ lab: Laboratory.Bare, _ backend: Backend) throws {
            let diff = ["diff", "--mode", "bridge", "--backend", backend.rawValue, "--persist", "none"]
            #expect(try lab.netsetup(diff + ["--out", Self.plan]).status == 1)
        }

        @Test("on a host with rules of ours, altered, and others'", arguments: Backend.allCases)
        func carriedOut(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(
                ["apply", "--mode", "host", "--backend", backend.rawValue, "--persist", "none"])
            try makePlan(lab, backend)
            // Others' rules and counters change all the time.
            try lab.host.require(["iptables-\(backend == .nftables ? "nft" : "legacy")", "-A", "FORWARD", "-j", "DROP"])
            try lab.requireNetsetup(["apply", "--plan", Self.plan])
            #expect(
                try lab.netsetup(["diff", "--mode", "bridge", "--backend", backend.rawValue, "--persist", "none"])
                    .status == 0)
            #expect(try lab.netsetup(["apply", "--plan", Self.plan]).status == 2)
        }

        /// What somebody may do to our part of the host in between, by backend.
        private static let changes: [(Backend, [String])] = [
            (.nftables, ["nft", "flush", "chain", "inet", "ecs-netsetup", "output"]),
            (.nftables, ["nft", "add", "table", "inet", "ecs-netsetup", "{ flags dormant; }"]),
            (.nftables, ["nft", "add", "chain", "inet", "ecs-netsetup", "other"]),
            (.iptables, ["iptables-legacy", "-t", "nat", "-F", "OUTPUT"]),
            (.iptables, ["iptables-legacy", "-t", "mangle", "-F"]),
            (.nftables, ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"]),
            (.iptables, ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"]),
        ]

        @Test("is refused, and nothing done, where our part of the host changed in between", arguments: changes)
        func refused(_ backend: Backend, _ change: [String]) throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(
                ["apply", "--mode", "host", "--backend", backend.rawValue, "--persist", "none"])
            try makePlan(lab, backend)
            try lab.host.require(change)
            let before = try Witness.everything(lab)
            let applied = try lab.netsetup(["apply", "--plan", Self.plan])
            #expect(applied.status == 2)
            #expect(applied.errors.contains("make the plan anew"), "\(applied.errors)")
            #expect(try Witness.everything(lab) == before)
        }
    }
}
