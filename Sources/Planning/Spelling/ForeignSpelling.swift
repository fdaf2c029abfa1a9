import Model

/// Other people's rules for people to find: where they stand, and what of them is understood.
enum ForeignSpelling {
    /// `nftables chain ip filter INPUT handle 12 (tcp port 22, drop)`, `legacy iptables … -A INPUT -p tcp -j DROP`.
    static func describe(_ rule: ForeignRule, in chain: ForeignChain) -> String {
        if rule.isOurs { return "our rule in \(describe(chain))" }
        if rule.text.hasPrefix("-A") || rule.text.hasPrefix("add rule") { return "\(describe(chain)): \(rule.text)" }
        let words = rule.conditions.map(words) + [words(rule.verdict)]
        if chain.backend == .iptables {
            return
                "\(describe(chain)) \(rule.text): -A \(chain.name) \(words.filter { !$0.isEmpty }.joined(separator: " "))"
        }
        return "\(describe(chain)) \(rule.text) (\(words.filter { !$0.isEmpty }.joined(separator: " ")))"
    }

    static func describe(_ chain: ForeignChain) -> String {
        chain.backend == .nftables
            ? "nftables chain \(chain.description)" : "legacy iptables chain \(chain.description)"
    }

    /// One condition, as `iptables` spells it.
    static func words(_ condition: ForeignRule.Condition) -> String {
        switch condition {
        case .source(let prefix, let negated): not(negated) + "-s \(prefix)"
        case .destination(let prefix, let negated): prefix.length == 0 ? "" : not(negated) + "-d \(prefix)"
        case .inInterface(let pattern, let negated): not(negated) + "-i \(pattern)"
        case .outInterface(let pattern, let negated): not(negated) + "-o \(pattern)"
        case .transport(let number, let negated): not(negated) + "-p " + transport(number)
        case .destinationPort(let range, let negated): not(negated) + "--dport " + ports(range)
        case .sourcePort(let range, let negated): not(negated) + "--sport " + ports(range)
        case .state(let states, let negated):
            "-m conntrack " + not(negated) + "--ctstate " + names(states)
        case .destinationIsLocal(let negated): "-m addrtype " + not(negated) + "--dst-type LOCAL"
        case .mark(let value, let mask, let negated):
            "-m mark " + not(negated) + "--mark 0x\(String(value, radix: 16))/0x\(String(mask, radix: 16))"
        case .tcpFlags(let value, let mask, let negated):
            not(negated) + "--tcp-flags 0x\(String(mask, radix: 16)) 0x\(String(value, radix: 16))"
        case .unknown(let text): text
        }
    }

    static func words(_ verdict: ForeignRule.Verdict) -> String {
        switch verdict {
        case .accept: "-j ACCEPT"
        case .drop: "-j DROP"
        case .reject: "-j REJECT"
        case .returns: "-j RETURN"
        case .jump(let chain): "-j \(chain)"
        case .goTo(let chain): "-g \(chain)"
        case .rewriteDestination(let to) where to.hasPrefix(":"): "-j REDIRECT --to-ports \(to.dropFirst())"
        case .rewriteDestination(let to): "-j DNAT --to-destination \(to)"
        case .none: ""
        case .setMark: "-j MARK"
        case .unknown(let text): text
        }
    }

    private static func not(_ isNegated: Bool) -> String { isNegated ? "! " : "" }

    /// Names of protocol numbers (IANA) that people know better than the number.
    private static func transport(_ number: UInt8) -> String {
        switch number {
        case 1: "icmp"
        case 6: "tcp"
        case 17: "udp"
        default: String(number)
        }
    }

    private static func ports(_ range: ClosedRange<UInt16>) -> String {
        range.count == 1 ? String(range.lowerBound) : "\(range.lowerBound):\(range.upperBound)"
    }

    private static func names(_ states: Set<ConnectionStateName>) -> String {
        ConnectionStateName.allCases.filter(states.contains).map(\.rawValue).joined(separator: ",")
    }
}

extension PacketWalk.End {
    /// Who decided.
    var decider: String {
        if let rule { return ForeignSpelling.describe(rule, in: chain) }
        return "the policy of \(ForeignSpelling.describe(chain))"
    }
}

extension PacketWalk.Doubt {
    /// What is not known.
    var description: String {
        "\(asked) in \(ForeignSpelling.describe(rule, in: chain))\(whoTells)"
    }

    /// The same, where the rule was named.
    var itself: String { asked + whoTells }

    private var asked: String {
        condition.map { "'\(ForeignSpelling.words($0))' holds" } ?? "that is what it does"
    }

    /// What to say of the tool whose capture tells it: nothing where none was left out.
    var whoTells: String { furtherCapture.map { ", which \($0) tells" } ?? "" }

    /// The tool whose capture tells it; nil where none was left out.
    var furtherCapture: String? {
        if !rule.isUntold { return nil }
        return chain.family == .ip6 ? "ip6tables-nft-save" : "iptables-nft-save"
    }
}
