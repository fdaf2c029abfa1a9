import Captures
import Host
package import Model
import Planning

/// What was captured of a host's rules, beside the rulesets themselves.
package struct CapturedRules: Sendable {
    /// The files, as they were named.
    package let names: [String]
    /// Of the legacy interface, the families that were captured.
    let iptablesFamilies: Set<AddressFamily>
    /// Files with nothing in them.
    let emptyNames: [String]
    /// The chains with everybody's rules, as far as they are understood.
    let foreignChains: [ForeignChain]
    /// Whether anything was captured with `iptables-nft-save`.
    let hasStockTables: Bool
    /// Whether a folder of the host's files was given too.
    let hasFiles: Bool

    /// The command that captures the legacy tables of a family.
    static func command(_ family: AddressFamily) -> String {
        family == .ipv4 ? "iptables-legacy-save" : "ip6tables-legacy-save"
    }
}

extension Engine {
    /// Reads captured rules in place of a kernel's, and the files of an image where there is one. Looks at nothing of this
    /// machine.
    ///
    /// - Parameters:
    ///   - paths: files with what the stock tools printed; `-` is standard input.
    ///   - requested: the backend that was asked for, which also tells what a text that does not tell it is.
    ///   - readsDisk: whether what persistence depends on is read too.
    package func observe(
        captured paths: [String], requested: BackendKind?, readsDisk: Bool
    ) throws(Failure) -> Observation {
        var capture = Capture()
        for path in paths {
            let name = path == "-" ? "standard input" : path
            try capture.read(
                try InputFile.read(path), from: name, unclear: requested == .iptables ? .iptables : nil)
        }
        let disk = host.isImage ? try PersistenceFactsReader(host: host).read(isWhole: readsDisk) : nil
        return Observation(capture, disk: disk)
    }
}

extension Observation {
    /// What was captured, as if it were found on a host. What was not is unavailable.
    ///
    /// - Parameter disk: what is in the folder of files; nil where none is given.
    init(_ capture: Capture, disk: PersistenceFacts?) {
        var nftables = capture.nftables ?? InstalledRuleset(backend: .nftables)
        if capture.nftables == nil {
            nftables.foreign = capture.stockForeign
            nftables.unavailable = Failure(
                .trouble, "nf_tables was not captured",
                advice: "capture it with nft -j list ruleset; iptables-nft-save shows the stock tools' tables only")
        }
        var iptables = capture.iptables
        if capture.iptablesFamilies.isEmpty {
            let commands = AddressFamily.allCases.map(CapturedRules.command).joined(separator: " and ")
            iptables.unavailable = Failure(
                .trouble, "legacy iptables was not captured", advice: "capture it with \(commands)")
        }
        self.init(
            nftables: nftables, iptables: iptables, routeLocalnet: "", earlierRouteLocalnet: nil, hasIPv6: true,
            disk: disk ?? PersistenceFacts())
        captured = CapturedRules(
            names: capture.names, iptablesFamilies: capture.iptablesFamilies, emptyNames: capture.emptyNames,
            foreignChains: capture.foreignChains, hasStockTables: capture.hasStockTables, hasFiles: disk != nil)
    }

    /// The families of a backend of which nothing is known, as they were not captured.
    func uncaptured(in backend: BackendKind) -> [AddressFamily] {
        guard let captured, backend == .iptables else { return [] }
        return AddressFamily.allCases.filter { !captured.iptablesFamilies.contains($0) }
    }

    /// What cannot be told from captured rules, a sentence each.
    func captureNotes(_ plan: Plan) -> [String] {
        guard let captured else { return [] }
        var notes = uncaptured(in: plan.backend).compactMap { family -> String? in
            let count = plan.rules.count { $0.rule.family == family }
            if count == 0 { return nil }
            return
                "what \(CapturedRules.command(family)) prints was not given, so \(count == 1 ? "1 rule is" : "\(count) rules are") not compared"
        }
        notes += captured.emptyNames.map {
            "\($0) is empty, so it is taken for a legacy interface without tables; the tools also print nothing where they fail"
        }
        notes += unseenNotes(in: plan.backend.other, captured)
        if plan.needsRouteLocalnet {
            notes.append("\(Endpoint.routeLocalnet) is not looked at: captured rules do not tell a kernel's parameters")
        }
        return notes
    }

    /// What is not seen in the backend into which the rules do not belong.
    private func unseenNotes(in other: BackendKind, _ captured: CapturedRules) -> [String] {
        guard let missing = self[other].unavailable else {
            return uncaptured(in: other).map {
                "what \(CapturedRules.command($0)) prints was not given, so rules there are not seen, neither ours nor others'"
            }
        }
        let others =
            other == .nftables && captured.hasStockTables ? "others' beyond the stock tools' tables" : "others'"
        return ["\(missing.subject): rules there are not seen, neither ours nor \(others)"]
    }
}
