import Laboratory

/// How one run of ecs-netsetup among others ended.
enum Ending {
    case done
    /// It says what it waited for.
    case refused
    /// It hung, was late, crashed, or did not say why.
    case failed(String)

    /// What a run may take beyond `--wait` on a busy machine, in seconds.
    private static let allowance = 5.0
    /// What it may say that it waited for.
    private static let reasons = ["/run/xtables.lock", "/run/ecs-netsetup.lock", "keeps changing the rules"]

    /// Runs it to its end.
    ///
    /// - Parameter wait: the seconds of `--wait`.
    static func of(_ words: [String], wait: Int, on host: Namespace) throws -> Ending {
        let limit = Double(wait) + allowance
        let result = try host.execute(
            ["timeout", "-s", "KILL", "\(Int(limit) * 4)", Tool.path] + words + ["--wait", "\(wait)"])
        let call = words.joined(separator: " ")
        if result.wallTime > limit { return .failed("\(call): took \(result.wallTime) s") }
        switch result.status {
        case 0: return .done
        case 2 where reasons.contains(where: result.errors.contains) && result.errors.contains("--wait"):
            return .refused
        case let status: return .failed("\(call): status \(status): \(result.output)\(result.errors)")
        }
    }
}
