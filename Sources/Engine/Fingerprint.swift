import Model
import Planning

extension Decision {
    /// Tells one decision from another: a digest of what was found, as far as this program decides by it, and of what is
    /// to be done. Counters and other people's rules are not in it, as they change all the time.
    package var fingerprint: String {
        var parts = [
            "backend \(choice.backend.rawValue)", "root \(observed.disk.root)",
            "distribution \(observed.disk.distribution?.name ?? "-")",
            "mechanism \(persistence.choice?.mechanism.rawValue ?? "-")",
        ]
        if !observed.disk.isImage {
            parts.append("route_localnet \(observed.routeLocalnet) before \(observed.earlierRouteLocalnet ?? "-")")
            parts += [observed.nftables, observed.iptables].flatMap(Self.parts)
        }
        parts += plan.rules.map { "planned \(Self.spell($0.rule))" }
        if let sysctl { parts.append("sysctl \(sysctl.name) \(sysctl.from) \(sysctl.to)") }
        parts += persistence.steps.map(Self.part)
        parts.append("record \(observed.disk.record.text) \(persistence.record.text)")
        // A line each: none of the parts can run into the next.
        return Record.digest(Array(parts.joined(separator: "\u{0}").utf8))
    }

    private static func parts(_ installed: InstalledRuleset) -> [String] {
        let rules = installed.rules.map { rule in
            switch rule.content {
            case .rule(let known): "\(spell(known)) handle \(rule.handle) behind others \(rule.hasForeignRuleAhead)"
            case .unknown(let text): "unknown \(text) handle \(rule.handle)"
            }
        }
        return rules + installed.ownTables + installed.ownChains + installed.defects + installed.obstacles.map(\.what)
    }

    private static func spell(_ rule: Rule) -> String {
        "\(rule.place.rawValue) \(rule.family.rawValue) \(IptablesSpelling.append(rule))"
    }

    private static func part(_ step: PersistenceStep) -> String {
        switch step {
        case .folder(let path): "folder \(path)"
        case .emptyFolder(let path): "empty folder \(path)"
        case .obstacle(let obstacle): "obstacle \(obstacle.what)"
        case .service(let action): "service \(action.command(below: ""))"
        case .file(let change):
            "file \(change.path) \(digest(change.before)) \(digest(change.after))"
        }
    }

    private static func digest(_ contents: FileContents?) -> String {
        contents.map { "\(Record.digest($0.bytes)) \($0.mode)" } ?? "-"
    }
}
