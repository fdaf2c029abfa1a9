/// What verify looks at, each under an identifier that never changes its meaning.
///
/// To add one: a case here at the end, a function in `Planning/Checks` and a line in `CheckCatalogue`.
package enum CheckKind: Int, Sendable, CaseIterable {
    // The running kernel's rules and parameters.
    case routeLocalnet = 1
    case localhostGuard
    case containerCredentials
    case hostCredentials
    case inputAccept
    case metadata
    case metadata6
    case introspection
    case tableStructure
    case tableContents
    case noOtherRules
    // Other people's rules.
    case natOrder
    case foreignInput
    case shadowedDrop
    case bridgeCoverage
    // What lasts.
    case settingsFile
    case sysctlFile
    case mechanism
    case mechanismFile
    // The agent.
    case agentConfiguration
    case agentRestart
    case agentVersion
    case agentListener
    case credentialsUse
    // By packets.
    case probeCredentials
    case probeMetadata
    case probeMetadata6
    case probeLocalhost

    /// `ECS-NET-001`: three digits, with zeroes before them.
    package var identifier: String {
        let digits = String(rawValue)
        return "ECS-NET-" + String(repeating: "0", count: max(3 - digits.count, 0)) + digits
    }

    /// What it asks, in general: a sentence without a full stop.
    package var question: String {
        switch self {
        case .routeLocalnet: "the kernel delivers redirected requests to 127.0.0.1"
        case .localhostGuard: "neighbours do not get into services on 127.0.0.1"
        case .containerCredentials: "a rule sends containers' credential requests to the agent"
        case .hostCredentials: "a rule sends the host's own credential requests to the agent"
        case .inputAccept: "a rule lets redirected credential requests in"
        case .metadata: "a rule keeps containers from IMDS over IPv4"
        case .metadata6: "a rule keeps containers from IMDS over IPv6"
        case .introspection: "rules keep other hosts from the agent's introspection"
        case .tableStructure: "the table and chains that carry the rules take effect"
        case .tableContents: "the table holds nothing of somebody else's"
        case .noOtherRules: "there is no rule of ours beyond what is asked for"
        case .natOrder: "nobody else's nat rule takes credential requests first"
        case .foreignInput: "nobody else's rule drops redirected credential requests"
        case .shadowedDrop: "nobody else's rule lets packets to IMDS through before a rule drops them"
        case .bridgeCoverage: "every bridge of containers is covered by a pattern"
        case .settingsFile: "the settings are saved as given"
        case .sysctlFile: "the kernel parameter is set at boot too"
        case .mechanism: "what brings the rules back at boot is enabled"
        case .mechanismFile: "what brings the rules back at boot is as it was written"
        case .agentConfiguration: "the agent is configured for the modes"
        case .agentRestart: "the agent has read its configuration"
        case .agentVersion: "the agent is recent enough for the modes"
        case .agentListener: "the agent answers credential requests"
        case .credentialsUse: "tasks get the credentials they ask for"
        case .probeCredentials: "a packet from a covered bridge gets the agent's answer"
        case .probeMetadata: "a packet from a covered bridge does not get to IMDS over IPv4"
        case .probeMetadata6: "a packet from a covered bridge does not get to IMDS over IPv6"
        case .probeLocalhost: "a packet from a covered bridge does not get to 127.0.0.1"
        }
    }

    /// How bad it is where it does not hold.
    package var severity: Severity {
        switch self {
        case .noOtherRules, .introspection, .agentRestart, .settingsFile: .warning
        case .credentialsUse: .note
        default: .error
        }
    }
}

/// How bad a failed check is. The names are SARIF's levels.
package enum Severity: String, Sendable {
    /// Tasks do not get their credentials, get the host's, or will not after the next boot.
    case error
    /// It works, but not as it is meant to.
    case warning
    /// Worth knowing.
    case note
}

/// One thing that verify looked at, and what came of it.
package struct Check: Sendable {
    package enum Outcome: String, Sendable {
        case passed
        case failed
        /// It could not be told; the evidence says why.
        case undecided
        /// There was nothing to look at, or another check that failed says it all; the evidence says which.
        case skipped
    }

    /// What makes it right.
    package enum Mend: Hashable, Sendable {
        /// `ecs-netsetup apply` with the same options.
        case apply
        /// The same with another value of an option, which is named without its dashes.
        case applyWith(option: String, value: String)
        /// A command, or where only its owner can help, what to do.
        case command(String)
    }

    package let kind: CheckKind
    /// What was looked at: a rule's title, a file's path, a bridge's name.
    package let title: String
    package let outcome: Outcome
    /// What was seen: a few words. Empty where the title says it all.
    package let evidence: String
    /// Why it should be so: a sentence without a full stop.
    package let why: String
    /// Nil where there is nothing to mend.
    package let mend: Mend?

    package init(
        _ kind: CheckKind, _ title: String, _ outcome: Outcome, evidence: String = "", why: String, mend: Mend? = nil
    ) {
        self.kind = kind
        // They quote what somebody else has named, and stand on one line of a log.
        self.title = title.showingControls(keeping: [])
        self.outcome = outcome
        self.evidence = evidence.showingControls(keeping: [])
        self.why = why
        self.mend = if case .command(let text) = mend { .command(text.showingControls(keeping: [])) } else { mend }
    }

    /// A check with one problem, or none.
    ///
    /// - Parameter seen: the evidence where there is no problem.
    package init(
        _ kind: CheckKind, _ title: String, problem: String?, seen: String = "", why: String, mend: Mend = .apply
    ) {
        self.init(
            kind, title, problem == nil ? .passed : .failed, evidence: problem ?? seen, why: why,
            mend: problem == nil ? nil : mend)
    }
}
