import Model

/// The wall between containers and the instance's own credentials.
enum MetadataRules {
    /// `iptables -t mangle -A FORWARD -d 169.254.169.254/32 -i docker+ -j DROP`, the same for `fd00:ec2::254`, and
    /// for each interface pattern. With `--imds-placement documented` in table filter, as Amazon's manual has it.
    static func rules(_ context: RuleContext) -> [PlannedRule] {
        guard context.has(.bridge), !context.settings.allowsMetadata else { return [] }
        return context.settings.bridgeInterfaces.flatMap { bridge in
            [Endpoint.metadata, Endpoint.metadata6].flatMap { metadata in
                answers(context.settings.metadataAction).map { answer in
                    rule(bridge: bridge, metadata: metadata, answer: answer, settings: context.settings)
                }
            }
        }
    }

    /// An action and the condition under which it is right.
    private struct Answer {
        let suffix: String
        let matches: [Match]
        let action: Action
    }

    /// TCP takes a reset, which clients understand at once; everything else takes an ICMP error.
    private static func answers(_ action: MetadataAction) -> [Answer] {
        switch action {
        case .drop: [Answer(suffix: "", matches: [], action: .drop)]
        case .reject:
            [
                Answer(suffix: ", TCP", matches: [.tcp], action: .reject(.tcpReset)),
                Answer(suffix: "", matches: [], action: .reject(.adminProhibited)),
            ]
        }
    }

    private static func rule(
        bridge: InterfacePattern, metadata: IPPrefix, answer: Answer, settings: Settings
    ) -> PlannedRule {
        let version = metadata.family == .ipv4 ? "" : " over IPv6"
        let rule = Rule(
            "no IMDS\(version) for \(bridge)\(answer.suffix)",
            at: settings.metadataPlacement == .early ? .forward : .filterForward, metadata.family,
            [.destination(metadata), .inInterface(bridge, negated: false)] + answer.matches, answer.action)
        return PlannedRule(rule, why: "containers must not get the instance's own credentials from \(metadata.address)")
    }
}
