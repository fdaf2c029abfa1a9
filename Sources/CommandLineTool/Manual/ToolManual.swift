import Model
import Planning

/// ecs-netsetup(8).
enum ToolManual {
    static func page() throws(Failure) -> String {
        let sections = [
            Manual.head("ecs-netsetup", section: "8"), beginning, commands, options, modes, try installed(),
            PersistenceProse.text, checks, SurroundingsProse.text, exitStatus, ManualEnd.text,
        ]
        return sections.map { $0 + "\n" }.joined()
    }

    private static var beginning: String {
        #"""
        .Sh NAME
        .Nm ecs\-netsetup
        .Nd set up the network of an Amazon ECS container host
        .Sh SYNOPSIS
        \#(Command.allCases.map(synopsis).joined(separator: "\n"))
        .Nm
        .Fl \-help | Fl \-version
        .Sh DESCRIPTION
        A task of Amazon ECS that has an IAM role asks
        .Li 169.254.170.2
        for its credentials.
        The ECS agent answers on
        .Li 127.0.0.1:51679
        of the host, so the host has to redirect the request, and has to let packets to its loopback that come from
        elsewhere
        .Pq Li route_localnet .
        The credentials of the instance itself are at the instance metadata service (IMDS),
        .Li 169.254.169.254
        and
        .Li fd00:ec2::254 ,
        which containers reach unless the host stops them.
        .Pp
        .Nm
        installs the rules for this, keeps them over reboots, shows what differs, checks them, and takes them back.
        What it was given is saved in
        .Xr ecs-netsetup.conf 5 ,
        which the next boot and the next
        .Cm verify
        go by.
        .Pp
        The answer goes to standard output, notes and errors to standard error.
        In what is printed for people, control characters of files, live rules, answers and arguments are shown, as in
        .Ql \ex1b
        and
        .Ql \eu202e ,
        and never reach the terminal.
        """#
    }

    /// How a command is typed: the options in full are below.
    private static func synopsis(_ command: Command) -> String {
        let what = command == .generate ? " Ar artefact" : ""
        let mode = command.needsModes ? "\n.Op Fl \\-mode Ar LIST" : ""
        return ".Nm\n.Cm \(command.rawValue)\(what)\(mode)\n.Op Ar option ..."
    }

    private static var commands: String {
        ".Sh COMMANDS\n.Bl -tag -width generate\n"
            + Command.allCases.map { command in
                let prose = CommandProse.texts[command].map { "\n" + $0 } ?? ""
                return ".It Cm \(command.rawValue)\n\(Mdoc.sentence(command.summary))\(prose)"
            }.joined(separator: "\n")
            + "\n" + artefacts + "\n.El"
    }

    private static var artefacts: String {
        ".Bl -tag -width Ds\n"
            + Artefact.all.map { artefact in
                let taken = CommandTable.options.filter { $0.belongs(to: .generate) && artefact.takes($0) }
                let options =
                    taken.isEmpty
                    ? "" : "\nTakes\n" + joined(taken.map { "Fl \\-" + $0.name.replacing("-", with: "\\-") })
                return ".It \(usage(artefact))\n\(Mdoc.sentence(artefact.summary))\(options)"
            }.joined(separator: "\n") + "\n.El"
    }

    private static func usage(_ artefact: Artefact) -> String {
        if artefact.choices.isEmpty { return "Cm \(Mdoc.word(artefact.name))" }
        let choices = artefact.choices.map { "Cm \(Mdoc.word($0))" }.joined(separator: " | ")
        return "Cm \(Mdoc.word(artefact.name)) " + (artefact.fallback == nil ? choices : "Op \(choices)")
    }

    /// Macros on lines of their own, with commas, and `and` before the last.
    private static func joined(_ macros: [String]) -> String {
        macros.enumerated().map { index, macro in
            switch macros.count - index {
            case 1: ".\(macro) ."
            case 2: ".\(macro)\nand"
            default: ".\(macro) ,"
            }
        }.joined(separator: "\n")
    }

    private static var options: String {
        let saved = CommandTable.options.filter(\.isSaved)
        let printing = CommandTable.options.filter { $0.isForOutput || $0.standsAlone }
        let others = CommandTable.options.filter { option in
            !option.isSaved && !printing.contains { $0.name == option.name }
        }
        return #"""
            .Sh OPTIONS
            A value follows as the next word or behind
            .Ql = .
            .Ss What the host should be
            .Cm apply ,
            .Cm diff
            and
            .Cm verify
            take these.
            .Cm apply
            saves them, except with
            .Fl \-persist Cm none ;
            what is saved holds until it is given anew.
            One without a value is taken back with
            .Ql =false ,
            as in
            .Fl \-allow\-imds Ns = Ns Cm false .
            .Bl -tag -width Ds
            \#(Manual.entries(of: saved, usual: [.apply, .diff, .verify]))
            .El
            .Ss How to go about it
            .Bl -tag -width Ds
            \#(Manual.entries(of: others, usual: []))
            .El
            .Ss How the answer is written
            .Bl -tag -width Ds
            \#(Manual.entries(of: printing, usual: [.apply, .diff, .verify, .remove, .status]))
            .El
            """#
    }

    private static var modes: String {
        ".Sh MODES\n.Bl -tag -width bridge\n"
            + Mode.allCases.map { mode in
                let least = AgentVersion.least(for: [mode]).map { "Needs ECS agent \($0.version) or later." } ?? ""
                return ".It Cm \(mode.rawValue)\n\(CommandProse.text(of: mode))\n\(least)"
            }.joined(separator: "\n") + "\n.El"
    }

    /// The rules of a plan for all modes. With the iptables backend, which has all of them.
    private static func installed() throws(Failure) -> String {
        var settings = Settings()
        settings.modes = Mode.allCases
        let rules = try Plan(settings: settings, backend: .iptables, hasIPv6: true).rules
        var titles: [Mode: [String]] = [:]
        for mode in Mode.allCases {
            settings.modes = [mode]
            titles[mode] = try Plan(settings: settings, backend: .iptables, hasIPv6: true).rules.map(\.rule.title)
        }
        let entries = rules.filter { !isTwin($0, among: rules) }.map { planned in
            let modes = Mode.allCases.filter { titles[$0]?.contains(planned.rule.title) ?? false }.map(\.rawValue)
            let hasTwin = rules.contains { isTwin($0, of: planned) }
            return entry(planned, modes: modes.joined(separator: ", ") + (hasTwin ? "; IPv4 and IPv6" : ""))
        }
        return InstalledProse.before + "\n.Bl -tag -width Ds\n" + entries.joined(separator: "\n") + "\n.El\n"
            + InstalledProse.after
    }

    /// Whether a rule says over IPv6 what another says over IPv4.
    private static func isTwin(_ planned: PlannedRule, of other: PlannedRule) -> Bool {
        planned.rule.family == .ipv6 && planned.rule.title.replacing(" over IPv6", with: "") == other.rule.title
    }

    private static func isTwin(_ planned: PlannedRule, among others: [PlannedRule]) -> Bool {
        others.contains { isTwin(planned, of: $0) }
    }

    private static func entry(_ planned: PlannedRule, modes: String) -> String {
        let place = planned.rule.place
        let (chain, stock) = (place.baseChain, place.stockChain)
        // That of the iptables backend alone: nf_tables could not overrule anybody there.
        let nft = place == .filterInput ? "" : "nftables \(chain.name), priority \(chain.priority); "
        return """
            .It \(Mdoc.text(planned.rule.title))
            \(Mdoc.sentence(planned.why))
            .br
            \(modes); \(nft)legacy \(stock.table) \\%\(stock.chain).
            """
    }

    private static var checks: String {
        #"""
        .Sh CHECKS
        .Cm verify
        asks these, where the settings make them matter, some of them once for each bridge or file.
        A check
        .Em passed ,
        .Em failed ,
        could not be decided
        .Pq Em undecided ,
        or was
        .Em skipped ,
        as there was nothing to look at or another check says it all.
        Each one that failed prints what was seen and what mends it.
        Its severity is error where no other is named here.
        .Bl -tag -width ECS-NET-001
        \#(CheckKind.allCases.map(check).joined(separator: "\n"))
        .El
        """#
    }

    private static func check(_ kind: CheckKind) -> String {
        let severity = kind.severity == .error ? "" : " (\(kind.severity.rawValue))"
        return ".It Li \(Mdoc.word(kind.identifier))\n\(Mdoc.sentence(kind.question + severity))"
    }

    private static var exitStatus: String {
        let commands = Command.allCases.map { command in
            let own = command.exitStatuses.filter { $0.status != 64 }.map { "\($0.status) \($0.meaning)" }
            return ".It Cm \(command.rawValue)\n\(Mdoc.text(own.joined(separator: ", ")))."
        }
        return #"""
            .Sh EXIT STATUS
            .Bl -tag -width Ds -compact
            \#(Manual.statuses(Command.exitStatuses))
            .El
            .Pp
            With each command:
            .Bl -tag -width generate -compact
            \#(commands.joined(separator: "\n"))
            .El
            .Pp
            After 2 it could not be told or not be done; the message says whether anything was changed or undone.
            """#
    }
}
