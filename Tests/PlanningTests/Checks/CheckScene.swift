import Model

@testable import Planning

/// A running host in which only what a test sets is out of the ordinary.
enum CheckScene {
    static func context(
        modes: [Mode] = [.bridge], _ change: (inout Settings) -> Void = { _ in }, facts: VerificationFacts
    ) throws -> CheckContext {
        var settings = Settings()
        settings.modes = modes
        change(&settings)
        return CheckContext(
            scope: .host, settings: settings, plan: try Plan(settings: settings, backend: .nftables, hasIPv6: true),
            changes: [], sysctl: nil, persistence: .untouched, disk: PersistenceFacts(), facts: facts)
    }
}

extension Check {
    var summary: String { "\(outcome.rawValue): \(evidence)" }
}
