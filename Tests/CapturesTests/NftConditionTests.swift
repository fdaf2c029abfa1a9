import Captures
import Model
import Testing

@testable import Planning

/// What is understood of statements as nft 1.0.6 printed them, spelled as iptables would.
@Suite struct NftConditionTests {
    @Test(
        "a condition",
        arguments: [
            (
                #"{"payload": {"protocol": "tcp", "field": "dport"}}"#, "==", #"{"set": [1, {"range": [3, 5]}]}"#,
                ["-p tcp --dport 1", "-p tcp --dport 3:5"]
            ),
            (
                #"{"payload": {"protocol": "tcp", "field": "dport"}}"#, "!=", #"{"set": [1, 2]}"#,
                ["-p tcp -p tcp ! --dport 1 -p tcp ! --dport 2"]
            ),
            (#"{"payload": {"protocol": "tcp", "field": "dport"}}"#, ">", "1000", ["-p tcp --dport 1001:65535"]),
            (
                #"{"payload": {"protocol": "tcp", "field": "dport"}}"#, "==", #""@open""#,
                ["-p tcp --dport 1:5", "-p tcp --dport 80"]
            ),
            (#"{"payload": {"protocol": "tcp", "field": "dport"}}"#, "==", #""@empty""#, ["-p 0"]),
            (#"{"payload": {"protocol": "tcp", "field": "dport"}}"#, "==", #""@missing""#, ["-p tcp set missing"]),
            (#"{"payload": {"protocol": "ip", "field": "saddr"}}"#, "==", #""@seen""#, ["-s 0.0.0.0/0 set seen"]),
            (
                #"{"payload": {"protocol": "ip", "field": "daddr"}}"#, "==", #"{"range": ["1.2.3.0", "1.2.3.5"]}"#,
                ["-d 1.2.3.0/30", "-d 1.2.3.4/31"]
            ),
            (#"{"payload": {"protocol": "tcp", "field": "flags"}}"#, "in", #""syn""#, ["-p tcp ! --tcp-flags 0x2 0x0"]),
            (
                #"{"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn"]]}"#, "==", #""syn""#,
                ["-p tcp --tcp-flags 0x3 0x2"]
            ),
            (
                #"{"payload": {"protocol": "icmpv6", "field": "type"}}"#, "==", #""nd-router-advert""#,
                ["-p 58 payload icmpv6 type"]
            ),
            (#"{"payload": {"protocol": "th", "field": "dport"}}"#, "==", "53", ["--dport 53"]),
            (
                #"{"fib": {"result": "type", "flags": ["daddr"]}}"#, "==", #"{"set": ["local", "multicast"]}"#,
                ["-m addrtype --dst-type LOCAL", "-d 224.0.0.0/4"]
            ),
            (
                #"{"ct": {"key": "state"}}"#, "==", #"{"set": ["established", "new"]}"#,
                ["-m conntrack --ctstate ESTABLISHED", "-m conntrack --ctstate NEW"]
            ),
            (#"{"ct": {"key": "status"}}"#, "in", #""dnat""#, ["-m conntrack --ctstate DNAT"]),
            (#"{"ct": {"key": "status"}}"#, "==", #""dnat""#, ["ct status"]),
            (#"{"meta": {"key": "iifname"}}"#, "==", #"{"set": ["docker*", "lo"]}"#, ["-i docker+", "-i lo"]),
            (
                #"{"concat": [{"meta": {"key": "iifname"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}"#,
                "==",
                #"{"set": [{"concat": ["lo", 80]}]}"#, ["-p tcp concat"]
            ),
        ])
    func condition(_ left: String, _ operation: String, _ right: String, _ expected: [String]) throws {
        let rules = try read(
            #"{"match": {"op": "\#(operation)", "left": \#(left), "right": \#(right)}}, {"drop": null}"#)
        #expect(rules.map { Self.words($0.conditions) } == expected)
        #expect(rules.allSatisfy { $0.verdict == .drop })
    }

    @Test(
        "what a rule does",
        arguments: [
            (#"{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@ways"}}"#, ["-i a+ -j ACCEPT", "-i lo -g x"]),
            (
                #"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", {"drop": null}], ["*", {"jump": {"target": "y"}}]]}}}"#,
                ["-m conntrack --ctstate NEW -j DROP", "-m conntrack ! --ctstate NEW -j y"]
            ),
            (#"{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@missing"}}"#, ["map missing map missing"]),
            (#"{"reject": {"type": "tcp reset"}}"#, ["-p tcp -j REJECT"]),
            (#"{"reject": {"type": "icmpv6", "expr": "no-route"}}"#, ["-s ::/0 -j REJECT"]),
            (
                #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 5}}, {"accept": null}"#,
                ["-j MARK", "-j ACCEPT"]
            ),
            (
                #"{"mangle": {"key": {"payload": {"protocol": "ip", "field": "daddr"}}, "value": "1.1.1.1"}}"#,
                ["payload set"]
            ),
            (
                #"{"dnat": {"family": "ip", "addr": "10.0.0.1", "port": 80}}"#,
                ["-s 0.0.0.0/0 -j DNAT --to-destination 10.0.0.1:80"]
            ),
            (#"{"limit": {"rate": 1, "per": "second"}}, {"log": null}, {"drop": null}"#, ["limit -j DROP"]),
            (#"{"notrack": null}"#, ["notrack"]), (#"{"counter": "visits"}"#, [""]),
        ])
    func verdict(_ statements: String, _ expected: [String]) throws {
        let rules = try read(statements)
        let found = rules.map { rule in
            let words = [Self.words(rule.conditions), ForeignSpelling.words(rule.verdict)]
            return words.filter { !$0.isEmpty }.joined(separator: " ")
        }
        #expect(found == expected)
    }

    @Test("sets and maps that multiply end in what is not known", arguments: ["!=", "=="])
    func many(_ operation: String) throws {
        let ports = (1...60).map { "\($0)" }.joined(separator: ", ")
        let match =
            #"{"match": {"op": "\#(operation)", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@many"}}"#
        let branch = #"{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@ways"}}"#
        let statements = Array(repeating: match, count: 8) + Array(repeating: branch, count: 20)
        let set =
            #"{"set": {"family": "inet", "name": "many", "table": "t", "type": "inet_service", "handle": 7, "elem": [\#(ports)]}},"#
        let rules = try read(statements.joined(separator: ", "), before: set)
        #expect(rules.count <= 20_000 && rules.reduce(0) { $0 + $1.conditions.count } <= 20_000)
        let last = try #require(rules.last)
        #expect(last.conditions.contains { if case .unknown = $0 { true } else { false } })
    }

    /// Version 1.0.2 and before print null for every extension.
    @Test(
        "an extension of the stock tools is known by its name at most",
        arguments: [
            (#"{"xt": {"type": "match", "name": "comment"}}, {"counter": null}, {"drop": null}"#, "-j DROP", false),
            (#"{"counter": null}, {"xt": {"type": "target", "name": "REJECT"}}"#, "-j REJECT", false),
            (#"{"counter": null}, {"xt": {"type": "target", "name": "LOG"}}"#, "", false),
            (
                #"{"xt": {"type": "match", "name": "addrtype"}}, {"counter": null}, {"drop": null}"#,
                "-m addrtype … -j DROP", true
            ),
            (#"{"counter": null}, {"xt": {"type": "target", "name": "DNAT"}}"#, "-j DNAT …", true),
            (#"{"xt": null}, {"counter": {"packets": 0, "bytes": 0}}, {"xt": null}"#, "-m … -j …", true),
        ])
    func untold(_ statements: String, _ expected: String, _ isUntold: Bool) throws {
        let rule = try #require(try read(statements).first)
        let words = [Self.words(rule.conditions), ForeignSpelling.words(rule.verdict)]
        #expect(words.filter { !$0.isEmpty }.joined(separator: " ") == expected)
        #expect(rule.isUntold == isUntold)
    }

    @Test("elements that are told by themselves are the set's too")
    func elements() throws {
        let more = #"{"element": {"family": "inet", "table": "t", "name": "empty", "elem": [7]}}"#
        let rules = try read(
            #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@empty"}}"#,
            before: more + ",")
        #expect(rules.map { Self.words($0.conditions) } == ["-p tcp --dport 7"])
    }

    @Test("what iptables-nft-save tells of rules is taken, and where they hang from nft")
    func merged() throws {
        var capture = Capture()
        try capture.read(Array(Self.stock.utf8), from: "a.json")
        let save = """
            # Generated by iptables-save v1.8.9 (nf_tables) on Wed
            *filter
            :INPUT ACCEPT [0:0]
            :FORWARD ACCEPT [0:0]
            :OTHER - [0:0]
            -A INPUT -m addrtype --dst-type LOCAL -j DROP
            COMMIT
            *raw
            :PREROUTING DROP [0:0]
            COMMIT

            """
        try capture.read(Array(save.utf8), from: "a.save")
        let chains = capture.foreignChains
        // The table raw does nothing, and of chain extra the stock tools do not know.
        #expect(chains.map(\.name) == ["INPUT", "extra", "FORWARD", "OTHER"])
        #expect(chains[0].base?.priority == 7 && chains[0].dropsByPolicy)
        #expect(chains[0].rules.map(\.conditions) == [[.destinationIsLocal(negated: false)]])
        #expect(chains[1].rules.map(\.isUntold) == [true])
    }

    private static func words(_ conditions: [ForeignRule.Condition]) -> String {
        conditions.map(ForeignSpelling.words).joined(separator: " ")
    }

    private func read(_ statements: String, before: String = "") throws -> [ForeignRule] {
        var capture = Capture()
        let rule =
            #"{"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 9, "expr": [\#(statements)]}}"#
        try capture.read(Array("{\"nftables\": [\(Self.table), \(before) \(rule)]}".utf8), from: "a.json")
        return try #require(capture.foreignChains.first).rules
    }

    private static let table = #"""
        {"table": {"family": "inet", "name": "t", "handle": 1}},
        {"set": {"family": "inet", "name": "open", "table": "t", "type": "inet_service", "handle": 3, "flags": ["interval"], "elem": [{"range": [1, 5]}, 80]}},
        {"set": {"family": "inet", "name": "empty", "table": "t", "type": "inet_service", "handle": 4}},
        {"map": {"family": "inet", "name": "ways", "table": "t", "type": "ifname", "handle": 4, "map": "verdict", "flags": ["interval"], "elem": [["a*", {"accept": null}], ["lo", {"goto": {"target": "x"}}]]}},
        {"set": {"family": "inet", "name": "seen", "table": "t", "type": "ipv4_addr", "handle": 5, "size": 100, "flags": ["timeout"], "timeout": 60, "elem": [{"elem": {"val": "1.2.3.4", "timeout": 5, "expires": 4}}]}},
        {"chain": {"family": "inet", "table": "t", "name": "c", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}
        """#

    private static let stock = #"""
        {"nftables": [{"table": {"family": "ip", "name": "filter", "handle": 1}},
        {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 1, "type": "filter", "hook": "input", "prio": 7, "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "extra", "handle": 2, "type": "filter", "hook": "input", "prio": 9, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 3, "expr": [{"xt": {"type": "match", "name": "addrtype"}}, {"counter": null}, {"drop": null}]}},
        {"rule": {"family": "ip", "table": "filter", "chain": "extra", "handle": 4, "expr": [{"xt": {"type": "match", "name": "addrtype"}}, {"counter": null}, {"drop": null}]}},
        {"table": {"family": "ip", "name": "raw", "handle": 2, "flags": "raw"}},
        {"chain": {"family": "ip", "table": "raw", "name": "PREROUTING", "handle": 1, "type": "filter", "hook": "prerouting", "prio": -300, "policy": "drop"}}]}
        """#
}
