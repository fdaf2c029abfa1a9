import Laboratory

/// What sets the host up.
enum Contender: CaseIterable, Sendable {
    /// The four commands of Amazon's manual, "IAM roles for tasks".
    case documented
    /// The same with the drop in DOCKER-USER, as newer pages have it.
    case dockerUser
    case nftables
    case iptables

    /// The columns of the table.
    var title: String {
        switch self {
        case .documented: "documented, `FORWARD 1`"
        case .dockerUser: "documented, `DOCKER-USER`"
        case .nftables: "ecs-netsetup, nftables"
        case .iptables: "ecs-netsetup, iptables"
        }
    }

    /// Whether it is ecs-netsetup.
    var isOurs: Bool { self == .nftables || self == .iptables }

    private var commands: [String] {
        let chain = self == .dockerUser ? "DOCKER-USER" : "FORWARD"
        return [
            "sysctl -w net.ipv4.conf.all.route_localnet=1",
            "iptables -t nat -A PREROUTING -p tcp -d 169.254.170.2 --dport 80 -j DNAT --to-destination 127.0.0.1:51679",
            "iptables -t nat -A OUTPUT -d 169.254.170.2 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 51679",
            "iptables --insert \(chain) 1 --in-interface docker+ --destination 169.254.169.254/32 --jump DROP",
        ]
    }

    static let options = ["--mode", "bridge,host", "--bridge-interface", "docker+,br-+"]

    /// What `ecs-netsetup.service` runs.
    static let unit = [Tool.path, "apply", "--persist", "none", "--force-old-agent", "--quiet"]

    /// As an administrator does it for the first time.
    ///
    /// - Parameter flavour: where it is what the backend writes to, the backend is left to the program.
    /// - Returns: what the program said.
    @discardableResult
    func setUp(_ host: Namespace, _ flavour: Flavour) throws -> String {
        guard isOurs else {
            try setUpAgain(host)
            return ""
        }
        let backend = self == .nftables ? "nftables" : "iptables"
        let isDockers = (self == .nftables) == (flavour == .nft)
        let result = try host.execute(
            [Tool.path, "apply"] + Self.options + (isDockers ? [] : ["--backend", backend]))
        guard result.status == 0, result.output.contains("the host matches (\(backend), ") else {
            throw LaboratoryError("apply: status \(result.status): \(result.output)\(result.errors)")
        }
        try host.restartAgent()
        return result.output + result.errors
    }

    /// Before something is tried that may undo it: the commands once more, so that each is tried on what they set up.
    /// ecs-netsetup is not run again.
    func setUpAgain(_ host: Namespace) throws {
        guard !isOurs else { return }
        for command in commands { try host.require(command.split(separator: " ").map(String.init)) }
    }

    /// After somebody's service flushed the rules: the unit runs again with it. Nothing runs the commands again.
    func followService(_ host: Namespace) throws {
        if isOurs { try host.require(Self.unit) }
    }

    /// At boot, before Docker, which keeps a DOCKER-USER that is there already.
    func boot(_ host: Namespace) throws {
        if self == .dockerUser { try host.require(["iptables", "-N", "DOCKER-USER"]) }
        isOurs ? try followService(host) : try setUpAgain(host)
    }
}
