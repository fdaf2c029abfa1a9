import CLibmnl
import CLibnftnl
import Glibc
import Model
import TestSupport
import Testing

@testable import NftablesBackend

@Suite("Tables and chains of ours")
struct LayoutTests {
    @Test("have the families' numbers in the kernel")
    func families() {
        #expect(TableLayout.all.map(\.family) == [1, 2, 10])
        #expect(TableLayout.all.map(\.description) == ["inet ecs-netsetup", "ip ecs-netsetup", "ip6 ecs-netsetup"])
        #expect(TableFamilies.inet.layouts == [.inet])
        #expect(TableFamilies.split.layouts == [.ip, .ip6])
    }

    @Test("hang on the hooks by the kernel's numbers")
    func hooks() {
        #expect([Hook.prerouting, .input, .forward, .output, .postrouting].map(\.number) == [0, 1, 2, 3, 4])
    }

    @Test("together hold every rule once, split or not")
    func everyRuleOnce() {
        let rules = Combinations.rules(.nftables)
        for families in [TableFamilies.inet, .split] {
            #expect(families.layouts.flatMap { $0.rules(rules) }.count == rules.count)
        }
    }

    @Test("are created only where rules need them")
    func chainsForRules() throws {
        let redirect = try #require(Combinations.rules(.nftables).first { $0.place == .output })
        #expect(TableLayout.inet.chains(for: [redirect]).map(\.name) == ["output"])
        #expect(TableLayout.inet.chains(for: []).isEmpty)
    }

    @Test("have the chains for answers where nat stands in a table of its own family, as kernels before 4.18 need")
    func answerChains() throws {
        let rules = Combinations.rules(.nftables)
        let answers = ["answer-input", "answer-postrouting"]
        #expect(TableLayout.ip.chains(for: TableLayout.ip.rules(rules)).map(\.name).suffix(2) == answers[...])
        #expect(!TableLayout.ip6.chains(for: TableLayout.ip6.rules(rules)).map(\.name).contains("answer-input"))
        let withoutNat = rules.filter { $0.place == .input && $0.family == .ipv4 }
        #expect(TableLayout.ip.chains(for: withoutNat).map(\.name) == ["input"])
    }

    @Test("nat chains come before everybody's at -100, drops before everybody's filter at 0")
    func priorities() {
        for place in Place.allCases {
            let chain = place.baseChain
            #expect(chain.name == place.rawValue)
            if chain.type == "nat" { #expect(chain.priority == -101) }
        }
        #expect(Place.forward.baseChain.priority < 0)
        #expect(Place.input.baseChain.priority < 0)
        #expect(Place.filterForward.baseChain.priority == 0)
    }

    @Test(
        "are split only where the kernel refuses the nat chain in a table for both families",
        arguments: [
            ("cannot create chain inet ecs-netsetup prerouting", ENOENT, true),
            ("cannot create chain inet ecs-netsetup prerouting", EOPNOTSUPP, true),
            ("cannot create chain inet ecs-netsetup prerouting", EPERM, false),
            ("cannot create chain ip ecs-netsetup prerouting", ENOENT, false),
            ("cannot create rule \"x\" in inet ecs-netsetup input", ENOENT, false),
            ("cannot create table inet ecs-netsetup", EOPNOTSUPP, false),
        ])
    func noInetNat(_ subject: String, _ number: CInt, _ expected: Bool) {
        let failure = Failure.system(subject, source: "netlink", errno: number)
        #expect(NftablesBackend.meansNoInetNat(failure) == expected)
    }
}

@Suite("Netlink requests")
struct RequestBuilderTests {
    @Test("number their messages from 1 and remember what each asked for")
    func sequence() {
        var request = RequestBuilder()
        request.beginBatch(generation: 7)
        request.append(NFT_MSG_DELTABLE, family: 1, flags: NLM_F_ACK, subject: "first") { _ in }
        request.append(NFT_MSG_NEWTABLE, family: 1, flags: NLM_F_ACK, subject: "second") { _ in }
        request.endBatch()
        #expect(request.subjects.map { $0() } == ["first", "second"])
        let headers = Self.headers(request.bytes)
        #expect(headers.map(\.nlmsg_seq) == [0, 1, 2, 0])
        #expect(
            headers.map { CInt($0.nlmsg_flags) & NLM_F_REQUEST } == [
                NLM_F_REQUEST, NLM_F_REQUEST, NLM_F_REQUEST, NLM_F_REQUEST,
            ])
    }

    @Test("tell the kernel for which generation of the ruleset the batch is meant")
    func generation() throws {
        var request = RequestBuilder()
        request.beginBatch(generation: 0x0102_0304)
        // The attribute's length and type, then the number in network byte order.
        let header = try #require(Self.headers(request.bytes).first)
        #expect(Int(header.nlmsg_len) == request.bytes.count)
        #expect(request.bytes.suffix(8) == [8, 0, UInt8(NFNL_BATCH_GENID.rawValue), 0, 1, 2, 3, 4])
    }

    private static func headers(_ bytes: [UInt8]) -> [nlmsghdr] {
        var headers: [nlmsghdr] = []
        var rest = bytes[...]
        while rest.count >= MemoryLayout<nlmsghdr>.size {
            let header = rest.withUnsafeBytes { $0.loadUnaligned(as: nlmsghdr.self) }
            headers.append(header)
            rest = rest.dropFirst(max(Int(header.nlmsg_len), MemoryLayout<nlmsghdr>.size))
        }
        return headers
    }
}
