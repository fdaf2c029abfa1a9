/// A network mode of ECS tasks.
package enum Mode: String, Sendable, CaseIterable {
    case bridge
    case host
    case awsvpc
}

/// The kernel interface through which rules are installed.
package enum BackendKind: String, Sendable, CaseIterable {
    case nftables
    /// The legacy kernel interface, as `iptables-legacy` uses it; `iptables-nft` is nf_tables.
    case iptables

    package var other: BackendKind { self == .nftables ? .iptables : .nftables }
}

/// Where the rule against IMDS stands.
package enum MetadataPlacement: String, Sendable, CaseIterable {
    /// Before everybody's filter rules, so that none of them can let a packet through first.
    case early
    /// Among the filter rules at position 1, as Amazon's manual has it.
    case documented
}

/// What happens to a container's packet to IMDS.
package enum MetadataAction: String, Sendable, CaseIterable {
    case drop
    case reject
}

/// What the user asked for.
package struct Settings: Hashable, Sendable {
    package var modes: [Mode] = []
    package var bridgeInterfaces = [InterfacePattern(name: "docker", isWildcard: true)]
    /// nil: choose by what is live on the host.
    package var backend: BackendKind?
    package var metadataPlacement = MetadataPlacement.early
    package var metadataAction = MetadataAction.drop
    package var allowsMetadata = false
    package var allowsOffhostIntrospection = false
    package var guardsLocalhost = true
    /// How long to wait for locks and concurrent writers, in seconds; 0 tries once.
    package var wait = 5
    /// nil: choose what fits the host.
    package var persistence: Mechanism?
    /// Whether the ECS agent is restarted where its configuration changed.
    package var restartsAgent = false
    /// Whether an ECS agent too old for the modes is no reason to refuse.
    package var acceptsOldAgent = false

    package init() {}
}
