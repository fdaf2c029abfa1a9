import Laboratory
import Testing

extension Live {
    /// Nothing leaks and nothing fails while the rules are replaced.
    @Suite struct TrafficTests {
        /// A counter of the stock tool's at IMDS itself, for whatever comes from containers.
        private static let counter = """
            table netdev watch {
                counter leaked {
                }
                chain ingress {
                    type filter hook ingress device "to-host" priority 0;
                    ip saddr 172.16.0.0/12 ip daddr 169.254.169.254 counter name leaked
                    ip6 saddr { fd00:17::/64, fd00:18::/64 } ip6 daddr fd00:ec2::254 counter name leaked
                }
            }

            """

        private func leaked(_ lab: Laboratory) throws -> Int {
            let text = try lab.vpc.require(["nft", "list", "counter", "netdev", "watch", "leaked"])
            let words = text.split { " \t\n".contains($0) }
            let index = try #require(words.firstIndex(of: "packets"))
            return try #require(Int(words[index + 1]))
        }

        @Test("200 replaces: no packet to IMDS gets through, no credentials request fails", arguments: Backend.allCases)
        func replaces(_ backend: Backend) throws {
            let lab = try Laboratory()
            defer { lab.stop() }
            try lab.vpc.require(["nft", "-f", "-"], input: Self.counter)
            _ = try lab.container.reach(Laboratory.metadata, port: 80)
            #expect(try leaked(lab) > 0, "the counter counts")
            // Two plans that both cover docker0, so that every apply replaces.
            let plans = [["--mode", "bridge"], ["--mode", "bridge,host,awsvpc", "--bridge-interface", "docker0"]]
            let apply = { (plan: [String]) in try lab.netsetup(["apply", "--backend", backend.rawValue] + plan) }
            #expect(try apply(plans[1]).status == 0)
            let before = try leaked(lab)
            let meter = try TrafficMeter(
                in: lab.container, forbidden: [Laboratory.metadata, Laboratory.metadata6],
                asking: Laboratory.credentials)
            defer { meter.stop() }
            var replaced = 0
            for round in 0..<200 {
                let result = try apply(plans[round % 2])
                #expect(result.status == 0, "\(result.errors)")
                if !result.output.hasPrefix("nothing to do") { replaced += 1 }
            }
            meter.stop()
            #expect(replaced == 200)
            #expect(try leaked(lab) == before, "of \(meter.packets) packets")
            #expect(meter.failures == 0, "of \(meter.requests) requests")
            #expect(meter.packets > 1000 && meter.requests > 200)
            print(
                "\(backend.rawValue): 200 replaces, \(meter.packets) packets to IMDS, 0 through; \(meter.requests) requests, \(meter.failures) failed"
            )
        }
    }

    /// Others write at the same time.
    @Suite struct ConcurrencyTests {
        @Test("400 appends of iptables-legacy beside 100 applies and removes: none is lost")
        func appends() throws {
            let lab = try Laboratory.Bare()
            let script = """
                for i in $(seq 1 100); do
                  iptables-legacy -w -A INPUT -s 10.9.0.$i -j ACCEPT && iptables-legacy -w -t mangle -A FORWARD -s 10.9.1.$i -j ACCEPT &&
                  iptables-legacy -w -t nat -A PREROUTING -s 10.9.2.$i -j ACCEPT && ip6tables-legacy -w -t mangle -A INPUT -s fd00::$i -j ACCEPT || exit 1
                done
                """
            let writer = try lab.host.start(["sh", "-c", script])
            var failed = 0
            for round in 0..<200 {
                let arguments = round % 2 == 0 ? ["apply", "--mode", "bridge", "--backend", "iptables"] : ["remove"]
                if try lab.netsetup(arguments).status != 0 { failed += 1 }
            }
            #expect(writer.wait() == 0)
            #expect(failed == 0)
            let saved = try lab.host.require(["iptables-legacy-save"]) + lab.host.require(["ip6tables-legacy-save"])
            let kept = saved.split(separator: "\n").filter {
                $0.contains(" 10.9.") || $0.contains(" fd00::") || $0.contains("-s 10.9.")
            }
            #expect(kept.count == 400)
            #expect(!saved.contains("ecs-netsetup"), "the last command was remove")
        }

        @Test("another writer of nf_tables costs a retry, not the change")
        func nftWriter() throws {
            let lab = try Laboratory.Bare()
            let script =
                "i=0; while [ $i -lt 300 ]; do nft add table ip other; nft add chain ip other c$i; i=$((i+1)); done"
            let writer = try lab.host.start(["sh", "-c", script])
            for round in 0..<60 {
                let arguments = round % 2 == 0 ? ["apply", "--mode", "bridge", "--backend", "nftables"] : ["remove"]
                let result = try lab.netsetup(arguments)
                #expect(result.status == 0, "\(result.errors)")
            }
            #expect(writer.wait() == 0)
            let chains = try lab.host.require(["nft", "list", "table", "ip", "other"]).split(separator: "\n")
            #expect(chains.filter { $0.contains("chain c") }.count == 300)
        }
    }
}
