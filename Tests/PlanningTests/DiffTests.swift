import Model
import Testing

@testable import Planning

@Suite("Diff")
struct DiffTests {
    private let planned: [PlannedRule]

    init() throws {
        let settings = settings([.bridge]) {
            $0.bridgeInterfaces = [
                InterfacePattern(name: "docker", isWildcard: true), InterfacePattern(name: "br0", isWildcard: false),
            ]
        }
        planned = try Plan(settings: settings, backend: .iptables, hasIPv6: true).rules
    }

    private func installed(_ rules: [InstalledRule], _ change: (inout InstalledRuleset) -> Void = { _ in })
        -> InstalledRuleset
    {
        var ruleset = InstalledRuleset(backend: .iptables)
        ruleset.rules = rules
        ruleset.holdsOurs = true
        change(&ruleset)
        return ruleset
    }

    private func all(foreignAhead: Bool = false) -> [InstalledRule] {
        planned.map { InstalledRule(.rule($0.rule), hasForeignRuleAhead: foreignAhead, packets: 9) }
    }

    /// The rules at a place, IPv4 only.
    private func here(_ place: Place) -> [PlannedRule] {
        planned.filter { $0.rule.place == place && $0.rule.family == .ipv4 }
    }

    @Test("of equal lists is empty, whatever the counters and handles")
    func equal() {
        #expect(Diff.changes(from: installed(all()), to: planned).isEmpty)
        #expect(Diff.changes(from: InstalledRuleset(backend: .nftables), to: []).isEmpty)
    }

    @Test("adds everything to an empty host, in the plan's order within each chain")
    func addAll() {
        let changes = Diff.changes(from: installed([]), to: planned)
        #expect(Set(changes) == Set(planned.map(Change.add)))
        for place in Place.allCases {
            let added = changes.compactMap { change -> PlannedRule? in
                if case .add(let rule) = change, rule.rule.place == place, rule.rule.family == .ipv4 {
                    rule
                } else {
                    nil
                }
            }
            #expect(added == here(place))
        }
    }

    @Test("removes everything for an empty plan")
    func removeAll() {
        #expect(Set(Diff.changes(from: installed(all()), to: [])) == Set(all().map(Change.remove)))
    }

    @Test("adds what is missing and nothing else")
    func oneMissing() {
        for (index, missing) in planned.enumerated() {
            var rules = all()
            rules.remove(at: index)
            #expect(Diff.changes(from: installed(rules), to: planned) == [.add(missing)])
        }
    }

    @Test("removes what nothing asks for and nothing else")
    func oneTooMany() {
        for index in planned.indices {
            var rest = planned
            rest.remove(at: index)
            #expect(Diff.changes(from: installed(all()), to: rest) == [.remove(all()[index])])
        }
    }

    @Test("a rule under its comment with another content is altered")
    func altered() throws {
        let rule = planned[0].rule
        let other = InstalledRule(
            .rule(
                Rule(
                    place: rule.place, family: rule.family, matches: rule.matches, action: .accept,
                    comment: rule.comment)))
        let rules = [other] + all().dropFirst()
        #expect(Diff.changes(from: installed(rules), to: planned) == [.alter(other, to: planned[0])])
    }

    @Test("a rule that cannot be read is replaced")
    func unknown() {
        let unknown = InstalledRule(.unknown("\"ecs-netsetup: localhost guard\" has a limit"))
        let changes = Diff.changes(from: installed([unknown] + all().dropFirst()), to: planned)
        #expect(Set(changes) == [.add(planned[0]), .remove(unknown)])
    }

    @Test("a second copy is removed, and only that")
    func duplicate() {
        for rule in all() {
            #expect(Diff.changes(from: installed(all() + [rule]), to: planned) == [.remove(rule)])
            #expect(Diff.changes(from: installed([rule] + all()), to: planned) == [.remove(rule)])
        }
    }

    @Test("a foreign rule ahead makes a rule move where it must come first, and not elsewhere")
    func foreignAhead() {
        let behind = all(foreignAhead: true)
        let changes = Diff.changes(from: installed(behind), to: planned)
        let expected = zip(behind, planned).filter { $1.rule.place.mustComeFirst }
        #expect(Set(changes) == Set(expected.map { Change.move($0, to: $1) }))
        #expect(!changes.isEmpty)
    }

    @Test("two rules in the wrong order: one moves")
    func swapped() {
        let first = here(.forward)[0]
        let second = here(.forward)[1]
        let rules = [second, first].map { InstalledRule(.rule($0.rule)) }
        let changes = Diff.changes(from: installed(rules), to: [first, second])
        #expect(changes == [.move(rules[1], to: first)] || changes == [.move(rules[0], to: second)])
    }

    @Test("any order of a chain's rules needs as many moves as are out of order, and no addition or removal")
    func reordered() {
        let list = here(.input)
        #expect(list.count == 3)
        for turn in 1..<list.count {
            let rules = (list[turn...] + list[..<turn]).map { InstalledRule(.rule($0.rule)) }
            let changes = Diff.changes(from: installed(rules), to: list)
            #expect(changes.count == min(turn, list.count - turn))
            for change in changes {
                guard case .move = change else {
                    Issue.record("\(change)")
                    continue
                }
            }
        }
    }

    @Test("a rule in another chain than the plan's is removed there and added here")
    func otherPlace() {
        let early = here(.forward)[0]
        let documented = Rule(
            place: .filterForward, family: early.rule.family, matches: early.rule.matches, action: early.rule.action,
            comment: early.rule.comment)
        let wrong = InstalledRule(.rule(documented))
        #expect(Set(Diff.changes(from: installed([wrong]), to: [early])) == [.add(early), .remove(wrong)])
    }

    @Test("defects and obstacles come first, also where every rule is right")
    func defects() {
        let obstacle = Obstacle("a chain of somebody's", advice: "delete it")
        let ruleset = installed(all()) {
            $0.defects = ["the table is dormant"]
            $0.obstacles = [obstacle]
        }
        #expect(Diff.changes(from: ruleset, to: planned) == [.obstacle(obstacle), .repair("the table is dormant")])
        #expect(
            Diff.changes(from: ruleset, to: []).prefix(2) == [.obstacle(obstacle), .repair("the table is dormant")])
    }
}

@Suite("The change of route_localnet")
struct SysctlChangeTests {
    @Test(
        "is due only where the value is not the one that is needed",
        arguments: [
            // current, earlier, needed: to
            ("0", nil, true, "1"), ("1", nil, true, nil), ("1", "0", true, nil), ("0", "0", true, "1"),
            ("0", nil, false, nil), ("1", nil, false, nil), ("1", "0", false, "0"), ("0", "0", false, nil),
            ("0", "1", false, nil), ("2", nil, true, "1"), ("2", "1", false, "1"),
        ] as [(String, String?, Bool, String?)])
    func change(_ current: String, _ earlier: String?, _ isNeeded: Bool, _ to: String?) throws {
        let plan = try Plan(settings: settings(isNeeded ? [.bridge] : [.host]), backend: .nftables, hasIPv6: true)
        let change = Diff.sysctlChange(current: current, earlier: earlier, plan: plan)
        #expect(change?.to == to)
        if let change {
            #expect(change.from == current)
            #expect(change.name == "net.ipv4.conf.all.route_localnet")
            #expect(!change.why.isEmpty)
        }
    }
}
