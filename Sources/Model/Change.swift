/// One difference between what is desired and what is there.
package enum Change: Hashable, Sendable {
    case add(PlannedRule)
    case remove(InstalledRule)
    /// The rule is there under its comment, but altered.
    case alter(InstalledRule, to: PlannedRule)
    /// The rule is there, but not where it takes effect.
    case move(InstalledRule, to: PlannedRule)
    /// The structure that carries the rules is wrong, as this text says.
    case repair(String)
    /// Something of somebody else stands in our table, and only they can take it away.
    case obstacle(Obstacle)
    /// A kernel parameter has another value.
    case sysctl(SysctlChange)
}

/// The changes that one backend has to make.
package struct BackendChanges: Sendable {
    package let backend: BackendKind
    package let changes: [Change]

    package init(backend: BackendKind, changes: [Change]) {
        self.backend = backend
        self.changes = changes
    }
}

/// A kernel parameter's value to be changed.
package struct SysctlChange: Hashable, Sendable {
    /// The name with dots, as sysctl(8) has it.
    package let name: String
    package let from: String
    package let to: String
    /// Why ECS needs it.
    package let why: String

    package init(name: String, from: String, to: String, why: String) {
        self.name = name
        self.from = from
        self.to = to
        self.why = why
    }
}
