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
    /// - Parameter words: the words after the program's name.
    /// - Returns: the exit status.
    package func run(_ words: [String]) -> CInt {
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
            try write(decision, request: request, command: command)
            return ExitStatus.matches
        case .remove:
            let decision = try engine.carryOut(until: deadline) { Decision(removing: $0) }
            try write(decision, request: request, command: command)
            return ExitStatus.matches
        }
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
