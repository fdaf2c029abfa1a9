import Model
import TestSupport
import Testing

@testable import Planning

@Suite("Rules as a person types them")
struct SpellingTests {
    /// The rules that settings ask for and that contain a word, one a line.
    private func text(
        _ settings: Settings, _ backend: BackendKind, only word: String = " ", _ spell: (Rule) -> String
    ) throws -> String {
        try Plan(settings: settings, backend: backend, hasIPv6: true).rules.map { spell($0.rule) }
            .filter { $0.contains(word) }.joined(separator: "\n")
    }

    @Test("in mode bridge, for iptables")
    func bridgeIptables() throws {
        let m = "-m comment --comment \"ecs-netsetup:"
        let expected = """
            iptables -t mangle -A PREROUTING -d 127.0.0.0/8 ! -i lo \(m) localhost guard" -j DROP
            iptables -t nat -A PREROUTING -d 169.254.170.2/32 -p tcp -m tcp --dport 80 \
            \(m) task credentials for containers" -j DNAT --to-destination 127.0.0.1:51679
            iptables -t nat -A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 \
            \(m) task credentials for the host" -j REDIRECT --to-ports 51679
            iptables -t filter -A INPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 51679 -m conntrack --ctstate DNAT \
            \(m) let redirected credential requests in" -j ACCEPT
            iptables -t mangle -A FORWARD -d 169.254.169.254/32 -i docker+ \
            \(m) no IMDS for docker+" -j DROP
            iptables -t mangle -A INPUT -i docker+ -p tcp -m tcp --dport 51678 \
            \(m) introspection from docker+ is left to others" -j ACCEPT
            iptables -t mangle -A INPUT ! -i lo -p tcp -m tcp --dport 51678 \
            \(m) no introspection from other hosts" -j DROP
            ip6tables -t mangle -A FORWARD -d fd00:ec2::254/128 -i docker+ \
            \(m) no IMDS over IPv6 for docker+" -j DROP
            ip6tables -t mangle -A INPUT -i docker+ -p tcp -m tcp --dport 51678 \
            \(m) introspection over IPv6 from docker+ is left to others" -j ACCEPT
            ip6tables -t mangle -A INPUT ! -i lo -p tcp -m tcp --dport 51678 \
            \(m) no introspection over IPv6 from other hosts" -j DROP
            """
        #expect(try text(settings([.bridge]), .iptables, IptablesSpelling.append) == expected)
    }

    @Test("in mode bridge, for nft")
    func bridgeNft() throws {
        let c = "comment \"ecs-netsetup:"
        let add = "nft add rule inet ecs-netsetup"
        let expected = """
            \(add) early-prerouting 'ip daddr 127.0.0.0/8 iifname != "lo" counter drop \(c) localhost guard"'
            \(add) prerouting 'ip daddr 169.254.170.2 tcp dport 80 counter dnat ip to 127.0.0.1:51679 \
            \(c) task credentials for containers"'
            \(add) output 'ip daddr 169.254.170.2 tcp dport 80 counter redirect to :51679 \
            \(c) task credentials for the host"'
            \(add) forward 'ip daddr 169.254.169.254 iifname "docker*" counter drop \
            \(c) no IMDS for docker+"'
            \(add) input 'meta nfproto ipv4 iifname "docker*" tcp dport 51678 counter accept \
            \(c) introspection from docker+ is left to others"'
            \(add) input 'meta nfproto ipv4 iifname != "lo" tcp dport 51678 counter drop \
            \(c) no introspection from other hosts"'
            \(add) forward 'ip6 daddr fd00:ec2::254 iifname "docker*" counter drop \
            \(c) no IMDS over IPv6 for docker+"'
            \(add) input 'meta nfproto ipv6 iifname "docker*" tcp dport 51678 counter accept \
            \(c) introspection over IPv6 from docker+ is left to others"'
            \(add) input 'meta nfproto ipv6 iifname != "lo" tcp dport 51678 counter drop \
            \(c) no introspection over IPv6 from other hosts"'
            """
        #expect(try text(settings([.bridge]), .nftables, { NftSpelling.add($0) }) == expected)
    }

    private let rejecting = settings([.bridge]) {
        ($0.metadataAction, $0.metadataPlacement) = (.reject, .documented)
        $0.bridgeInterfaces = [InterfacePattern(name: "br0", isWildcard: false)]
    }

