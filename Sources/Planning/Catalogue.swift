import Model

/// What a rule of the catalogue may depend on.
struct RuleContext {
    let settings: Settings
    let backend: BackendKind
    /// Whether something that this plan does not change raises `route_localnet` at boot.
    var isRaisedElsewhere = false

    func has(_ mode: Mode) -> Bool { settings.modes.contains(mode) }

    /// Whether requests must get from outside to 127.0.0.1.
    var needsLocalnet: Bool { has(.bridge) || has(.awsvpc) }
}

/// Everything that this program ever installs, in the order in which it stands in a chain.
///
/// To add a rule: write a function in `Rules/` and name it here.
enum Catalogue {
    static let entries: [@Sendable (RuleContext) -> [PlannedRule]] = [
        LocalhostGuard.rules,
        CredentialsRules.fromContainers,
        CredentialsRules.fromHost,
        CredentialsRules.throughInput,
        MetadataRules.rules,
        IntrospectionRules.rules,
    ]
}
