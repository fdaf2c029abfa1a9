package import Model
import Planning

/// Which backend is used, and why.
package struct BackendChoice: Sendable {
    package let backend: BackendKind
    private let reason: String
    private let nftables: InstalledRuleset
    private let iptables: InstalledRuleset
    /// Whether there is no kernel behind the files.
    private let isImage: Bool

    /// What spoke for it, and what was found besides; a sentence each, without full stops.
    package var evidence: [String] {
        if isImage { return ["\(backend.rawValue): \(reason)"] }
        var evidence = ["\(backend.rawValue): \(reason)"] + [nftables, iptables].map(Self.found)
        if nftables.holdsOurs, iptables.holdsOurs {
            evidence.append("conflict: rules of ours are in both; apply leaves them in \(backend.rawValue) only")
        }
        return evidence
    }

    /// Chooses: what was asked for, else where Docker's rules are, else where ours are, else where other rules are,
    /// else legacy where its tables exist, else what the host's own iptables writes to, else nf_tables.
    ///
    /// - Throws: `Failure` of kind `.unsupported` when the kernel has not what is needed.
    package static func choose(
        requested: BackendKind?, _ observed: Observation
    ) throws(Failure) -> BackendChoice {
        let (nftables, iptables) = (observed.nftables, observed.iptables)
        let isImage = !observed.scope.hasRules
        var (backend, reason) = preferred(requested: requested, observed)
        if !isImage, let missing = observed[backend].unavailable {
            if observed.captured != nil {
                throw Failure(
                    .trouble, "\(missing.subject), and the rules belong there: \(reason)", advice: missing.advice)
            }
            guard requested == nil, observed[backend.other].unavailable == nil else { throw missing }
            reason = "this kernel has no \(backend.rawValue)"
            backend = backend.other
        }
        return BackendChoice(
            backend: backend, reason: reason, nftables: nftables, iptables: iptables, isImage: isImage)
    }

    /// The backend to name where everything is taken back: the one that holds our rules.
    static func holding(_ observed: Observation) -> BackendChoice {
        let (nftables, iptables, isImage) = (observed.nftables, observed.iptables, !observed.scope.hasRules)
        return BackendChoice(
            backend: iptables.holdsOurs && !nftables.holdsOurs ? .iptables : .nftables,
            reason: isImage ? "not asked for, as this is an image" : "our rules are there", nftables: nftables,
            iptables: iptables, isImage: isImage)
    }

    private static func preferred(
        requested: BackendKind?, _ observed: Observation
    ) -> (BackendKind, String) {
        let (nftables, iptables) = (observed.nftables, observed.iptables)
        if let requested { return (requested, "asked for with --backend, or BACKEND in the settings file") }
        /// The one of the two for which the condition holds, unless it holds for both or neither.
        func only(_ condition: (InstalledRuleset) -> Bool) -> BackendKind? {
            condition(nftables) == condition(iptables) ? nil : condition(nftables) ? .nftables : .iptables
        }
        if let kind = only({ !$0.foreign.dockerTables.isEmpty }) { return (kind, "Docker's rules are there") }
        if let kind = only(\.holdsOurs) { return (kind, "our own rules are there already") }
        if let kind = only({ $0.foreign.ruleCount > 0 }) { return (kind, "other live rules are there") }
        if nftables.foreign.ruleCount == 0, !nftables.holdsOurs, !iptables.liveTables.isEmpty {
            return (.iptables, "its tables exist and nothing is in nf_tables")
        }
        if observed.disk.flavour == .iptables { return (.iptables, "the host's own iptables writes to it") }
        return (.nftables, "nothing speaks for legacy iptables alone")
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private static func found(_ installed: InstalledRuleset) -> String {
        let name = installed.backend == .nftables ? "nf_tables" : "legacy iptables"
        if let missing = installed.unavailable { return "\(name): \(missing.subject)" }
        var words = [counted(installed.foreign.ruleCount, "foreign rule")]
        if !installed.foreign.dockerTables.isEmpty {
            words.append("Docker in \(installed.foreign.dockerTables.joined(separator: ", "))")
        }
        if installed.holdsOurs { words.append(counted(installed.rules.count, "rule") + " of ours") }
        if installed.backend == .iptables {
            words.append(
                installed.liveTables.isEmpty
                    ? "no table exists" : "tables \(installed.liveTables.joined(separator: ", "))")
        }
        return "\(name): \(words.joined(separator: ", "))"
    }
}
