import Planning

/// ecs-netsetup.conf(5).
enum SettingsManual {
    static var page: String {
        [Manual.head("ecs-netsetup.conf", section: "5"), beginning, keys, end].map { $0 + "\n" }.joined()
    }

    private static let beginning = #"""
        .Sh NAME
        .Nm ecs\-netsetup.conf
        .Nd settings of ecs\-netsetup
        .Sh SYNOPSIS
        .Nm \#(HostPath.settings)
        .Sh DESCRIPTION
        The commands
        .Cm apply , diff
        and
        .Cm verify
        of
        .Xr ecs-netsetup 8
        read this file; options on the command line override it.
        .Cm apply
        writes the keys of the options that it was given, where they change anything, and leaves every other line as it
        is.
        What is saved holds until it is overridden or edited.
        .Pp
        A line is a setting:
        .Bd -literal -offset indent
        KEY=value
        .Ed
        .Pp
        The key is an option of the program, in capitals and with
        .Ql _
        for
        .Ql \- .
        Blanks around the key and the value do not count.
        Values are bare: quotes are part of them, and there are no continued lines.
        A list has commas, and no blanks.
        Empty lines do not count, nor do lines that begin with
        .Ql #
        or
        .Ql \&; ;
        a comment behind a value is not possible.
        Of a key that stands twice, the last line counts.
        .Pp
        A line that makes no sense, an unknown key or an empty value is refused with its number and exit status 64, and
        nothing is done: a setting that is silently ignored would open a host.
        Only where a file has raised
        .Li route_localnet
        at boot and the localhost guard is not live does a failing
        .Nm ecs-netsetup apply
        lower it again.
        """#

    private static var keys: String {
        let entries = CommandTable.options.compactMap { option in option.settingsKey.map { entry(option, key: $0) } }
        return ".Sh SETTINGS\n.Bl -tag -width Ds\n\(entries.joined(separator: "\n"))\n.El"
    }

    private static func entry(_ option: Option, key: String) -> String {
        let value = option.argument.map { "Ar \($0)" } ?? "Cm true | Cm false"
        var lines = [".It Li \(key) Ns = Ns \(value)", texts[option.name] ?? Mdoc.sentence(option.summary)]
        let words = option.choices(for: .apply)
        if !words.isEmpty { lines += [option.isList ? "Any of" : "One of", Mdoc.list(words) + " ."] }
        let fallback = option.fallback ?? "false"
        // Where the program takes it from this file, there is none.
        if words.isEmpty || words.contains(fallback) { lines.append("Default: \(Mdoc.text(fallback)).") }
        return (lines + ["Option:", ".Fl \\-\(name(option)) ."]).joined(separator: "\n")
    }

    /// What a key means where its option's summary speaks of command lines, or names its words: mdoc(7), by the option's
    /// name.
    private static let texts: [String: String] = [
        "mode": #"""
        The network modes that tasks on this host use.
        Needed where no command line has
        .Fl \-mode .
        """#,
        "bridge-interface": #"""
        Patterns for the bridges whose containers are kept from IMDS.
        A
        .Ql +
        at the end matches any rest:
        .Li docker+,br\-+
        covers all of Docker's bridges.
        """#,
        "imds-placement": #"""
        Where the rules against IMDS stand: before everybody's filter rules, or at position 1 of filter
        .Li FORWARD ,
        as in Amazon's manual.
        """#,
        "imds-action": #"""
        What becomes of a packet to IMDS.
        A rejected one is answered at once; with the iptables backend in the documented placement only.
        """#,
        "backend": #"""
        Which kernel interface the rules go through: nf_tables, the legacy one, or that in which live rules are.
        """#,
        "persist": #"""
        What brings the rules back at boot:
        a mechanism, nothing, or what fits the host.
        """#,
    ]

    private static func name(_ option: Option) -> String { option.name.replacing("-", with: "\\-") }

    private static let end = #"""
        .Sh FILES
        .Bl -tag -width Ds
        .It Pa \#(HostPath.settings)
        .El
        .Sh EXAMPLES
        .Bd -literal
        # tasks in bridge and in host mode
        MODE=bridge,host
        BRIDGE_INTERFACE=docker+,br\-+
        NO_LOCALHOST_GUARD=false
        .Ed
        .Sh SEE ALSO
        .Xr ecs-netsetup 8
        """#
}
