import Glibc
import Laboratory

/// What `make try` shows: a throw-away ECS host before, with and after ecs-netsetup.
struct Show {
    private let lab: Laboratory
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    init() throws { lab = try Laboratory() }

    /// Runs the whole show and takes the laboratory down.
    func run() throws {
        defer { lab.stop() }
        try showTable("Before: who reaches what")
        try showRun(["apply", "--mode", "bridge", "--bridge-interface", "docker+,br-+"])
        print("(The agent is restarted, as apply asks for.)")
        try lab.host.restartAgent()
        try showTable("After: who reaches what")
        try showRun(["verify", "--probe"])
        try showRun(["status"])
        try showRun(["remove"])
    }

    /// Asks every question and prints who reaches what.
    private func showTable(_ title: String) throws {
        print("\n" + paint(title, "1"))
        for question in Question.all {
            let isAnswered = try question.from(lab).reach(question.address, port: question.port).isAnswered
            let verdict =
                isAnswered == question.isWanted
                ? paint("as it should be", "32") : paint("not as it should be", "31")
            let answer = pad(isAnswered ? "reached" : "closed", 9)
            print("  \(pad(question.who, 28)) \(pad(question.what, 35)) \(answer) \(verdict)")
        }
    }

    /// Runs ecs-netsetup on the host and shows what it prints; a status other than 0 ends the show.
    private func showRun(_ arguments: [String]) throws {
        print("\n" + paint("$ ecs-netsetup \(arguments.joined(separator: " "))", "1"))
        let result = try lab.netsetup(arguments + (isTerminal ? ["--color", "always"] : []))
        print(result.output + result.errors, terminator: "")
        if result.status != 0 {
            throw LaboratoryError("ecs-netsetup \(arguments[0]) ended with status \(result.status)")
        }
    }

    private func paint(_ text: String, _ code: String) -> String {
        isTerminal ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
