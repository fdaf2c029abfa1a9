/// One of our rules as the kernel holds it.
package struct InstalledRule: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case rule(Rule)
        /// A rule with our mark that holds something this program never writes; the text says what.
        case unknown(String)
    }

    package let content: Content
    /// Whether a rule of somebody else stands ahead of it in its chain.
    package let hasForeignRuleAhead: Bool
    /// The number by which nft deletes the rule; 0 in legacy iptables, which has none.
    package let handle: UInt64
    package let packets: UInt64
    package let bytes: UInt64

    package init(
        _ content: Content, hasForeignRuleAhead: Bool = false, handle: UInt64 = 0, packets: UInt64 = 0,
        bytes: UInt64 = 0
    ) {
        self.content = content
        self.handle = handle
        self.hasForeignRuleAhead = hasForeignRuleAhead
        self.packets = packets
        self.bytes = bytes
    }

    /// The rule, unless something in it is unknown.
    package var rule: Rule? {
        if case .rule(let rule) = content { rule } else { nil }
    }
}

/// Somebody else's chain that drops by policy.
package struct DroppingChain: Hashable, Sendable, CustomStringConvertible {
    package let backend: BackendKind
    /// Family, table and chain as nft spells them, or table and chain of legacy iptables.
    package let name: String
    /// Whether it belongs to the stock tools, so that an operator writes to it with `iptables`.
    package let isStock: Bool

    package init(_ backend: BackendKind, _ name: String, isStock: Bool) {
        self.backend = backend
        self.name = name
        self.isStock = isStock
    }

    package var description: String {
        "\(backend == .nftables ? "nftables" : "legacy iptables") chain \(name)"
    }
}

/// What other people's rules say about the host, as far as the choice of a backend and the notes need it.
package struct ForeignRules: Hashable, Sendable {
    /// The number of rules that are not ours. A jump counts as one.
    package var ruleCount = 0
    /// The tables that have chains or rules of Docker's, as the stock tool names them.
    package var dockerTables: [String] = []
    /// The chains through which delivered packets pass and which drop what no rule accepted.
    package var droppingInputChains: [DroppingChain] = []

    package init() {}
}

/// Something in our own table that is not ours, and that a change would lose or cannot pass.
package struct Obstacle: Hashable, Sendable {
    package let what: String
    /// How its owner takes it away.
    package let advice: String

    package init(_ what: String, advice: String) {
        self.what = what
        self.advice = advice
    }
}

/// Why a ruleset is read.
package enum ReadPurpose: Sendable {
    case look
    /// To be changed: what keeps others from changing it in between is taken if nobody else has it.
    case change
}

/// A backend's hold on what it has read, such as a lock. Given up by a commit, or when nothing is to be committed.
package protocol Reservation: AnyObject, Sendable {
    func release()
}

/// What one backend found on the host.
package struct InstalledRuleset: Sendable {
    package let backend: BackendKind
    /// Why the kernel cannot do this backend; nil when it can.
    package var unavailable: Failure?
    /// Whether anything of ours is there, be it an empty table.
    package var holdsOurs = false
    package var rules: [InstalledRule] = []
    /// What is wrong with the structure that carries the rules, such as a dormant table.
    package var defects: [String] = []
    package var obstacles: [Obstacle] = []
    package var foreign = ForeignRules()
    /// Our own tables that exist, as nft spells them; legacy iptables has none.
    package var ownTables: [String] = []
    /// The chains of ours that exist in them.
    package var ownChains: [String] = []
    /// The stock tables that exist, whatever they hold; only legacy iptables has such.
    package var liveTables: [String] = []
    /// The ruleset's generation when it was read (`NFTA_GEN_ID`); 0 where the backend has none.
    package var generation: UInt32 = 0
    /// Set when the ruleset was read to be changed and the backend has something to hold.
    package var reservation: (any Reservation)?

    package init(backend: BackendKind) { self.backend = backend }
}

/// A kernel interface that can hold our rules.
package protocol RulesetBackend: Sendable {
    var kind: BackendKind { get }

    /// Reads what is installed. Changes nothing on the host, loads no module, creates no table.
    ///
    /// - Throws: `Failure`, when it could not be told. A kernel that lacks the backend is no failure but said in
    ///   the result.
    func read(_ purpose: ReadPurpose) throws(Failure) -> InstalledRuleset

    /// Reads the chains through which packets to the host and through it pass before they are delivered or sent on, and
    /// those that these jump to, as far as their rules are understood. Our own table is left out; rules of ours in stock
    /// chains are in them and marked. Costs more than `read`, so only verify asks for it. Changes nothing on the host.
    func readForeignChains() throws(Failure) -> [ForeignChain]

    /// Makes the kernel hold exactly these rules of ours, in one transaction; none of them takes ours away.
    ///
    /// - Parameters:
    ///   - rules: the desired rules, in order within each place.
    ///   - installed: what `read` found, on which the caller's decision rests.
    ///   - deadline: when to stop waiting for a lock.
    /// - Throws: `Failure` of kind `.concurrentChange` or `.outcomeUnknown` when the caller must read again.
    func commit(_ rules: [Rule], replacing installed: InstalledRuleset, until deadline: Deadline) throws(Failure)
}
