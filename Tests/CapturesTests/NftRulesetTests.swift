import Captures
import Model
import Planning
import TestSupport
import Testing

/// What `nft -j list ruleset` (1.0.6) printed, and what is read in it.
@Suite struct NftRulesetTests {
    @Test("our rules are read back as they were planned")
    func ownRules() throws {
        let installed = try read(Self.own)
        #expect(installed.ownTables == ["inet ecs-netsetup"])
        #expect(installed.ownChains == ["early-prerouting", "prerouting"])
        #expect(installed.defects == [] && installed.obstacles == [])
        let titles = installed.rules.map { $0.rule?.title ?? "?" }
        #expect(titles == ["task credentials for containers", "localhost guard"])
        var settings = Settings()
        settings.modes = [.bridge]
        let plan = try Plan(settings: settings, backend: .nftables, hasIPv6: true)
        for rule in installed.rules { #expect(plan.rules.contains { $0.rule == rule.rule }) }
        #expect(installed.rules.map(\.handle) == [6, 18_446_744_073_709_551_615])
        #expect(installed.rules[1].packets == 18_446_744_073_709_551_615)
    }

    @Test("flags, hooks, priorities and policies that take the effect away are defects")
    func defects() throws {
        let dormant = try read(
            Self.own.replacing("\"handle\": 1}}", with: "\"handle\": 1, \"flags\": [\"dormant\"]}}"))
        #expect(dormant.defects == ["table inet ecs-netsetup is dormant: none of its rules takes effect"])
        // As nft 1.0.6 spells it.
        let stray = try read(Self.own.replacing("\"handle\": 1}}", with: "\"handle\": 1, \"flags\": \"inet\"}}"))
        #expect(stray.defects == dormant.defects)
        let chain = try read(
            Self.own.replacing(
                "\"hook\": \"prerouting\", \"prio\": -150", with: "\"hook\": \"forward\", \"prio\": -150"))
        #expect(
            chain.defects == ["chain inet ecs-netsetup early-prerouting hangs on hook number 2 instead of prerouting"])
    }

    @Test(
        "what this program does not write is unknown",
        arguments: [
            ("{\"drop\": null}", "{\"limit\": {\"rate\": 1, \"per\": \"second\"}}", "unknown expression 'limit'"),
            ("{\"drop\": null}", "{\"jump\": {\"target\": \"x\"}}", "unknown verdict"),
            ("{\"counter\": {\"packets\": 18446744073709551615, \"bytes\": 0}}, ", "", "no counter"),
            (
                "{\"match\": {\"op\": \"!=\", \"left\": {\"meta\": {\"key\": \"iifname\"}}, \"right\": \"lo\"}}",
                "{\"xt\": {\"type\": \"match\", \"name\": \"socket\"}}", "unknown expression 'match'"
            ),
            (
                "\"right\": {\"prefix\": {\"addr\": \"127.0.0.0\", \"len\": 8}}", "\"right\": \"@lo\"",
                "unknown expression 'lookup'"
            ),
        ])
    func unknown(_ part: String, _ other: String, _ message: String) throws {
        let installed = try read(Self.own.replacing(part, with: other))
        let texts = installed.rules.compactMap { rule in
            if case .unknown(let text) = rule.content { text } else { nil }
        }
        #expect(texts.count == 1 && texts[0].hasSuffix("has \(message)"), "\(texts)")
    }

