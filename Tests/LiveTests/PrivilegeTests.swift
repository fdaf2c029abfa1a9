import Laboratory
import Testing

extension Live {
    /// What SECURITY.md says that the commands need: with these capabilities and no other, and without one of them.
    @Suite struct PrivilegeTests {
        private static let needed: [Backend: [String]] = [
            .nftables: ["net_admin"], .iptables: ["net_admin", "net_raw"],
        ]

        private func run(
            _ host: Namespace, _ words: [String], with capabilities: [String]
        ) throws -> ProgramResult {
            let bounding = (["-all"] + capabilities.map { "+" + $0 }).joined(separator: ",")
            return try host.execute(["setpriv", "--bounding-set", bounding, Tool.path] + words)
        }

        /// Each with the status that it ends with.
        private func commands(_ backend: Backend) -> [(words: [String], status: CInt)] {
            let options = ["--mode", "bridge", "--backend", backend.rawValue]
            return [
                (["diff"] + options, 1), (["apply"] + options, 0), (["apply"] + options, 0), (["verify"], 0),
                (["diff"] + options, 0), (["status"], 0), (["remove"], 0),
            ]
        }

        @Test("these capabilities are enough for every command", arguments: Backend.allCases)
        func enough(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let capabilities = try #require(Self.needed[backend])
            for (words, status) in commands(backend) {
                if words == ["verify"] { try lab.host.restartAgent() }
                let result = try run(lab.host, words, with: capabilities + (words == ["verify"] ? ["sys_ptrace"] : []))
                #expect(result.status == status, "\(words): \(result.output)\(result.errors)")
            }
        }

        @Test("with those for namespaces and packets of its own besides, verify can probe", arguments: Backend.allCases)
        func packets(_ backend: Backend) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            let apply = commands(backend)[1].words + ["--bridge-interface", "docker+,br-+"]
            #expect(try lab.netsetup(apply).status == 0)
            try lab.host.restartAgent()
            let capabilities = ["net_admin", "net_raw", "sys_ptrace", "sys_admin"]
            let result = try run(lab.host, ["verify", "--probe"], with: capabilities)
            #expect(result.status == 0, "\(result.output)\(result.errors)")
        }

        @Test("without the one for other processes, verify cannot tell of the agent's configuration, and says so")
        func otherProcesses() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge"])
            try lab.host.restartAgent()
            let result = try run(lab.host, ["verify"], with: ["net_admin"])
            #expect(result.status == 2 && result.output.contains("CAP_SYS_PTRACE"), "\(result.output)")
            #expect(result.output.contains(", 1 could not be decided"), "\(result.output)")
            #expect(try lab.netsetup(["verify"]).status == 0)
        }

        @Test("without one of them nothing is changed, and the message names them", arguments: Backend.allCases)
        func missing(_ backend: Backend) throws {
            let capabilities = try #require(Self.needed[backend])
            for missing in capabilities {
                let lab = try Laboratory.Bare()
                let apply = commands(backend)[1].words
                let result = try run(lab.host, apply, with: capabilities.filter { $0 != missing })
                #expect(result.status == 2, "\(missing): \(result.output)\(result.errors)")
                #expect(result.errors.contains("CAP_NET_ADMIN and CAP_NET_RAW"), "\(missing): \(result.errors)")
                #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
                #expect(try lab.host.execute(["test", "-e", "/etc/ecs-netsetup.conf"]).status != 0)
                try lab.requireNetsetup(apply)
            }
        }
    }
}
