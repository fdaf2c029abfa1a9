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
    }

    enum Command: String {
        case first = "first apply"
        case noop = "apply again"
        case replace = "apply with other options"
        case remove
    }

    let command: Command
    let backend: String
    let dress: Dress

    static let all: [Walk] =
        ["nftables", "iptables"].flatMap { backend in
            [Command.first, .noop, .replace, .remove].map { Walk(command: $0, backend: backend, dress: .plain) }
                + [Command.first, .remove].map { Walk(command: $0, backend: backend, dress: .systemd) }
        }
        + [Command.first, .remove].map { Walk(command: $0, backend: "iptables", dress: .iptablesServices) }

    var title: String { "\(command.rawValue), \(backend), \(dress == .plain ? "no persistence" : dress.rawValue)" }

    private var common: [String] {
        ["apply", "--backend", backend, "--persist", dress == .plain ? "none" : dress.rawValue]
    }

    /// The options that the host has before a command other than the first.
    private var usual: [String] { common + ["--mode", "bridge,awsvpc", "--bridge-interface", "docker+"] }

    private var other: [String] {
        common + ["--mode", "bridge", "--bridge-interface", "docker+,br-+", "--imds-action", "reject"]
            + ["--imds-placement", "documented"]
    }

    /// What makes the host ready; nil where nothing is to be done.
    var preparation: [String]? { command == .first ? nil : usual }

    /// The disturbed command, which is also the one that goes on after it.
    var words: [String] {
        switch command {
        case .first, .noop: usual
        case .replace: other
        case .remove: ["remove"]
        }
    }

    /// Verification with the same options; nil after remove.
    var verification: [String]? {
        command == .remove ? nil : ["verify"] + words.dropFirst()
    }
}