    @Test("what is not ours in our table is an obstacle")
    func obstacles() throws {
        let others = """
            {"rule": {"family": "inet", "table": "ecs-netsetup", "chain": "input", "handle": 9, "comment": "not ecs-netsetup: x", "expr": [{"accept": null}]}},
            {"set": {"family": "inet", "name": "s", "table": "ecs-netsetup", "type": "ipv4_addr", "handle": 22}},
            {"chain": {"family": "inet", "table": "ecs-netsetup", "name": "other", "handle": 24}},
            """
        let installed = try read(Self.own.replacing("{\"rule\"", with: others + "{\"rule\"", once: true))
        #expect(
            installed.obstacles.map(\.what) == [
                "table inet ecs-netsetup holds sets or objects that are not ours",
                "chain inet ecs-netsetup other is not ours",
                "the rule with handle 9 in chain inet ecs-netsetup input does not carry our mark",
            ])
    }

    @Test("chains of others are read as conditions and verdicts")
    func foreign() throws {
        var capture = Capture()
        try capture.read(Array(Self.foreign.utf8), from: "x")
        let chain = try #require(capture.foreignChains.first)
        #expect(chain.description == "inet cis input" && chain.dropsByPolicy)
        #expect(chain.base == BaseChain("input", type: "filter", hook: .input, priority: 0))
        #expect(chain.rules.map(\.verdict) == [.drop, .accept, .setMark, .jump("more")])
        #expect(
            chain.rules[1].conditions == [
                .source(IPPrefix(10, 0, 0, 0, length: 8), negated: false),
                .transport(6, negated: false), .destinationPort(80...90, negated: false),
                .state([.established, .related], negated: false),
            ])
        #expect(chain.rules[2].conditions == [.destinationIsLocal(negated: false), .unknown("limit")])
        #expect(
            chain.rules[3].conditions == [
                .inInterface(InterfacePattern(name: "eth", isWildcard: true), negated: true),
                .mark(value: 1, mask: 1, negated: false), .transport(6, negated: false),
                .tcpFlags(value: 2, mask: 255, negated: false),
            ])
        #expect(capture.nftables?.foreign.ruleCount == 4)
        #expect(capture.nftables?.foreign.droppingInputChains.map(\.name) == ["inet cis input"])
    }

    @Test(
        "what nft does not print is refused with its place",
        arguments: [
            ("{\"nftables\": [{\"table\": {\"family\": \"inet\"}", "byte"), ("{\"other\": []}", "no member"),
            ("{\"nftables\": 5}", "an array is missing at byte 13"), ("{", "byte 1"),
        ])
    func refused(_ text: String, _ message: String) {
        do throws(Failure) {
            _ = try read(text)
            Issue.record("was read: \(text)")
        } catch {
            #expect(error.subject.hasPrefix("a.json ") && error.subject.contains(message), "\(error)")
        }
    }

    @Test("a text cut anywhere is refused, and crashes nothing")
    func cut() {
        let bytes = Array((Self.own).utf8)
        for length in 1..<bytes.count - 1 {
            var capture = Capture()
            #expect(throws: Failure.self) { try capture.read(Array(bytes.prefix(length)), from: "x") }
        }
    }

    @Test("bytes changed anywhere crash nothing")
    func garbage() {
        let good = Array(Self.own.utf8)
        var seed: UInt64 = 1
        for _ in 0..<Sanitizer.fewer(3000) {
            var bytes = good
            for _ in 0..<3 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1
                bytes[Int(seed >> 33) % bytes.count] = UInt8(truncatingIfNeeded: seed >> 24)
            }
            var capture = Capture()
            do throws(Failure) { try capture.read(bytes, from: "x") } catch { continue }
        }
    }

    @Test("more rules of ours than any host has are refused")
    func tooMany() {
        let rule =
            "{\"rule\": {\"family\": \"inet\", \"table\": \"ecs-netsetup\", \"chain\": \"input\", \"handle\": 9}},"
        let many = String(repeating: rule, count: 5000)
        #expect(throws: Failure.self) { try read("{\"nftables\": [\(many){\"metainfo\": {}}]}") }
    }

    private func read(_ text: String) throws(Failure) -> InstalledRuleset {
        var capture = Capture()
        try capture.read(Array(text.utf8), from: "a.json")
        return capture.nftables ?? InstalledRuleset(backend: .iptables)
    }

    private static let own = """
        {"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, {"table": {"family": "inet", "name": "ecs-netsetup", "handle": 1}}, {"chain": {"family": "inet", "table": "ecs-netsetup", "name": "early-prerouting", "handle": 3, "type": "filter", "hook": "prerouting", "prio": -150, "policy": "accept"}}, {"chain": {"family": "inet", "table": "ecs-netsetup", "name": "prerouting", "handle": 1, "type": "nat", "hook": "prerouting", "prio": -101, "policy": "accept"}}, {"rule": {"family": "inet", "table": "ecs-netsetup", "chain": "prerouting", "handle": 6, "comment": "ecs-netsetup: task credentials for containers", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "169.254.170.2"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}, {"counter": null}, {"dnat": {"family": "ip", "addr": "127.0.0.1", "port": 51679}}]}}, {"rule": {"family": "inet", "table": "ecs-netsetup", "chain": "early-prerouting", "handle": 18446744073709551615, "comment": "ecs-netsetup: localhost guard", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": {"prefix": {"addr": "127.0.0.0", "len": 8}}}}, {"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"counter": {"packets": 18446744073709551615, "bytes": 0}}, {"drop": null}]}}]}
        """

    private static let foreign = """
        {"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "inet", "name": "cis", "handle": 1}}, {"chain": {"family": "inet", "table": "cis", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"rule": {"family": "inet", "table": "cis", "chain": "input", "handle": 2, "expr": [{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}]]}}}]}},
        {"rule": {"family": "inet", "table": "cis", "chain": "input", "handle": 3, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [80, 90]}}}, {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"counter": {"packets": 5, "bytes": 6}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "cis", "chain": "input", "handle": 4, "expr": [{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}, {"limit": {"rate": 1, "per": "second"}}, {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}]}},
        {"rule": {"family": "inet", "table": "cis", "chain": "input", "handle": 5, "expr": [{"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "eth*"}}, {"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 1]}, "right": 1}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "flags"}}, "right": "syn"}}, {"jump": {"target": "more"}}]}}]}
        """
}

extension String {
    /// The text with a part exchanged, everywhere or once.
    fileprivate func replacing(_ part: String, with other: String, once: Bool = false) -> String {
        split(separator: part, maxSplits: once ? 1 : .max, omittingEmptySubsequences: false).joined(separator: other)
    }
}
