import Model

extension IptablesRule {
    /// Why a rule is not one that this program writes: the words of the legacy backend's decoder.
    private struct NotOurs: Error { let what: String }

    /// A rule with our mark at a place, as the legacy backend tells it.
    func content(at place: Place, _ family: AddressFamily) -> InstalledRule.Content {
        do throws(NotOurs) {
            return .rule(try rule(at: place, family))
        } catch {
            return .unknown("\"\(comment ?? "")\" at \(place.rawValue) has \(error.what)")
        }
    }

    private func rule(at place: Place, _ family: AddressFamily) throws(NotOurs) -> Rule {
        var found = try headerMatches(family)
        var comment: String?
        for (index, match) in matches.enumerated() {
            if match.name == "comment" {
                guard index == matches.count - 1 else { throw NotOurs(what: "more behind its comment") }
                comment = self.comment
            } else {
                found.append(try condition(match))
            }
        }
        return Rule(place: place, family: family, matches: found, action: try action(family), comment: comment)
    }

    private func headerMatches(_ family: AddressFamily) throws(NotOurs) -> [Match] {
        let isKnown = header.allSatisfy { option in
            option.name == "-i" || !option.isNegated && ["-d", "-p"].contains(option.name)
        }
        guard isKnown, !isGoto, strays.isEmpty else {
            throw NotOurs(what: "unknown flags, a source or an outgoing interface")
        }
        var found: [Match] = []
        if let destination = option("-d"), let prefix = try prefix(destination, family) {
            found.append(.destination(prefix))
        }
        if let interface = option("-i") {
            if let pattern = interface.pattern {
                found.append(.inInterface(pattern, negated: interface.isNegated))
            } else if interface.isNegated {
                throw NotOurs(what: "a negated interface of nothing")
            }
        }
        if let transport = option("-p") {
            guard transport.values == ["tcp"] else { throw NotOurs(what: "another protocol than TCP") }
            found.append(.tcp)
        }
        return found
    }

    private func prefix(_ option: Option, _ family: AddressFamily) throws(NotOurs) -> IPPrefix? {
        guard let prefix = IPPrefix(text: option.values.first ?? ""), prefix.family == family else {
            throw NotOurs(what: "an unknown address mask")
        }
        return prefix.length == 0 ? nil : prefix
    }

    private func condition(_ match: Extension) throws(NotOurs) -> Match {
        // The tool prints a match of conntrack as -m state where it was given so.
        let name = match.name == "state" ? "conntrack" : match.name
        guard match.options.count == 1, let option = match.options.first, option.values.count == 1 else {
            throw NotOurs(what: "an unknown match '\(name)'")
        }
        switch (match.name, option.name) {
        case ("tcp", "--dport") where !option.isNegated:
            if let port = UInt16(option.values[0]) { return .tcpDestinationPort(port) }
        case ("conntrack", "--ctstate"):
            if !option.isNegated, option.values == ["DNAT"] { return .destinationTranslated }
        default: break
        }
        throw NotOurs(what: "an unknown match '\(name)'")
    }

    private func action(_ family: AddressFamily) throws(NotOurs) -> Action {
        // The kernel knows a jump by a number only.
        guard let target, Self.targets.contains(target.name) else { throw NotOurs(what: "an unknown target ''") }
        let values = target.options.flatMap { [$0.name] + $0.values }
        switch target.name {
        case "ACCEPT" where values.isEmpty: return .accept
        case "DROP" where values.isEmpty: return .drop
        case "REJECT":
            for (rejection, word) in Self.rejections(family) where values == ["--reject-with", word] {
                return .reject(rejection)
            }
        case "DNAT": return try dnat(values, family)
        case "REDIRECT" where family == .ipv4:
            guard values.count == 2, values[0] == "--to-ports", let port = UInt16(values[1]) else {
                throw NotOurs(what: "an unknown NAT range")
            }
            return .redirect(port: port)
        default: break
        }
        throw NotOurs(what: "an unknown target '\(target.name)'")
    }

    private static func rejections(_ family: AddressFamily) -> [(Rejection, String)] {
        [
            (.tcpReset, "tcp-reset"),
            (.adminProhibited, family == .ipv4 ? "icmp-admin-prohibited" : "icmp6-adm-prohibited"),
        ]
    }

    private func dnat(_ values: [String], _ family: AddressFamily) throws(NotOurs) -> Action {
        guard values.count == 2, values[0] == "--to-destination",
            let colon = values[1].lastIndex(of: ":"), let port = UInt16(values[1][values[1].index(after: colon)...])
        else { throw NotOurs(what: "an unknown NAT range") }
        let address = values[1][..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
        guard !address.contains("/"), let prefix = IPPrefix(text: String(address)), prefix.family == family else {
            throw NotOurs(what: "an unknown NAT range")
        }
        return .dnat(to: prefix, port: port)
    }
}

extension IptablesRule.Option {
    /// The interfaces that it names; nil where it names all.
    var pattern: InterfacePattern? {
        guard let name = values.first, name != "+", !name.isEmpty else { return nil }
        return name.hasSuffix("+")
            ? InterfacePattern(name: String(name.dropLast()), isWildcard: true)
            : InterfacePattern(name: name, isWildcard: false)
    }
}
