import Model
import Planning

/// User data for cloud-init: how a new host gets this program and its settings.
enum UserData {
    /// A cloud-config that keeps the ECS agent from starting, installs, configures, applies, and lets it start.
    ///
    /// The settings stand in a literal block, where YAML takes everything for text, and no shell sees them. `systemctl`
    /// gets no `--now`, which systemd 219 of Amazon Linux 2 does not know, and always `--no-block`: there, `ecs.service` is
    /// After=cloud-final.service, which runs `runcmd`.
    ///
    /// - Throws: a usage failure for settings that the host would refuse.
    static func text(for request: Request) throws(Failure) -> String {
        if request.settings.persistence == Mechanism.none {
            throw .usage(
                "generate user-data does not take --persist none",
                advice:
                    "the second boot would find the ECS agent enabled and no rules; leave it out, or name a mechanism")
        }
        if let backend = request.settings.backend {
            _ = try Plan(settings: request.settings, backend: backend, hasIPv6: true)
        }
        let settings = request.saved.map { "    \($0.key)=\($0.value)" }.joined(separator: "\n")
        return """
            #cloud-config
            # The ECS agent starts when these settings have been applied, and not before: docs/cloud-init.md.
            bootcmd:
            - [cloud-init-per, instance, ecs-netsetup, sh, -c, \(hold)]
            write_files:
            - path: \(HostPath.settings)
              content: |
            \(settings)
            packages: [ecs-netsetup]
            runcmd:
            - ecs-netsetup apply || exit 1
            - \(release)

            """
    }

    /// Keeps the agent from starting, in this boot and in the next, on hosts where it would start before `runcmd`, and
    /// where `runcmd` fails. What it cannot do, it leaves: the agent may not be installed yet.
    private static let hold = "systemctl disable ecs.service; systemctl stop --no-block ecs.service; true"

    private static let release =
        "if systemctl cat ecs.service > /dev/null; then systemctl enable ecs.service && systemctl start --no-block ecs.service; fi"
}
