/// One command on one kind of host, to be disturbed at each of its calls.
struct Walk {
    /// What a host is before ecs-netsetup comes.
    enum Dress: String {
        /// Rules and files of somebody else.
        case plain
        /// Booted by systemd, besides.
        case systemd
        /// With iptables-services enabled and its rules file, besides.
        case iptablesServices = "iptables-services"
        /// With netfilter-persistent enabled and its rules file, besides.
        case netfilterPersistent = "netfilter-persistent"
    }

    enum Command: String {
        case first = "first apply"
        case noop = "apply again"
        case replace = "apply with other options"
        case remove
        case repair = "apply over an altered rule of ours"
        case backend = "apply with the other backend"
        case toHost = "apply from bridge to host"
        case toBridge = "apply from host to bridge"
        case mechanism = "apply with systemd"
        case plan = "apply of a plan"
        case restart = "first apply that restarts the agent"
    }

    let command: Command
    let backend: String
    let dress: Dress

    static let all: [Walk] =
        ["nftables", "iptables"].flatMap { backend in
            [Command.first, .noop, .replace, .remove, .repair, .backend, .toHost, .toBridge, .plan].map {
                Walk(command: $0, backend: backend, dress: .plain)
            } + [Command.first, .remove, .restart].map { Walk(command: $0, backend: backend, dress: .systemd) }
        }
        + [Command.first, .remove, .mechanism].map { Walk(command: $0, backend: "iptables", dress: .iptablesServices) }
        + [Command.first, .remove].map { Walk(command: $0, backend: "iptables", dress: .netfilterPersistent) }

    var title: String { "\(command.rawValue), \(backend), \(dress == .plain ? "no persistence" : dress.rawValue)" }

    /// Whether legacy rules of others are there: where tables came only with rules of ours, they would stay behind.
    var hasLegacyRules: Bool { backend == "iptables" || command == .backend }

    /// Whether the command may let containers reach IMDS.
    var opens: Bool { command == .remove || command == .toHost }

    private var common: [String] {
        ["apply", "--backend", backend, "--persist", dress == .plain ? "none" : dress.rawValue]
    }

    private static let bridge = ["--mode", "bridge,awsvpc", "--bridge-interface", "docker+"]

    /// The options that the host has before a command other than the first.
    private var usual: [String] { common + Self.bridge }

    private var other: [String] {
        common + ["--mode", "bridge", "--bridge-interface", "docker+,br-+", "--imds-action", "reject"]
            + ["--imds-placement", "documented"]
    }

    /// Where a plan stands: in no place that is looked at.
    private static let planFile = "/run/plan"

    /// What makes the host ready; nil where nothing is to be done.
    var preparation: [String]? {
        switch command {
        case .first, .restart: nil
        case .noop, .replace, .remove, .repair, .toHost, .mechanism: usual
        case .toBridge: common + ["--mode", "host"]
        case .backend:
            ["apply", "--backend", backend == "iptables" ? "nftables" : "iptables", "--persist", "none"] + Self.bridge
        case .plan: ["diff", "--out", Self.planFile] + usual.dropFirst()
        }
    }

    /// The disturbed command.
    var words: [String] {
        switch command {
        case .first, .noop, .repair, .backend, .toBridge: usual
        case .replace: other
        case .remove: ["remove"]
        case .toHost: common + ["--mode", "host"]
        case .mechanism: ["apply", "--backend", backend, "--persist", "systemd"] + Self.bridge
        case .plan: ["apply", "--plan", Self.planFile]
        case .restart: usual + ["--restart-agent"]
        }
    }

    /// The command that goes on after it: a plan is for the host as it was.
    var continuation: [String] { command == .plan ? usual : words }

    /// Verification with the same options; nil after remove.
    var verification: [String]? {
        command == .remove ? nil : ["verify"] + continuation.dropFirst().filter { $0 != "--restart-agent" }
    }
}
