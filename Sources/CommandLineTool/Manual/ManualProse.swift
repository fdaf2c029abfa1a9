import Engine
import Host
import Model
import Planning

/// What ecs-netsetup(8) says of a command beyond its summary, and of a mode.
enum CommandProse {
    static let texts: [Command: String] = [
        .apply: #"""
        Run again, it changes nothing.
        Success is printed only after everything was read back.
        """#,
        .diff: #"""
        Every rule is printed as a command, with the reason for it.
        """#,
        .verify: #"""
        It fails where the host is not as the settings ask, and also where the agent does not answer or has not read
        its configuration, where a bridge of containers is not covered, and where rules of others come in between.
        See
        .Sx CHECKS .
        """#,
        .remove: #"""
        Rules, files, folders and enabled services go, and what was changed gets its earlier value.
        What somebody else changed since stays, and is named.
        Where somebody added a rule to a table of ours, nothing is done until that rule is moved.
        """#,
        .status: #"""
        It needs no settings.
        """#,
        .generate: #"""
        It goes to standard output; the settings file of this machine does not count.
        The artefacts:
        """#,
    ]

    static func text(of mode: Mode) -> String {
        switch mode {
        case .bridge:
            #"""
            Containers behind a bridge.
            Their requests for credentials are redirected to the agent, and they are kept from IMDS over IPv4 and IPv6.
            """#
        case .host:
            #"""
            Tasks on the host's own network.
            Their requests are redirected as those of the host are.
            They are the host, so no rule keeps them from IMDS.
            """#
        case .awsvpc:
            #"""
            Tasks with a network interface of their own.
            Their requests enter the host by
            .Li \#(Endpoint.taskBridge)
            and are redirected; the agent keeps them from IMDS, with
            .Li ECS_AWSVPC_BLOCK_IMDS=true .
            """#
        }
    }
}

/// What stands before and behind the rules that are installed.
enum InstalledProse {
    static let before = #"""
        .Sh WHAT IS INSTALLED
        With
        .Cm nftables
        all rules stand in one table of their own,
        .Li inet ecs\-netsetup ,
        or
        .Li ip
        and
        .Li ip6
        where the kernel has no nat in inet tables.
        With
        .Cm iptables
        they stand at the heads of the stock chains, with the comment
        .Ql ecs\-netsetup: ... .
        The rules of all modes, with the default bridge pattern:
        """#

    static let after = #"""
        .Pp
        The rule that lets requests in is installed with
        .Cm iptables
        only; a table of nf_tables cannot accept for another that drops, so there
        .Cm verify
        names the chain, and the command that its owner runs.
        .Pp
        In modes
        .Cm bridge
        and
        .Cm awsvpc
        the kernel parameter
        .Li \#(Endpoint.routeLocalnet)
        is 1, never without the localhost guard, and gets its earlier value back.
        """#
}

/// What outlives the boot.
enum PersistenceProse {
    static let text = #"""
        .Sh PERSISTENCE
        The intent is saved, never a dump of the live rules, which would capture Docker's too.
        Besides the settings, the kernel parameter and the agent's switches, one mechanism brings the rules back:
        .Bl -tag -width netfilter-persistent
        .It Cm systemd
        A unit that applies the saved settings before the network, Docker and the ECS agent start, and again whenever
        a service flushes rules.
        Taken by
        .Cm auto
        on systemd hosts.
        .It Cm iptables\-services
        Our rules in
        .Pa \#(HostPath.sysconfigRules[0])
        and
        .Pa \#(HostPath.sysconfigRules[1]) ,
        with every other line kept.
        Taken where
        .Li iptables.service
        is enabled, and on legacy Amazon Linux.
        .It Cm netfilter\-persistent
        Our rules in
        .Pa \#(HostPath.persistentRules[0])
        and
        .Pa \#(HostPath.persistentRules[1]) ,
        with every other line kept.
        Taken where that service is enabled.
        .It Cm none
        Nothing.
        Never taken by
        .Cm auto .
        .El
        .Pp
        The two with rules files need an
        .Nm iptables\-restore
        that writes to the legacy interface.
        Services are enabled, never started, as starting one that restores rules flushes everybody's.
        """#
}

/// The environment and the files.
enum SurroundingsProse {
    static let text = #"""
        .Sh ENVIRONMENT
        .Bl -tag -width XTABLES_LOCKFILE
        .It Ev NO_COLOR
        Where it is set and not empty, there are no colours, unless
        .Fl \-color Cm always .
        .It Ev TERM
        On a terminal that is
        .Li dumb
        there are no colours, and pictures are drawn in ASCII.
        .It Ev LC_ALL , LC_CTYPE , LANG
        The first that is not empty tells whether pictures may be drawn in UTF\-8.
        .It Ev XTABLES_LOCKFILE
        The lock that the legacy tools take, instead of
        .Pa /run/xtables.lock .
        .El
        .Sh FILES
        .Bl -tag -width Ds
        .It Pa \#(HostPath.settings)
        The settings; see
        .Xr ecs-netsetup.conf 5 .
        .It Pa \#(HostPath.agentConfiguration)
        The agent's configuration, in which the switches of the modes are set.
        .It Pa \#(HostPath.sysctl)
        Sets the kernel parameter at boot.
        .It Pa \#(HostPath.unit)
        The unit, where no package brings it.
        .It Pa \#(HostPath.upstartJob)
        The upstart job of legacy Amazon Linux.
        .It Pa \#(HostPath.backup(of: HostPath.sysconfigRules[0]))
        The earlier contents of a rules file, beside it.
        .It Pa \#(HostPath.record)
        What
        .Cm apply
        changed in files, for
        .Cm remove .
        .It Pa \#(RecordFolder.path)/earlier\-values
        The kernel parameter from before, for this boot.
        .It Pa /run/ecs\-netsetup.lock
        Keeps two instances from changing a host at the same time.
        .It Pa \#(AuditLogFiles.folder)/\#(AuditLogFiles.name)*
        The agent's log of the use of credentials, which
        .Cm verify
        reads.
        .El
        """#
}

/// From the examples to the end.
enum ManualEnd {
    static let text = #"""
        .Sh EXAMPLES
        Set up a host whose tasks use bridge mode, on Docker's own bridge and on user\-defined networks, and check it:
        .Bd -literal -offset indent
        # ecs\-netsetup apply \-\-mode bridge \-\-bridge\-interface docker+,br\-+
        # ecs\-netsetup verify
        .Ed
        .Pp
        Prove it by packets:
        .Pp
        .Dl # ecs\-netsetup verify \-\-probe
        .Pp
        Show what would change, agree to it, and do just that:
        .Bd -literal -offset indent
        # ecs\-netsetup diff \-\-out /root/plan.json
        # ecs\-netsetup apply \-\-plan /root/plan.json \-\-restart\-agent
        .Ed
        .Pp
        Prepare the image of a host, mounted on
        .Pa /mnt/image :
        .Pp
        .Dl # ecs\-netsetup apply \-\-mode bridge \-\-bridge\-interface docker+,br\-+ \-\-root /mnt/image
        .Pp
        Let containers reach IMDS again, and take that back:
        .Bd -literal -offset indent
        # ecs\-netsetup apply \-\-allow\-imds
        # ecs\-netsetup apply \-\-allow\-imds=false
        .Ed
        .Pp
        Hand the checks to the node exporter:
        .Pp
        .Dl # ecs\-netsetup verify \-\-format prometheus > ecs\-netsetup.prom
        .Sh DIAGNOSTICS
        An error is one line: what could not be done and on what, the C function or the file that said no, the system's
        words for it, and what to do next.
        .Bl -diag
        .It ecs\-netsetup: apply needs \-\-mode, or MODE in \#(HostPath.settings)
        Nothing was saved yet, and nothing was given.
        .It ecs\-netsetup: another ecs\-netsetup is at work
        The lock was not free within
        .Fl \-wait
        seconds.
        .It ecs\-netsetup: another program holds the xtables lock
        The same of the lock of the legacy tools.
        .El
        .Sh SEE ALSO
        .Xr ecs-netsetup.conf 5 ,
        .Xr sysctl.d 5 ,
        .Xr systemd.unit 5 ,
        .Xr iptables 8 ,
        .Xr nft 8
        .Pp
        Amazon ECS Developer Guide,
        .Dq IAM roles for tasks
        and
        .Dq Task networking .
        .Sh CAVEATS
        Without
        .Fl \-bridge\-interface
        only
        .Li docker+
        is covered, and user\-defined networks stay open.
        .Pp
        Restarting a service that restores rules files flushes tables, Docker's rules included.
        Restart Docker after it.
        .Pp
        A neighbour that routes
        .Li 169.254.170.2
        to the host reaches the agent's credentials endpoint, as with the rule that Amazon documents.
        Its URLs cannot be guessed.
        .Pp
        .Cm remove
        leaves the legacy tables that
        .Cm apply
        made, empty: nobody can take them away short of unloading modules.
        .Sh SECURITY CONSIDERATIONS
        Changing the kernel's rules needs
        .Dv CAP_NET_ADMIN ,
        and with the legacy interface
        .Dv CAP_NET_RAW .
        Reading them needs the same.
        To tell whether the agent has read its configuration,
        .Cm verify
        looks for its process, and needs
        .Dv CAP_SYS_PTRACE
        for that.
        Files are replaced whole or not at all, and keep their owner, mode and attributes.
        .Pp
        No shell is run, nor
        .Nm iptables
        or
        .Nm nft .
        The few programs that are run have absolute paths, fixed arguments and an environment of their own:
        .Pa /sbin/modprobe ,
        .Nm systemctl ,
        .Nm chkconfig ,
        .Nm initctl
        and, for an image,
        .Nm chroot .
        .Pp
        The localhost guard stands before
        .Li route_localnet
        is raised, and until it is lowered.
        Replacing rules opens no window: each table is replaced in one transaction, and what was done is undone where a
        later one fails.
        """#
}
