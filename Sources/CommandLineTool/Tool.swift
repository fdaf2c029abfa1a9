package import Engine
import Glibc
package import Host
import Model
import Planning

/// The program, apart from the wiring.
package struct Tool {
    static let version = "0.1.0"
    /// The day of the version's manual, as mdoc(7) writes it: not that of the build, which would differ each time.
    static let versionDate = "November 25, 2026"

    /// The exit statuses, as diff(1) and sysexits(3) have them.
    private enum ExitStatus {
        static let matches: CInt = 0
        static let differs: CInt = 1
        static let trouble: CInt = 2
        static let usage: CInt = 64
    }

    private let makeEngine: @Sendable (Host) -> Engine

    /// - Parameter makeEngine: the engine for a host.
    package init(_ makeEngine: @escaping @Sendable (Host) -> Engine) { self.makeEngine = makeEngine }

    /// Runs a command line.
    ///
    /// - Parameter arguments: the program's name and the words after it. The runtime gives none where `/proc` is missing.
    /// - Returns: the exit status.
    package func run(_ arguments: [String]) -> CInt {
        guard !arguments.isEmpty else {
            Terminal.complain("cannot read the command line: /proc/self/cmdline; mount /proc, or allow more open files")
            return ExitStatus.trouble
        }
        let words = Array(arguments.dropFirst())
        // A reader that closes its end early, and a limit on the size of files, are told by write's error instead.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // Where it is ignored, the kernel keeps no status of the programs that are run.
        signal(SIGCHLD, SIG_DFL)
        Terminal.holdClosedStreams()
        // Only when a file was asked for is the command line itself right.
        var isForThisMachine = false
        var wantsGuard: Bool?
        do throws(Failure) {
            // The runtime puts this in place of bytes that it cannot read, and a file of another name would be written.
            if words.contains(where: { $0.unicodeScalars.contains("\u{fffd}") }) {
                throw .usage("the command line is no UTF-8", advice: "give names that are")
            }
            let request = try Request.parse(words) { file throws(Failure) in
                switch file {
                case .settings(let root): isForThisMachine = try !Self.host(root).isImage
                case .plan: isForThisMachine = !words.contains { $0.hasPrefix("--root") }
                }
                return try Self.read(file)
            }
            wantsGuard = request.settings.guardsLocalhost
            return try run(request)
        } catch {
            let wishes = ArgumentParser.outputWishes(words)
            Terminal.complain(error.description)
            if wishes.command == .apply, isForThisMachine,
                let told = makeEngine(Host()).closeLocalhost(wantsGuard: wantsGuard)
            {
                Terminal.complain("note: \(told)")
            }
            if let document = Self.document(error, wishes) {
                // The failure stands on standard error already.
                do throws(Failure) { try Terminal.write(document) } catch {}
            }
            return error.kind == .usage ? ExitStatus.usage : ExitStatus.trouble
        }
    }

    private func run(_ request: Request) throws(Failure) -> CInt {
        guard let command = request.command, !request.wantsHelp, !request.wantsVersion else {
            try Terminal.write(
                request.wantsVersion
                    ? "ecs-netsetup \(Self.version)\n" : HelpText.text(for: request.command, request.artefact?.artefact)
            )
            return ExitStatus.matches
        }
        let host = try Self.host(request.root, isOffline: !request.rulesets.isEmpty)
        // Otherwise an image of which nothing was looked at would be told to match.
        if command.needsModes, host.isImage, request.rulesets.isEmpty, !request.readsDisk {
            throw Failure(
                .trouble,
                "there is nothing to \(command.rawValue): an image has files only, and --persist none asks for none",
                advice: "name a mechanism with --persist, or auto")
        }
        return try run(command, request, makeEngine(host))
    }

    /// The machine, or the image below a folder.
    ///
    /// - Parameter isOffline: whether the machine's own root folder counts as an image too: files only.
    private static func host(_ root: String?, isOffline: Bool = false) throws(Failure) -> Host {
        guard let root else { return Host() }
        guard let absolute = SystemCall.realPath(root) else {
            throw .system("cannot open the root folder", source: root, errno: errno)
        }
        // In a chroot, and where the image of a container is built, the kernel is not that of the host to be.
        if absolute == "/", !isOffline, try Host.seesBootedRoot { return Host() }
        return Host(root: absolute, isImage: true)
    }

    private static func read(_ file: InputFile) throws(Failure) -> FileContents? {
        switch file {
        case .settings(let root): try host(root).files.read(HostPath.settings)
        case .plan(let path): try Host().files.read(try absolute(path))
        }
    }

    /// A path that does not depend on the working folder.
    private static func absolute(_ path: String) throws(Failure) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = SystemCall.workingFolder() else {
            throw .system("cannot tell the working folder", source: "getcwd", errno: errno)
        }
        return folder + "/" + path
    }

    private func run(_ command: Command, _ request: Request, _ engine: Engine) throws(Failure) -> CInt {
        let deadline = Deadline(seconds: request.settings.wait)
        let observe = { () throws(Failure) in
            if !request.rulesets.isEmpty {
                return try engine.observe(
                    captured: request.rulesets, requested: request.settings.backend, readsDisk: request.readsDisk)
            }
            return try engine.observe(for: .look, readsDisk: request.readsDisk, until: deadline)
        }
        switch command {
        case .status:
            try write(try observe(), request: request)
            return ExitStatus.matches
        case .generate:
            guard let (artefact, choice) = request.artefact else { return ExitStatus.usage }
            try Terminal.write(try artefact.text(request, choice, engine))
            return ExitStatus.matches
        case .diff:
            let notes = request.rulesets.isEmpty ? try Self.hostNotes(engine, request) : []
            let decision = try Decision(settings: request.settings, saved: request.saved, observed: try observe())
            if let path = request.planOut {
                try write(PlanFile(decision, request: request, version: Self.version, path: path), to: path)
            }
            try write(decision, request: request, command: command, notes: notes + engine.restartNote(for: decision))
            if !decision.isFulfilled { return ExitStatus.differs }
            return decision.uncaptured.isEmpty ? ExitStatus.matches : ExitStatus.trouble
        case .verify:
            let observed = try observe()
            // What only overrides need not be in the settings file; but one has to be there for the next boot.
            let saved = observed.disk.hasSettings ? [] : request.saved
            let decision = try Decision(settings: request.settings, saved: saved, observed: observed)
            let verification = try engine.verify(
                decision, for: request.settings, probeMilliseconds: request.probes ? request.probeTimeout : nil)
            try write(verification, request: request)
            if !verification.checks(.undecided).isEmpty { return ExitStatus.trouble }
            return verification.checks(.failed).isEmpty ? ExitStatus.matches : ExitStatus.differs
        case .apply:
            let notes = try Self.hostNotes(engine, request)
            var isBegun = false
            let decision = try engine.carryOut(readsDisk: request.readsDisk, until: deadline) {
                observed throws(Failure) in
                let decision = try Decision(settings: request.settings, saved: request.saved, observed: observed)
                try request.plan?.check(decision, version: Self.version, isBegun: isBegun)
                isBegun = true
                return decision
            }
            return try finish(decision, request, command, engine, notes)
        case .remove:
            let decision = try engine.carryOut(readsDisk: request.readsDisk, until: deadline) { Decision(removing: $0) }
            return try finish(decision, request, command, engine, [])
        }
    }

    /// Restarts the agent, if it is asked for and due, and tells what was done.
    private func finish(
        _ decision: Decision, _ request: Request, _ command: Command, _ engine: Engine, _ notes: [String]
    ) throws(Failure) -> CInt {
        do throws(Failure) {
            let restarted =
                request.settings.restartsAgent
                ? try engine.restartAgent(after: decision) : engine.restartNote(for: decision)
            try write(decision, request: request, command: command, notes: notes + restarted)
        } catch {
            throw error.with(
                kind: .trouble,
                advice: [error.advice, "\(command.rawValue) itself succeeded"].compactMap(\.self).joined(
                    separator: "; "))
        }
        return ExitStatus.matches
    }

    /// What the user should know of the host before anything is decided.
    private static func hostNotes(_ engine: Engine, _ request: Request) throws(Failure) -> [String] {
        try engine.checkAgent(for: request.settings) + engine.bridgeNotes(for: request.settings)
    }

    /// Writes a plan in place of nothing but an earlier one.
    private func write(_ plan: PlanFile, to path: String) throws(Failure) {
        let (files, place) = (Host().files, try Self.absolute(path))
        if let earlier = try files.read(place) {
            do throws(Failure) { _ = try PlanFile(earlier.bytes, path: path) } catch {
                throw .usage("\(path) is there already, and is no plan", advice: "give --out another name")
            }
        }
        try files.write(FileContents(text: plan.text, mode: 0o644), to: place, isSynced: false, followsLast: false)
    }

    private func write(
        _ decision: Decision, request: Request, command: Command, notes: [String]
    ) throws(Failure) {
        if request.isQuiet { return }
        let notes = decision.notes + notes
        if request.format == .json {
            return try Terminal.write(JSONReport.changes(decision, request: request, command: command, notes: notes))
        }
        let report = TextReport(palette: Palette(isColored: Terminal.usesColor(request.color)))
        let evidence = request.isVerbose ? report.evidence(decision) : ""
        try Terminal.write(evidence + report.changes(decision, request: request, command: command))
        for note in notes { Terminal.complain("note: \(note)") }
    }

    private func write(_ verification: Verification, request: Request) throws(Failure) {
        if request.isQuiet { return }
        let decision = verification.decision
        switch request.format {
        case .json: return try Terminal.write(JSONReport.checks(verification, request: request))
        case .junit: try Terminal.write(JUnitReport.checks(verification, request: request))
        case .sarif: try Terminal.write(SARIFReport.checks(verification, request: request))
        case .tap: try Terminal.write(TAPReport.checks(verification, request: request))
        case .prometheus:
            try Terminal.write(PrometheusReport.checks(verification, request: request, now: Self.now))
        case .text:
            let report = TextReport(palette: Palette(isColored: Terminal.usesColor(request.color)))
            let evidence = request.isVerbose ? report.evidence(decision) : ""
            try Terminal.write(
                evidence + report.checks(verification, request: request)
                    + (request.probes
                        ? report.picture(Way.ways(verification), title: "packets counted before the probe:") : ""))
        }
        for note in verification.notes { Terminal.complain("note: \(note)") }
    }

    /// What a program that reads the answer gets of a failure; nil where only people read.
    private static func document(_ failure: Failure, _ request: Request) -> String? {
        switch request.format {
        case .text: nil
        case .json: JSONReport.failure(failure, command: request.command)
        case .junit: JUnitReport.failure(failure, command: request.command)
        case .sarif: SARIFReport.failure(failure)
        case .tap: TAPReport.failure(failure)
        case .prometheus: PrometheusReport.failure(now: now)
        }
    }

    /// Seconds since 1970.
    private static var now: UInt64 { UInt64(time(nil)) }

    private func write(_ observation: Observation, request: Request) throws(Failure) {
        if request.isQuiet { return }
        let report = TextReport(palette: Palette(isColored: Terminal.usesColor(request.color)))
        try Terminal.write(
            request.format == .json
                ? JSONReport.status(observation)
                : report.status(observation) + report.picture(Way.ways(observation.rules)))
    }
}
