package import Model
import Planning

/// Every combination of settings that changes what is planned.
package enum Combinations {
    /// A wildcard, a name, the longest name, the longest and the shortest wildcard.
    package static let patterns: [[InterfacePattern]] = [
        [InterfacePattern(name: "docker", isWildcard: true)],
        [InterfacePattern(name: "docker0", isWildcard: false), InterfacePattern(name: "br-", isWildcard: true)],
        [
            InterfacePattern(name: "br-0123456789ab", isWildcard: false),
            InterfacePattern(name: "abcdefghijklmn", isWildcard: true), InterfacePattern(name: "d", isWildcard: true),
        ],
    ]

    package static let modes: [[Mode]] = (1..<(1 << Mode.allCases.count)).map { bits in
        Mode.allCases.enumerated().filter { bits & (1 << $0.offset) != 0 }.map(\.element)
    }

    package static let settings: [Settings] = modes.flatMap { modes in
        patterns.flatMap { patterns in
            MetadataPlacement.allCases.flatMap { placement in
                MetadataAction.allCases.flatMap { action in
                    (0..<8).map { flags in
                        var settings = Settings()
                        settings.modes = modes
                        settings.bridgeInterfaces = patterns
                        settings.metadataPlacement = placement
                        settings.metadataAction = action
                        settings.allowsMetadata = flags & 1 != 0
                        settings.allowsOffhostIntrospection = flags & 2 != 0
                        settings.guardsLocalhost = flags & 4 == 0
                        return settings
                    }
                }
            }
        }
    }

    /// Each rule that any combination plans for a backend, once. Combinations that the backend refuses plan none.
    package static func rules(_ backend: BackendKind) -> [Rule] {
        var seen: Set<Rule> = []
        return settings.flatMap { settings in
            (try? Plan(settings: settings, backend: backend, hasIPv6: true))?.rules.map(\.rule) ?? []
        }.filter { seen.insert($0).inserted }
    }
}
