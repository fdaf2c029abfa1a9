package import Engine
import Glibc
import Model
import Planning

/// The program, apart from the wiring.
package struct Tool {
    private static let version = "0.1.0"

    /// The exit statuses, as diff(1) and sysexits(3) have them.
    private enum ExitStatus {
        static let matches: CInt = 0
        static let differs: CInt = 1
        static let trouble: CInt = 2
        static let usage: CInt = 64
    }

    private let engine: Engine

    package init(engine: Engine) { self.engine = engine }

    /// Runs a command line.
    ///
    /// - Parameter arguments: the program's name and the words after it. The runtime gives none where `/proc` is missing.
    /// - Returns: the exit status.
    package func run(_ arguments: [String]) -> CInt {
        guard !arguments.isEmpty else {
            Terminal.complain("cannot read the command line: /proc/self/cmdline; mount /proc")
            return ExitStatus.trouble
        }
        let words = Array(arguments.dropFirst())
        // A reader that closes its end early is told by write's error instead.
        signal(SIGPIPE, SIG_IGN)
        do throws(Failure) {
            return try run(try ArgumentParser.parse(words))
        } catch {
            let wishes = ArgumentParser.outputWishes(words)
            Terminal.complain(error.description)
            if wishes.format == .json {
                // The failure stands on standard error already.
                do throws(Failure) { try Terminal.write(JSONReport.failure(error, command: wishes.command)) } catch {}
            }
            return error.kind == .usage ? ExitStatus.usage : ExitStatus.trouble
        }
    }

    private func run(_ request: Request) throws(Failure) -> CInt {
        guard let command = request.command, !request.wantsHelp, !request.wantsVersion else {
            try Terminal.write(
                request.wantsVersion ? "ecs-netsetup \(Self.version)\n" : HelpText.text(for: request.command))
            return ExitStatus.matches
        }
        let deadline = Deadline(seconds: request.settings.wait)
        switch command {
        case .status:
            try write(try engine.observe(for: .look, until: deadline), request: request)
            return ExitStatus.matches
        case .diff, .verify:
            let decision = try Decision(
                settings: request.settings, observed: try engine.observe(for: .look, until: deadline))
            try write(decision, request: request, command: command)
            return decision.isFulfilled ? ExitStatus.matches : ExitStatus.differs
        case .apply:
            let decision = try engine.carryOut(until: deadline) { observed throws(Failure) in
                try Decision(settings: request.settings, observed: observed)
            }
            return try tell(decision, request: request, command: command)
        case .remove:
            let decision = try engine.carryOut(until: deadline) { Decision(removing: $0) }
            return try tell(decision, request: request, command: command)
        }
    }

    /// Writes what was done. Where that fails, it was done all the same, and the failure says so.
    private func tell(_ decision: Decision, request: Request, command: Command) throws(Failure) -> CInt {
        do throws(Failure) {
            try write(decision, request: request, command: command)
        } catch {
            throw error.with(kind: .trouble, advice: "\(command.rawValue) itself succeeded")
        }
        return ExitStatus.matches
    }

    private func write(_ decision: Decision, request: Request, command: Command) throws(Failure) {
        if request.isQuiet { return }
        if request.format == .json {
            return try Terminal.write(JSONReport.changes(decision, request: request, command: command))
        }
        let report = TextReport(palette: Palette(isColored: Terminal.usesColor(request.color)))
        let evidence = request.isVerbose ? report.evidence(decision.choice) : ""
        let answer =
            command == .verify
            ? report.checks(decision, request: request)
            : report.changes(decision, request: request, command: command)
        try Terminal.write(evidence + answer)
        for note in decision.notes { Terminal.complain("note: \(note)") }
    }

    private func write(_ observation: Observation, request: Request) throws(Failure) {
        if request.isQuiet { return }
        let report = TextReport(palette: Palette(isColored: Terminal.usesColor(request.color)))
        try Terminal.write(
            request.format == .json ? JSONReport.status(observation) : report.status(observation))
    }
}
