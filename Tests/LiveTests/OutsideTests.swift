import Laboratory
import TestSupport
import Testing

extension Live {
    /// What the program has to do with the rest of the host, as strace sees it.
    @Suite struct OutsideTests {
        /// The programs that it may run.
        private static let programs = [
            "/sbin/modprobe", "/usr/bin/systemctl", "/bin/systemctl", "/sbin/chkconfig", "/sbin/initctl",
        ]

        @Test(
            "runs no other program, listens on nothing, and asks nobody but the kernel, the agent and Docker",
            arguments: Backend.allCases)
        func calls(_ backend: Backend) throws {
            let host = try SystemdHost()
            let apply = ["apply", "--mode", "bridge", "--backend", backend.rawValue]
            for words in [apply, ["diff"], ["verify"], ["status"], ["remove"]] {
                let calls = try calls(of: words, on: host)
                #expect(calls.first?.contains("execve(\"\(Tool.path)\"") == true)
                for call in calls.dropFirst() where !Self.isAllowed(call) { Issue.record("\(words): \(call)") }
                let talks = words == ["verify"] ? ["AF_NETLINK", "htons(51678)", "htons(51679)"] : ["AF_NETLINK"]
                // With legacy iptables, rules are no netlink.
                for talk in talks where backend == .nftables || talk != "AF_NETLINK" {
                    #expect(calls.contains { $0.contains(talk) }, "\(words): strace saw no \(talk)")
                }
                if words == apply { #expect(calls.contains { $0.contains("systemctl") }) }
            }
        }

        /// What the program did that reaches beyond it, without what programs do that it starts.
        private func calls(of words: [String], on host: SystemdHost) throws -> [String] {
            let trace = [
                "strace", "-f", "-qq", "-o", "/run/trace", "-e", "signal=none", "-e",
                "trace=execve,bind,listen,connect",
            ]
            // Whatever it says: under strace, the search for the agent may take longer than verify waits.
            _ = try host.lab.host.execute(trace + [Tool.path] + words)
            let lines = try host.lab.host.require(["cat", "/run/trace"]).split(separator: "\n").map(String.init)
            let process = lines.first?.prefix { $0 != " " } ?? ""
            var own: [String] = []
            var others: Set<Substring> = []
            for line in lines {
                let caller = line.prefix { $0 != " " }
                if others.contains(caller) { continue }
                own.append(line)
                // From there on it is another program.
                if caller != process, line.contains("execve(") { others.insert(caller) }
            }
            return own
        }

        private static func isAllowed(_ call: String) -> Bool {
            if call.contains("execve(") { return programs.contains { call.contains("execve(\"\($0)\"") } }
            if call.contains("AF_NETLINK") { return true }
            guard call.contains("connect(") else { return false }
            return call.contains("sun_path=\"/run/docker.sock\"") || call.contains("sun_path=\"/var/run/docker.sock\"")
                || call.contains("inet_addr(\"127.0.0.1\")")
        }
    }
}
