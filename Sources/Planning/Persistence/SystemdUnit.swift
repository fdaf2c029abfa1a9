/// The unit that applies the saved settings at boot, and again after whoever flushes rules.
package enum SystemdUnit {
    /// Services whose start, restart or reload may take our rules away. They are followed where they exist.
    private static let flushing =
        "nftables.service iptables.service ip6tables.service netfilter-persistent.service firewalld.service"

    /// Those that start it at boot; with each of those who flush, too: PartOf= follows a restart, but not a stop and a
    /// later start.
    private static let wanting = "multi-user.target docker.service ecs.service \(flushing)"

    /// The folders of the links that enable it, as `systemctl enable` makes them.
    package static let linkFolders = wanting.split(separator: " ").map { "/etc/systemd/system/\($0).wants" }

    /// The links themselves. Killed in between, systemctl has made only some.
    package static let links = linkFolders.map { "\($0)/\(HostPath.unitName)" }

    /// The unit's text as `apply` writes it.
    ///
    /// - Parameter program: the absolute path of this program on the host.
    package static func text(program: String) -> String { DesiredFiles.mark + "\n" + unmarked(program: program) }

    /// The unit's text as a package brings it.
    ///
    /// - Parameter program: the absolute path of this program on the host.
    package static func unmarked(program: String) -> String {
        let path = quoted(program)
        let command = quoted(program.replacing("$", with: "$$"))
        return """
            [Unit]
            Description=Credential endpoints of Amazon ECS tasks
            Documentation=man:ecs-netsetup(8)
            # Not after sysinit.target: cloud-init brings the network up before that, and the guard has to stand first.
            DefaultDependencies=no
            Conflicts=shutdown.target
            Before=shutdown.target
            # The clean-up of /tmp at boot would pull the private /dev from under the program while it is set up there.
            After=local-fs.target systemd-modules-load.service systemd-sysctl.service systemd-tmpfiles-setup.service
            RequiresMountsFor=\(path) /etc /run /var/lib
            # Before anything can send a packet, and before those whose containers need it.
            Wants=network-pre.target
            Before=network-pre.target docker.service ecs.service
            # After those who flush rules, and again when they do.
            After=\(flushing)
            PartOf=\(flushing) docker.service
            ReloadPropagatedFrom=\(flushing)

            [Service]
            Type=oneshot
            RemainAfterExit=yes
            # The legacy interface does not load itself, and the sandbox below keeps the program from loading it.
            ExecStartPre=-+/sbin/modprobe -q -a ip_tables ip6_tables
            # An agent that is too old is no reason to leave the host open.
            ExecStart=\(command) apply --persist none --force-old-agent --quiet
            ExecReload=\(command) apply --persist none --force-old-agent --quiet
            CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
            ProtectSystem=strict
            ReadWritePaths=/run /var/lib
            ProtectHome=read-only
            PrivateDevices=yes
            ProtectKernelModules=yes
            ProtectKernelLogs=yes
            ProtectControlGroups=yes
            ProtectClock=yes
            ProtectHostname=yes
            ProtectProc=invisible
            NoNewPrivileges=yes
            RestrictAddressFamilies=AF_NETLINK AF_INET AF_INET6 AF_UNIX
            IPAddressDeny=any
            IPAddressAllow=localhost
            RestrictNamespaces=yes
            RestrictRealtime=yes
            RestrictSUIDSGID=yes
            LockPersonality=yes
            MemoryDenyWriteExecute=yes
            SystemCallArchitectures=native
            SystemCallFilter=@system-service
            SystemCallFilter=~@privileged @resources
            UMask=0077

            [Install]
            # With each of those who flush, too: PartOf= follows a restart, but not a stop and a later start.
            WantedBy=\(wanting)

            """
    }
}

extension SystemdUnit {
    /// A word as systemd.syntax(7) has it, with `%` doubled, which begins a specifier otherwise.
    private static func quoted(_ word: String) -> String {
        var text = word.replacing("%", with: "%%")
        if !text.contains(where: { " \t\n\"'\\;".contains($0) }) { return text }
        for (character, escape) in [("\\", "\\\\"), ("\"", "\\\""), ("\n", "\\n")] {
            text = text.replacing(character, with: escape)
        }
        return "\"\(text)\""
    }
}

/// The upstart job that applies the saved settings before the agent starts, for legacy Amazon Linux.
enum UpstartJob {
    static func text(program: String) -> String {
        """
        \(DesiredFiles.mark)
        description "Credential endpoints of Amazon ECS tasks"
        # A task that the job ecs waits for.
        start on starting ecs
        task
        exec \(program) apply --persist none --force-old-agent --quiet

        """
    }
}
