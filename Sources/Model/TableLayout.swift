extension Hook {
    /// `NF_INET_*` (`linux/netfilter.h`).
    package var number: UInt32 {
        switch self {
        case .prerouting: 0
        case .input: 1
        case .forward: 2
        case .output: 3
        case .postrouting: 4
        }
    }
}

/// A table of ours and the families whose rules it holds.
package struct TableLayout: Hashable, Sendable {
    package static let name = "ecs-netsetup"

    /// `NFPROTO_*` (`linux/netfilter.h`).
    package let family: UInt16
    package let ruleFamilies: [AddressFamily]

    /// How the family is spelled by nft, and in errors.
    package let spelling: String

    package static let inet = TableLayout(family: 1, ruleFamilies: [.ipv4, .ipv6], spelling: "inet")
    package static let ip = TableLayout(family: 2, ruleFamilies: [.ipv4], spelling: "ip")
    package static let ip6 = TableLayout(family: 10, ruleFamilies: [.ipv6], spelling: "ip6")
    package static let all = [inet, ip, ip6]

    /// Whether a rule has to say which family it means, because the table holds both.
    package var needsFamilyMatch: Bool { ruleFamilies.count > 1 }

    package var description: String { "\(spelling) \(Self.name)" }

    /// The rules that belong into this table.
    package func rules(_ rules: [Rule]) -> [Rule] { rules.filter { ruleFamilies.contains($0.family) } }

    /// Empty chains without which kernels before 4.18 do not translate the answers back (nftables wiki,
    /// "Performing Network Address Translation"): those kernels also lack nat in inet tables.
    package static let answerChains = [
        BaseChain("answer-input", type: "nat", hook: .input, priority: 100),
        BaseChain("answer-postrouting", type: "nat", hook: .postrouting, priority: 100),
    ]

    /// The chains that these rules need, in the order in which they are created.
    package func chains(for rules: [Rule]) -> [BaseChain] {
        let used = Place.allCases.filter { place in rules.contains { $0.place == place } }.map(\.baseChain)
        let answers = self == .ip && used.contains { $0.type == "nat" } ? Self.answerChains : []
        return used + answers
    }
}

/// Which tables hold our rules.
package enum TableFamilies: Sendable {
    /// One table for both families; needs nat in inet tables, kernel 5.2.
    case inet
    /// A table for each family.
    case split

    package var layouts: [TableLayout] { self == .inet ? [.inet] : [.ip, .ip6] }
}
