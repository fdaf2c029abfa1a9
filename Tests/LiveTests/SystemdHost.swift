import Laboratory

/// A host that systemd booted, as far as this program can tell: the folder that `sd_booted` looks for, and in place of
/// systemctl a script that notes its arguments and lets the real one change the links.
struct SystemdHost {
    let lab: Laboratory.Bare
    /// - Parameter hook: what the script does first, with systemctl's arguments.
    init(hook: String = "") throws {
        lab = try Laboratory.Bare()
        try lab.host.standInForSystemd(hook: hook)
    }

    /// The commands that were given to systemctl since the last time, a line each.
    func commands() throws -> [String] {
        let lines = try lab.host.execute(["cat", Namespace.systemctlLog]).output.split(separator: "\n").map(String.init)
        try lab.host.require(["rm", "-f", Namespace.systemctlLog])
        return lines
    }

    /// As after a reboot: no rule, no record of this boot, and systemd-sysctl has read its files.
    func reboot() throws {
        try lab.host.require(["nft", "flush", "ruleset"])
        try lab.host.require(["rm", "-f", "/var/lib/ecs-netsetup/earlier-values"])
        try lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
        for file in try lab.host.require(["sh", "-c", "ls /etc/sysctl.d/90-ecs* 2>/dev/null || true"]).split(
            separator: "\n")
        {
            try lab.host.require(["sysctl", "-p", String(file)])
        }
    }

    /// Every file, link and folder of `/etc` with its mode and contents.
    func configuration() throws -> String { try Live.PersistenceTests.configuration(lab.host) }
}
