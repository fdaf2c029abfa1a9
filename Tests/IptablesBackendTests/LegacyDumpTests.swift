import Model
import Planning
import Testing

@testable import IptablesBackend

@Suite("Entries as a kernel hands them out")
struct LegacyDumpTests {
    /// A dump with what it must hold.
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let dump: LegacyDump
        let rejects: Bool

        func plannedRules() throws -> [Rule] {
            var settings = Settings()
            settings.modes = [.bridge, .awsvpc]
            settings.bridgeInterfaces = LegacyDump.dumpedPatterns
            settings.metadataAction = rejects ? .reject : .drop
            settings.metadataPlacement = rejects ? .documented : .early
            return try Plan(settings: settings, backend: .iptables, hasIPv6: true).rules.map(\.rule)
        }
    }

    static let cases = [
        Case(testDescription: "drop", dump: .stockDrop, rejects: false),
        Case(testDescription: "reject", dump: .stockReject, rejects: true),
    ]

    @Test("written by stock iptables from the printed lines, are the plan's in its order", arguments: cases)
    func equalThePlan(_ this: Case) throws {
        let planned = try this.plannedRules()
        #expect(this.dump.entries.count == planned.count)
        for place in Place.allCases {
            for family in AddressFamily.allCases {
                let here = this.dump.entries.filter { $0.place == place && $0.family == family }
                let read = here.map { EntryDecoder.decode($0.bytes, at: place, family) }
                let expected = planned.filter { $0.place == place && $0.family == family }
                #expect(read == expected.map { .rule($0) }, "\(place) \(family)")
            }
        }
    }

    @Test("are as long as what this program writes, part by part", arguments: cases)
    func sameShape(_ this: Case) throws {
        let encoder = EntryEncoder(dnatRevision: .range2)
        for entry in this.dump.entries {
            let place = try #require(entry.place)
            guard
                case .rule(let rule) = EntryDecoder.decode(entry.bytes, at: place, entry.family)
            else { continue }
            let stock = EntryParts(entry.bytes, entry.family)
            let ours = EntryParts(encoder.encode(rule), entry.family)
            #expect(stock.matches.map(\.name) == ours.matches.map(\.name))
            #expect(stock.extensions.map(\.range) == ours.extensions.map(\.range))
        }
    }

    @Test("get the verdict's name that libiptc told", arguments: cases)
    func verdicts(_ this: Case) {
        for entry in this.dump.entries {
            let named = StandardVerdict.named(entry.bytes, entry.family)
            #expect(EntryParts(named, entry.family).target.name == entry.verdict)
        }
    }

    @Test("bring their counters")
    func counters() throws {
        let redirect = try #require(LegacyDump.stockDrop.entries.first { $0.place == .output })
        let counters = EntryDecoder.counters(of: redirect.bytes, .ipv4)
        #expect(counters.packets == 1)
        #expect(counters.bytes == 60)
    }

    @Test("every place is a chain of its own among the stock tables")
    func places() {
        for place in Place.allCases {
            #expect(StockTable.place(table: place.stockChain.table, chain: place.stockChain.chain) == place)
        }
        #expect(StockTable.place(table: "raw", chain: "PREROUTING") == nil)
        #expect(StockTable.place(table: "filter", chain: "DOCKER-USER") == nil)
    }

    @Test("the tables with the guards are written before the one that redirects")
    func tableOrder() {
        let names = StockTable.all.map(\.description)
        #expect(names == ["ip mangle", "ip6 mangle", "ip filter", "ip6 filter", "ip nat"])
    }
}
