/// What the manual says of an option beyond its summary: mdoc(7), by the option's name.
///
/// An option without an entry is told by its summary.
enum OptionProse {
    static let texts: [String: String] = [
        "mode": #"""
        The network modes that tasks on this host use:
        .Cm bridge , host ,
        .Cm awsvpc ,
        or several of them, with commas or by giving the option again.
        .Sx MODES
        tells what each needs.
        """#,
        "bridge-interface": #"""
        The bridges whose containers are kept from IMDS, with commas or by giving the option again.
        A
        .Ql +
        at the end matches any rest, as in
        .Xr iptables 8 .
        The bridges of user-defined Docker networks are called
        .Li br\-
        and twelve hexadecimal digits, so
        .Li docker+,br\-+
        covers all of Docker's.
        What no pattern covers stays open, and fails
        .Li ECS\-NET\-015 .
        """#,
        "imds-placement": #"""
        Where the rules against IMDS stand:
        .Cm early ,
        before everybody's filter rules, where no rule of others can let a packet through first; or
        .Cm documented ,
        at position 1 of filter
        .Li FORWARD ,
        as in Amazon's manual, where the next restart of Docker puts its own rules above.
        """#,
        "imds-action": #"""
        What becomes of a packet to IMDS:
        .Cm drop ,
        or
        .Cm reject ,
        which answers with a TCP reset or an ICMP error, so that a client that tries IMDS fails at once and not
        after seconds.
        With the iptables backend only where the placement is
        .Cm documented ,
        as its REJECT exists in table filter alone.
        """#,
        "allow-imds": #"""
        Leave the rules against IMDS out: containers reach the instance's own credentials.
        """#,
        "allow-offhost-introspection": #"""
        Leave the agent's introspection, TCP port 51678, open to other hosts.
        """#,
        "no-localhost-guard": #"""
        Leave services that listen on 127.0.0.1 open to neighbours (CVE-2020-8558), which
        .Li route_localnet
        makes them.
        """#,
        "backend": #"""
        Which kernel interface the rules go through:
        .Cm nftables ,
        .Cm iptables ,
        which is the legacy one and not
        .Nm iptables\-nft ,
        or
        .Cm auto :
        in this order, where Docker's rules are, where our own are, where other live rules are, the legacy one if it
        is in use and nf_tables is empty, what the host's own
        .Nm iptables
        writes to, nf_tables.
        .Fl \-verbose
        tells which it was.
        """#,
        "persist": #"""
        What brings the rules back after a reboot:
        .Cm systemd ,
        .Cm iptables\-services ,
        .Cm netfilter\-persistent ,
        .Cm none ,
        which writes none of the files that last, and reads of them only the settings and those that set kernel parameters; or
        .Cm auto ,
        what fits the host.
        See
        .Sx PERSISTENCE .
        """#,
        "root": #"""
        Work on the image of a host below this folder: files only.
        No kernel is asked, nothing is started, no privileges are needed in a tree that one owns.
        """#,
        "out": #"""
        Also write the changes to this file, as a plan for
        .Cm apply Fl \-plan .
        """#,
        "plan": #"""
        Carry out the plan that
        .Cm diff Fl \-out
        made, just as it is.
        It is refused, with exit status 2 and nothing done, where the host has changed since.
        """#,
        "ruleset": #"""
        Look at captured rules instead of this machine: what
        .Nm iptables\-save ,
        .Nm ip6tables\-save
        or
        .Ql nft \-j list ruleset
        printed;
        .Ql \-
        is standard input.
        Given once for each file.
        The settings file of this machine does not count then.
        """#,
        "restart-agent": #"""
        Restart the ECS agent if its configuration is younger than itself, without waiting for it.
        Without this option, it is said that a restart is due where the configuration changes.
        """#,
        "force-old-agent": #"""
        Go on where the running ECS agent is too old for the mode.
        """#,
        "probe": #"""
        Also prove it by packets, sent as a container would send them from short\-lived network namespaces that are
        joined to the covered bridges.
        Needs
        .Dv CAP_SYS_ADMIN
        and
        .Dv CAP_NET_RAW .
        """#,
        "probe-timeout": #"""
        How long the probe waits for what becomes of a packet.
        """#,
        "wait": #"""
        How long to wait for the xtables lock and for other writers; 0 tries once.
        """#,
        "format": #"""
        How the answer is written:
        .Cm text
        or
        .Cm json ;
        .Cm verify
        also writes
        .Cm junit , sarif , tap
        and
        .Cm prometheus ,
        the metrics of the node exporter's textfile collector.
        An error is a whole document too.
        """#,
        "color": #"""
        Colours in text:
        .Cm auto ,
        on a terminal, unless
        .Ev NO_COLOR
        is set;
        .Cm always ;
        or
        .Cm never .
        """#,
        "quiet": #"""
        Print errors only.
        """#,
        "verbose": #"""
        Say also why this backend and this mechanism were chosen.
        """#,
        "help": #"""
        Print a summary of the commands and options; behind a command, of its own.
        """#,
        "version": #"""
        Print the version.
        """#,
    ]
}
