import Glibc
package import Model

extension Host {
    /// How the agent is restarted here.
    package var agentStarter: AgentStarter {
        get throws(Failure) {
            if try unit("ecs.service").isInstalled { return .systemd }
            if try files.exists("/etc/init/ecs.conf") { return .upstart }
            return .unknown
        }
    }

    /// Restarts the agent, without waiting for it where systemd does it: in user data, `ecs.service` waits for the end of
    /// cloud-init.
    package func restartAgent(_ starter: AgentStarter) throws(Failure) {
        switch starter {
        case .systemd:
            guard let systemctl = try program(of: .systemctl) else {
                throw .system("cannot restart ecs.service", source: "systemctl", errno: ENOENT)
            }
            try HelperProgram.run([systemctl, "restart", "--no-block", "ecs.service"])
        case .upstart:
            // Not upstart's own restart, which would not read the job again. Stopping one that does not run fails.
            do throws(Failure) { try HelperProgram.run(["/sbin/initctl", "stop", "ecs"]) } catch {}
            try HelperProgram.run(["/sbin/initctl", "start", "--no-wait", "ecs"])
        case .unknown: break
        }
    }
}
