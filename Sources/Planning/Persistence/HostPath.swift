import Model

/// Where on a host things are, each with its source.
package enum HostPath {
    /// The settings of this program.
    package static let settings = "/etc/ecs-netsetup.conf"
    /// The configuration of the ECS agent. Amazon ECS developer guide, "Container agent configuration".
    package static let agentConfiguration = "/etc/ecs/ecs.config"
    /// The kernel parameter, for systemd-sysctl and for sysctl(8). sysctl.d(5): 90 comes after what packages ship.
    package static let sysctl = "/etc/sysctl.d/90-ecs-netsetup.conf"
    /// Our unit. systemd.unit(5): units of the administrator.
    package static let unit = "/etc/systemd/system/\(unitName)"
    package static let unitName = "ecs-netsetup.service"
    /// Our upstart job. init(5) of upstart.
    package static let upstartJob = "/etc/init/ecs-netsetup.conf"
    /// What `apply` changed on disk.
    package static let record = RecordFolder.path + "/record"
    /// Says which distribution this is, the first that exists. os-release(5).
    package static let osRelease = ["/etc/os-release", "/usr/lib/os-release"]

    /// The rules files of iptables-services and of legacy Amazon Linux, IPv4 first.
    package static let sysconfigRules = ["/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"]
    /// The rules files of netfilter-persistent, IPv4 first.
    package static let persistentRules = ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"]

    /// Every file that may be written.
    package static let managed =
        [settings, agentConfiguration, sysctl, unit, upstartJob] + sysconfigRules + persistentRules

    /// Where the earlier contents of a file are kept.
    package static func backup(of path: String) -> String { path + ".before-ecs-netsetup" }

    /// Where the kernel parameters of the boot come from, the first folder's file of a name counting. sysctl.d(5), and
    /// sysctl(8) of procps.
    package static let sysctlFolders = [
        "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d",
    ]
    /// Read after all of them by procps and by the init scripts of legacy Amazon Linux.
    package static let sysctlFile = "/etc/sysctl.conf"

    /// The largest that is read of a file that may be written, in bytes: some hundred thousand rules; of others much less,
    /// as what is taken apart line by line costs many times its size.
    package static func largest(_ path: String) -> Int {
        let isOfRules = (sysconfigRules + persistentRules).contains { path == $0 || path == backup(of: $0) }
        return isOfRules ? 64 << 20 : 1 << 20
    }

    /// The folders above a path, outer ones first, without `/`.
    @Sendable package static func folders(above path: String) -> [String] {
        let parts = path.split(separator: "/").dropLast()
        return parts.indices.map { "/" + parts[...$0].joined(separator: "/") }
    }
}