    @Test("rejecting IMDS where the manual has it, for iptables")
    func rejectIptables() throws {
        let m = "-m comment --comment \"ecs-netsetup: no IMDS"
        let expected = """
            iptables -t filter -A FORWARD -d 169.254.169.254/32 -i br0 -p tcp \
            \(m) for br0, TCP" -j REJECT --reject-with tcp-reset
            iptables -t filter -A FORWARD -d 169.254.169.254/32 -i br0 \
            \(m) for br0" -j REJECT --reject-with icmp-admin-prohibited
            ip6tables -t filter -A FORWARD -d fd00:ec2::254/128 -i br0 -p tcp \
            \(m) over IPv6 for br0, TCP" -j REJECT --reject-with tcp-reset
            ip6tables -t filter -A FORWARD -d fd00:ec2::254/128 -i br0 \
            \(m) over IPv6 for br0" -j REJECT --reject-with icmp6-adm-prohibited
            """
        #expect(try text(rejecting, .iptables, only: "FORWARD", IptablesSpelling.append) == expected)
    }

    @Test("rejecting IMDS where the manual has it, for nft")
    func rejectNft() throws {
        let c = "comment \"ecs-netsetup: no IMDS"
        let expected = """
            ip daddr 169.254.169.254 iifname "br0" meta l4proto tcp counter reject with tcp reset \
            \(c) for br0, TCP"
            ip daddr 169.254.169.254 iifname "br0" counter reject with icmp admin-prohibited \
            \(c) for br0"
            ip6 daddr fd00:ec2::254 iifname "br0" meta l4proto tcp counter reject with tcp reset \
            \(c) over IPv6 for br0, TCP"
            ip6 daddr fd00:ec2::254 iifname "br0" counter reject with icmpv6 admin-prohibited \
            \(c) over IPv6 for br0"
            """
        #expect(try text(rejecting, .nftables, only: "IMDS", NftSpelling.specification) == expected)
    }

    @Test("the table and the chains that hang where nothing can shadow them")
    func chains() throws {
        let rules = try Plan(settings: settings([.bridge]), backend: .nftables, hasIPv6: true).rules.map(\.rule)
        let chain = "nft add chain inet ecs-netsetup"
        #expect(
            NftSpelling.addChains(for: rules, existing: [], hasTable: false) == [
                "nft add table inet ecs-netsetup",
                "\(chain) early-prerouting '{ type filter hook prerouting priority -150; policy accept; }'",
                "\(chain) prerouting '{ type nat hook prerouting priority -101; policy accept; }'",
                "\(chain) output '{ type nat hook output priority -101; policy accept; }'",
                "\(chain) input '{ type filter hook input priority -150; policy accept; }'",
                "\(chain) forward '{ type filter hook forward priority -150; policy accept; }'",
            ])
    }

    @Test("only the chains that are missing are made")
    func missingChains() throws {
        let rules = try Plan(settings: settings([.bridge]), backend: .nftables, hasIPv6: true).rules.map(\.rule)
        let made = NftSpelling.addChains(
            for: rules, existing: ["early-prerouting", "prerouting", "output", "input"], hasTable: true)
        #expect(made.count == 1)
        #expect(made.first?.hasPrefix("nft add chain inet ecs-netsetup forward ") == true)
        let all = rules.map(\.place.baseChain.name)
        #expect(NftSpelling.addChains(for: rules, existing: all, hasTable: true).isEmpty)
        #expect(NftSpelling.deleteTable("ip ecs-netsetup") == "nft delete table ip ecs-netsetup")
    }

    @Test(
        "an addition at a position goes there",
        arguments: [(0, "insert rule", ""), (1, "add rule", " index 0"), (5, "add rule", " index 4")])
    func position(_ position: Int, _ verb: String, _ index: String) throws {
        let rule = try #require(Combinations.rules(.nftables).first)
        let line = NftSpelling.add(rule, position: position)
        #expect(line.hasPrefix("nft \(verb) inet ecs-netsetup \(rule.place.rawValue)\(index) '"))
        #expect(line.hasSuffix("'\(NftSpelling.specification(rule))'"))
    }

    @Test("insertion and deletion name the same rule as addition")
    func otherVerbs() throws {
        for rule in Combinations.rules(.iptables) {
            let specification = IptablesSpelling.specification(rule)
            let chain = "-t \(rule.place.stockChain.table) -D \(rule.place.stockChain.chain)"
            #expect(
                IptablesSpelling.delete(rule) == "\(IptablesSpelling.program(rule.family)) \(chain) \(specification)")
            let inserted = IptablesSpelling.insert(rule, position: 3)
            #expect(inserted.contains(" -I \(rule.place.stockChain.chain) 3 \(specification)"))
            #expect(NftSpelling.delete(at: rule.place, handle: 7).hasSuffix(" \(rule.place.rawValue) handle 7"))
        }
    }

    @Test("no two rules of a plan are spelled alike, in either language", arguments: BackendKind.allCases)
    func distinct(_ backend: BackendKind) throws {
        for settings in Combinations.settings {
            guard let plan = try? Plan(settings: settings, backend: backend, hasIPv6: true) else { continue }
            #expect(Set(plan.rules.map { NftSpelling.add($0.rule) }).count == plan.rules.count)
            #expect(Set(plan.rules.map { IptablesSpelling.append($0.rule) }).count == plan.rules.count)
        }
    }
}
