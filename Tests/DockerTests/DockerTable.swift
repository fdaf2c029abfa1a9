import FoundationEssentials

/// What came of every host's life, as it stands in `docs/docker.md`.
struct DockerTable {
    private var lives: [Flavour: [Contender: Life.Rows]] = [:]

    mutating func add(_ rows: Life.Rows, of life: Life) { lives[life.flavour, default: [:]][life.contender] = rows }

    subscript(flavour: Flavour, contender: Contender) -> Life.Rows { lives[flavour]?[contender] ?? [:] }

    var markdown: String {
        Flavour.allCases.map { flavour in
            let head = ["after", "container in"] + Contender.allCases.map(\.title)
            let lines = [head, head.map { _ in "---" }] + Moment.allCases.flatMap { rows(flavour, $0) }
            return "Docker with `iptables-\(flavour.rawValue)`:\n\n"
                + lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
        }.joined(separator: "\n")
    }

    private func rows(_ flavour: Flavour, _ moment: Moment) -> [[String]] {
        moment.networks.map { network in
            let cells = Contender.allCases.map { self[flavour, $0][moment]?[network]?.text(in: network) ?? "not run" }
            return [moment.rawValue, network.title] + cells
        }
    }
}
