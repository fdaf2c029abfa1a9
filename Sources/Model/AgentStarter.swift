/// How the ECS agent is restarted on a host.
package enum AgentStarter: Sendable {
    /// The unit `ecs.service`.
    case systemd
    /// The upstart job `ecs`.
    case upstart
    /// Neither is there: a container that somebody started by hand, or nothing.
    case unknown

    /// How a person restarts it. `docker restart` would not read `--env-file` again.
    package var command: String {
        switch self {
        case .systemd: "systemctl restart --no-block ecs"
        case .upstart: "stop ecs; start ecs"
        case .unknown:
            "where it is a container started by hand, remove it and run it again with --env-file /etc/ecs/ecs.config"
        }
    }
}
