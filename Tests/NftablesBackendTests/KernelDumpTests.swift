import Model
import Planning
import Testing

@testable import NftablesBackend

@Suite("Rules as a kernel dumps them")
struct KernelDumpTests {
    /// A dump with what it must hold.
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let dump: KernelDump
        let rejects: Bool

        func plannedRules() throws -> [Rule] {
            try Plan(settings: KernelDump.settings(rejects: rejects), backend: .nftables, hasIPv6: true).rules
                .map(\.rule)
        }
    }

    static let cases = [
        Case(testDescription: "written by this program, drop", dump: .appliedDrop, rejects: false),
        Case(testDescription: "written by this program, reject", dump: .appliedReject, rejects: true),
        Case(testDescription: "written by stock nft, drop", dump: .stockDrop, rejects: false),
        Case(testDescription: "written by stock nft, reject", dump: .stockReject, rejects: true),
    ]

    @Test("are the plan's, in its order within each chain and family", arguments: cases)
    func equalThePlan(_ this: Case) throws {
        let planned = try this.plannedRules()
        let read = this.dump.rules.compactMap { rule -> Rule? in
            guard case .rule(let rule)? = rule.decoded(in: .inet)?.content else { return nil }
            return rule
        }
        #expect(read.count == this.dump.messages.count)
        #expect(read.count == planned.count)
        for place in Place.allCases {
            for family in AddressFamily.allCases {
                let isHere = { (rule: Rule) in rule.place == place && rule.family == family }
                #expect(read.filter(isHere) == planned.filter(isHere), "\(place) \(family)")
            }
        }
    }

    @Test("altered in any one expression, are not ours", arguments: cases)
    func alteredDumps(_ this: Case) throws {
        for read in this.dump.rules {
            let place = try #require(Place(rawValue: read.chain))
            let comment = try #require(read.comment)
            let content = try #require(read.decoded(in: .inet)).content
            for alteration in Alteration.all(of: read.expressions) {
                let altered = RuleDecoder.decode(alteration.expressions, at: place, in: .inet, comment: comment)
                #expect(altered.content != content, "\(comment): \(alteration.what)")
            }
        }
    }

    @Test("bring their counters", arguments: cases.filter { !$0.rejects })
    func counters(_ this: Case) throws {
        let redirect = try #require(this.dump.rules.first { $0.chain == Place.output.rawValue })
        let result = try #require(redirect.decoded(in: .inet))
        #expect(result.packets == 1)
        #expect(result.bytes == 60)
    }
}
