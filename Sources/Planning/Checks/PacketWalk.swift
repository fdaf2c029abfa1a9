package import Model

/// A packet's way through chains, as the kernel takes it: base chains by priority, in each the rules in order, jumps and
/// returns, and at the end the policy. Where a condition is not known, both ways are taken.
package struct PacketWalk: Sendable {
    /// One possible end of a packet's way through a base chain.
    package struct End: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// On to the next base chain: accepting ends one base chain only.
            case passes
            /// Not beyond: final, whatever other chains say.
            case dropped
            /// The destination is rewritten to what the text says; no later nat chain is asked.
            case rewritten(String)
            /// Not known.
            case unknown
        }

        package let kind: Kind
        /// The chain whose rule or policy decided.
        package let chain: ForeignChain
        /// nil where the policy decided.
        package let rule: ForeignRule?
        /// What it depends on; nil where it is certain.
        package var doubt: Doubt?
    }

    /// Something that is not known, and the rule that asks for it.
    package struct Doubt: Hashable, Sendable {
        package let chain: ForeignChain
        package let rule: ForeignRule
        /// nil where the conditions are clear, but not what the rule does.
        package let condition: ForeignRule.Condition?
    }

    /// A base chain, and how a packet may come out of it.
    package struct Stage: Sendable {
        package let base: ForeignChain
        package let ends: [End]
    }

    private struct Key: Hashable {
        let backend: BackendKind
        let family: ForeignChain.Family
        let table: String
        let name: String

        init(_ chain: ForeignChain, name: String) {
            backend = chain.backend
            family = chain.family
            table = chain.table
            self.name = name
        }
    }

    private let chains: [Key: ForeignChain]
    private let bases: [(chain: ForeignChain, base: BaseChain)]

    package init(_ chains: [ForeignChain]) {
        self.chains = Dictionary(chains.map { (Key($0, name: $0.name), $0) }) { first, _ in first }
        let unsorted = chains.compactMap { chain in chain.base.map { (chain: chain, base: $0) } }
        // Of equal priority, the order is that of registration, which nobody tells: as they are given.
        bases = unsorted.enumerated().sorted {
            ($0.element.base.priority, $0.offset) < ($1.element.base.priority, $1.offset)
        }.map(\.element)
    }

    /// Every rule of every chain.
    var allRules: some Sequence<ForeignRule> { chains.values.lazy.flatMap(\.rules) }

    /// The base chains that a packet comes through at a hook, in order, each as if the earlier ones had let it pass.
    ///
    /// - Parameters:
    ///   - packet: bears afterwards the mark that it may have got there.
    ///   - isAsked: which of them to walk through.
    package func stages(
        of packet: inout Packet, at hook: Hook, where isAsked: (BaseChain) -> Bool = { _ in true }
    ) -> [Stage] {
        var stages: [Stage] = []
        for (chain, base) in bases where base.hook == hook && chain.sees(packet.destination.family) && isAsked(base) {
            var run = Run(walk: self)
            let passage = run.pass(chain, PacketMatcher(packet, in: base), depth: 0)
            packet.mayBeMarked = passage.mayBeMarked
            stages.append(Stage(base: chain, ends: passage.ends(ofBase: chain)))
        }
        return stages
    }

    /// How a packet may come out of several base chains one after the other.
    package static func ends(of stages: [Stage]) -> [End] {
        var ends: [End] = []
        var doubt: Doubt?
        var last: End?
        for stage in stages {
            for end in stage.ends where end.kind != .passes { ends.append(end.doubted(doubt)) }
            guard let passing = stage.ends.first(where: { $0.kind == .passes }) else { return ends }
            if stage.ends.count > 1 { doubt = doubt ?? passing.doubt }
            // Whoever let it pass by a rule is worth naming; a policy is not.
            if passing.rule != nil || last == nil { last = passing }
        }
        if let last { ends.append(last.doubted(doubt)) }
        return ends
    }

    /// Whether something may happen, and on what that depends.
    private typealias Possibility = (isPossible: Bool, doubt: Doubt?)

    /// What one rule does, if its conditions hold.
    private struct Step {
        var ends: [End] = []
        /// Back to the chain that jumped here.
        var returns: Possibility = (false, nil)
        /// On to the next rule.
        var goesOn: Possibility = (false, nil)
        var mayBeMarked: Bool

        /// Whether some packets do not get beyond it.
        var isDecisive: Bool { !ends.isEmpty || returns.isPossible }
    }

    /// What comes out of one chain.
    private struct Passage {
        var ends: [End] = []
        /// Whether the packet may come out at the chain's end or by a return.
        var returns: Possibility = (false, nil)
        var mayBeMarked: Bool

        mutating func take(_ step: Step) {
            for end in step.ends { add(end) }
            if step.returns.isPossible { mayReturn(step.returns.doubt) }
            if step.mayBeMarked { mayBeMarked = true }
        }

        /// Takes note of an end; of each kind the first tells enough, and a certain one more.
        mutating func add(_ end: End) {
            if let index = ends.firstIndex(where: { $0.kind == end.kind }) {
                if ends[index].doubt != nil, end.doubt == nil { ends[index] = end }
            } else if ends.count < 16 {
                ends.append(end)
            }
        }

        mutating func mayReturn(_ doubt: Doubt?) {
            if !returns.isPossible { returns = (true, doubt) }
        }

        func ends(ofBase chain: ForeignChain) -> [End] {
            var passage = self
            if returns.isPossible {
                passage.add(
                    End(kind: chain.dropsByPolicy ? .dropped : .passes, chain: chain, rule: nil, doubt: returns.doubt))
            }
            return passage.ends
        }
    }

    /// One walk through a base chain. What comes out of a chain is remembered, as many rules may jump to it.
    private struct Run {
        let walk: PacketWalk
        private var known: [Key: [Bool: Passage]] = [:]
        private var entered: Set<Key> = []

        init(walk: PacketWalk) { self.walk = walk }

        /// nf_tables and iptables refuse loops, and nf_tables more than 16 jumps (`NFT_JUMP_STACK_SIZE`); what was read
        /// from a file may hold anything.
        private static let maximumDepth = 64

        mutating func pass(_ chain: ForeignChain, _ start: PacketMatcher, depth: Int) -> Passage {
            var matcher = start
            var passage = Passage(mayBeMarked: matcher.packet.mayBeMarked)
            /// On what it depends whether the packet gets to the rule that is looked at.
            var doubt: Doubt?
            for rule in chain.rules {
                let (truth, condition) = matcher.match(rule)
                if truth == .fails { continue }
                let own = truth == .unknown ? Doubt(chain: chain, rule: rule, condition: condition) : nil
                let step = step(of: rule, in: chain, doubt: doubt ?? own, matcher, depth)
                passage.take(step)
                if step.mayBeMarked { matcher.packet.mayBeMarked = true }
                if step.goesOn.isPossible {
                    if step.isDecisive { doubt = doubt ?? own ?? step.goesOn.doubt }
                } else if let own {
                    doubt = doubt ?? own
                } else {
                    return passage
                }
            }
            passage.mayReturn(doubt)
            return passage
        }

        /// What a rule whose conditions may hold does.
        private mutating func step(
            of rule: ForeignRule, in chain: ForeignChain, doubt: Doubt?, _ matcher: PacketMatcher, _ depth: Int
        ) -> Step {
            var step = Step(mayBeMarked: matcher.packet.mayBeMarked)
            let end = { (kind: End.Kind) in [End(kind: kind, chain: chain, rule: rule, doubt: doubt)] }
            switch rule.verdict {
            case .none: step.goesOn = (true, nil)
            case .setMark:
                step.goesOn = (true, nil)
                step.mayBeMarked = true
            case .accept: step.ends = end(.passes)
            case .drop, .reject: step.ends = end(.dropped)
            case .rewriteDestination(let to): step.ends = end(.rewritten(to))
            case .returns: step.returns = (true, doubt)
            case .unknown: step.ends = [unknown(rule, in: chain, doubt)]
            case .jump(let name), .goTo(let name):
                let inner = follow(name, of: rule, in: chain, matcher, depth)
                step.ends = inner.ends.map { $0.doubted(doubt) }
                step.mayBeMarked = inner.mayBeMarked
                if case .jump = rule.verdict {
                    step.goesOn = inner.returns
                } else {
                    step.returns = (inner.returns.isPossible, doubt ?? inner.returns.doubt)
                }
            }
            return step
        }

        private func unknown(_ rule: ForeignRule, in chain: ForeignChain, _ doubt: Doubt?) -> End {
            End(
                kind: .unknown, chain: chain, rule: rule,
                doubt: doubt ?? Doubt(chain: chain, rule: rule, condition: nil))
        }

        private mutating func follow(
            _ name: String, of rule: ForeignRule, in chain: ForeignChain, _ matcher: PacketMatcher, _ depth: Int
        ) -> Passage {
            let key = Key(chain, name: name)
            if let passage = known[key]?[matcher.packet.mayBeMarked] { return passage }
            guard let next = walk.chains[key], depth < Self.maximumDepth, !entered.contains(key) else {
                return Passage(ends: [unknown(rule, in: chain, nil)], mayBeMarked: matcher.packet.mayBeMarked)
            }
            entered.insert(key)
            let passage = pass(next, matcher, depth: depth + 1)
            entered.remove(key)
            known[key, default: [:]][matcher.packet.mayBeMarked] = passage
            return passage
        }
    }
}

extension PacketWalk.End {
    /// The same end, where getting there depends on something too.
    fileprivate func doubted(_ doubt: PacketWalk.Doubt?) -> PacketWalk.End {
        var end = self
        end.doubt = end.doubt ?? doubt
        return end
    }
}

extension ForeignChain {
    /// Whether packets of a family come through it.
    func sees(_ family: AddressFamily) -> Bool {
        switch self.family {
        case .inet, .bridge, .netdev: true
        case .ip: family == .ipv4
        case .ip6: family == .ipv6
        }
    }
}
