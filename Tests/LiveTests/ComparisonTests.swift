import Foundation
import Laboratory
import Testing

/// A way to set up an ECS host, as its author has it run at every start.
private struct Recipe: Sendable {
    let name: String
    /// Where its agent answers introspection.
    var introspection = ["0.0.0.0", "::"]
    /// The commands, for a host whose `iptables` is the legacy one.
    let commands: [String]

    static let all = [documented, ecsInit, bottlerocket, ecsNetsetup]

    private static let parameter = "sysctl -qw net.ipv4.conf.all.route_localnet=1"
    private static let guardRule =
        "filter -I INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    private static let forContainers =
        "nat -A PREROUTING -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 127.0.0.1:51679"
    private static let forHost =
        "nat -A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 51679"

    private static func rules(with tool: String = "iptables-legacy", _ lines: [String]) -> [String] {
        lines.map { "\(tool) -w -t \($0)" }
    }

    /// Amazon's manual, "IAM roles for tasks".
    private static let documented = Recipe(
        name: "manual",
        commands: [parameter]
            + rules([
                forContainers, forHost, "filter --insert FORWARD 1 -i docker+ -d 169.254.169.254/32 --jump DROP",
            ]))

    /// amazon-ecs-agent v1.105.1, ecs-init's `pre-start`.
    private static let ecsInit = Recipe(
        name: "ecs-init",
        commands: [parameter]
            + rules([forContainers, guardRule, introspectionDrop, introspectionAccept, forHost])
            + rules(with: "ip6tables-legacy", [introspectionDrop, introspectionAccept]))

    private static let introspectionDrop = "filter -I INPUT ! -i lo -p tcp -m tcp --dport 51678 -j DROP"
    private static let introspectionAccept = "filter -I INPUT -i docker0 -p tcp -m tcp --dport 51678 -j ACCEPT"

    /// bottlerocket-os/bottlerocket, packages/ecs-agent: `ecs.service`, `ecs-sysctl.conf`, and the patch that binds
    /// introspection to the loopback.
    private static let bottlerocket = Recipe(
        name: "Bottlerocket", introspection: ["127.0.0.1"],
        commands: [parameter]
            + rules([
                forContainers, forHost,
                "nat -A PREROUTING -d 172.17.0.1/32 -p tcp -m tcp --dport 51678 -j DNAT --to-destination 127.0.0.1:51678",
                "nat -A OUTPUT -d 172.17.0.1/32 -p tcp -m tcp --dport 51678 -j REDIRECT --to-ports 51678", guardRule,
            ]))

    private static let ecsNetsetup = Recipe(
        name: "ecs-netsetup",
        commands: [
            "\(Tool.path) apply --mode bridge,host --bridge-interface docker+,br-+ --persist none --backend iptables --quiet"
        ])

    func run(on lab: Laboratory) throws {
        for command in commands { try lab.host.require(command.split(separator: " ").map(String.init)) }
    }
}

extension Live {
    /// What docs/comparison.md says of other ways to set up a host.
    @Suite struct ComparisonTests {
        /// A row of the table.
        private struct Row: Sendable {
            let title: String
            let from: @Sendable (Laboratory) -> Namespace
            let address: String
            var port: UInt16 = 80
            /// What happens on the host after the recipe has run.
            var event: [String] = []
        }

        private static let docker = "iptables-legacy -w -I FORWARD -i docker0 ! -o docker0 -j ACCEPT"

        private static let rows = [
            Row(
                title: "a container's request for credentials", from: { $0.container }, address: Laboratory.credentials),
            Row(title: "the host's request for credentials", from: { $0.host }, address: Laboratory.credentials),
            Row(title: "a container to IMDS", from: { $0.container }, address: Laboratory.metadata),
            Row(title: "a container to IMDS over IPv6", from: { $0.container }, address: Laboratory.metadata6),
            Row(
                title: "a container on a user-defined network to IMDS", from: { $0.userContainer },
                address: Laboratory.metadata),
            Row(
                title: "a neighbour to a service on `127.0.0.1`", from: { $0.neighbour }, address: "127.0.0.1",
                port: Laboratory.localPort),
            Row(
                title: "a neighbour to introspection", from: { $0.neighbour }, address: Laboratory.hostAddress,
                port: Laboratory.introspectionPort),
            Row(
                title: "a neighbour to introspection over IPv6", from: { $0.neighbour },
                address: Laboratory.hostAddress6,
                port: Laboratory.introspectionPort),
            Row(
                title: "a container to IMDS, after Docker put its rules first again", from: { $0.container },
                address: Laboratory.metadata, event: [docker]),
            Row(
                title: "a container's request for credentials, where `INPUT` drops by policy", from: { $0.container },
                address: Laboratory.credentials,
                event: ["iptables-legacy -w -A INPUT -i lo -j ACCEPT", "iptables-legacy -w -P INPUT DROP"]),
        ]

        @Test("the table of docs/comparison.md is what packets say")
        func table() throws {
            let columns = try Recipe.all.map(Self.column)
            let titles = Self.rows.map(\.title) + ["rules of its own after a second run"]
            let names = Recipe.all.map(\.name).joined(separator: " | ")
            var lines = [
                "| | " + names + " |",
                "|---|" + Recipe.all.map { _ in "---|" }.joined(),
            ]
            for (index, title) in titles.enumerated() {
                lines.append("| \(title) | " + columns.map { $0[index] }.joined(separator: " | ") + " |")
            }
            let made = lines.joined(separator: "\n")
            let page = try String(contentsOfFile: "docs/comparison.md", encoding: .utf8)
            #expect(page.contains(made + "\n"), "the table as it was measured:\n\(made)")
        }

        /// The answers for one recipe, by packets; then what a second run of it leaves.
        private static func column(_ recipe: Recipe) throws -> [String] {
            let lab = try Laboratory()
            defer { lab.stop() }
            lab.agent.stop()
            let agent = try StubAgent(in: lab.host, introspectionOn: recipe.introspection)
            defer { agent.stop() }
            let before = try count(lab)
            try recipe.run(on: lab)
            let once = try count(lab)
            try recipe.run(on: lab)
            let twice = try count(lab)
            let answers = try rows.map { row in
                for command in row.event { try lab.host.require(command.split(separator: " ").map(String.init)) }
                let outcome = try row.from(lab).reach(row.address, port: row.port, timeout: 250)
                return outcome.isAnswered ? "answered" : "no answer"
            }
            return answers + [twice - before == once - before ? "the same" : "twice as many"]
        }

        /// How many rules there are.
        private static func count(_ lab: Laboratory) throws -> Int {
            let saved = try ["iptables", "ip6tables"].map { try lab.host.require(["\($0)-legacy-save"]) }.joined()
            return saved.split(separator: "\n").count { $0.hasPrefix("-A ") }
        }
    }
}
