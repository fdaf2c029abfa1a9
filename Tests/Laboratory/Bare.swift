extension Laboratory {
    /// A host alone with its agent, without neighbours: enough where rules count and no packet does.
    package final class Bare: Sendable {
        package let host: Namespace
        /// What answers as its agent; nil where nobody does.
        package let agent: StubAgent?

        /// - Parameter hasAgent: whether an ECS agent answers.
        package init(hasAgent: Bool = true) throws {
            host = try Namespace("host", hasMounts: true)
            try host.require(["ip", "link", "set", "lo", "up"])
            agent = hasAgent ? try StubAgent(in: host) : nil
        }

        /// Runs ecs-netsetup on the host.
        package func netsetup(_ arguments: [String], environment: [String] = []) throws -> ProgramResult {
            try host.execute([Tool.path] + arguments, environment: environment)
        }

        /// Runs ecs-netsetup, which must succeed.
        package func requireNetsetup(_ arguments: [String]) throws { try host.require([Tool.path] + arguments) }
    }
}
