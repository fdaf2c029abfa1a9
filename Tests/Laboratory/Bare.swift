extension Laboratory {
    /// A host alone, without neighbours and services: enough where rules count and no packet does.
    package final class Bare: Sendable {
        package let host: Namespace

        package init() throws {
            host = try Namespace("host", hasMounts: true)
            try host.require(["ip", "link", "set", "lo", "up"])
        }

        /// Runs ecs-netsetup on the host.
        package func netsetup(_ arguments: [String], environment: [String] = []) throws -> ProgramResult {
            try host.execute([Tool.path] + arguments, environment: environment)
        }

        /// Runs ecs-netsetup, which must succeed.
        package func requireNetsetup(_ arguments: [String]) throws { try host.require([Tool.path] + arguments) }
    }
}
