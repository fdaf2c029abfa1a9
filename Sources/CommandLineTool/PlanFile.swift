import Engine
import Model
import Planning

/// A plan that `diff --out` made, for `apply --plan` to carry out as it is, or not at all.
struct PlanFile {
    /// Raised when an older program could not read it any more.
    private static let schema: UInt64 = 1

    /// The options that say what is desired, and what of them is saved.
    let arguments: [String]
    /// The program's version: another one may plan otherwise.
    let version: String
    /// What the decision was. `Decision.fingerprint`
    let fingerprint: String
    /// What a person would type, a line each.
    let changes: [String]
    /// What to call it in messages.
    private let path: String

    init(_ decision: Decision, request: Request, version: String, path: String) {
        self.path = path
        // An image's own path, so that the plan fits from wherever it is applied.
        let root = decision.observed.disk.root
        arguments = request.planWords + (root.isEmpty ? [] : ["--root", root])
        self.version = version
        fingerprint = decision.fingerprint
        changes = Self.changes(decision)
    }

    private static func changes(_ decision: Decision) -> [String] {
        ChangeLine.lines(of: decision).map { "\($0.sign.rawValue) \($0.text)" }
    }

    /// The text that is stored.
    var text: String {
        JSONValue.object([
            ("schema", .integer(Self.schema)), ("kind", .string(Self.kind)), ("version", .string(version)),
            ("arguments", .array(arguments.map(JSONValue.string))), ("fingerprint", .string(fingerprint)),
            ("changes", .array(changes.map(JSONValue.string))),
        ]).text
    }

    private static let kind = "ecs-netsetup plan"

    /// Reads a plan.
    ///
    /// - Parameter path: what to call it in messages.
    /// - Throws: a usage failure that says why it is none.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        func refuse(_ why: String) -> Failure {
            .usage("\(path) is no plan of this program: \(why)", advice: "make one with diff --out FILE")
        }
        let value: JSONValue
        do throws(JSONParser.Fault) { value = try JSONParser.parse(bytes) } catch { throw refuse("\(error)") }
        guard value["kind"]?.string == Self.kind else { throw refuse("it does not say that it is one") }
        guard value["schema"]?.count == Self.schema else { throw refuse("it is of another version") }
        guard let version = value["version"]?.string, let fingerprint = value["fingerprint"]?.string,
            let arguments = value["arguments"]?.elements, let changes = value["changes"]?.elements
        else { throw refuse("something is missing in it") }
        if (arguments + changes).contains(where: { $0.string == nil }) { throw refuse("a list in it holds no texts") }
        self.path = path
        self.version = version
        self.fingerprint = fingerprint
        self.arguments = arguments.compactMap(\.string)
        self.changes = changes.compactMap(\.string)
    }

    /// The plan's options.
    ///
    /// - Parameter line: the command line, which may say only how to go about it.
    func words(beside line: CommandLineWords) throws(Failure) -> CommandLineWords {
        let isPlanned = { (option: Option) in option.isPlanning || option.name == "root" }
        if let stranger = line.values.first(where: { isPlanned($0.option) }) {
            throw .usage(
                "--\(stranger.option.name) does not go with --plan",
                advice: "give it to diff --out, which makes the plan")
        }
        let planned = try ArgumentParser.parse(arguments)
        if planned.command != nil || !planned.values.allSatisfy({ isPlanned($0.option) || $0.option.isSaved }) {
            throw .usage("\(path) is no plan of this program: it has options that no plan has")
        }
        return planned
    }

    /// Refuses a decision that is another than the plan's.
    ///
    /// - Parameters:
    ///   - version: this program's.
    ///   - isBegun: whether a part may have been done already, as where others write and it is decided again. The host is
    ///     another then, and nothing may be done but what is in the plan.
    func check(_ decision: Decision, version: String, isBegun: Bool) throws(Failure) {
        let advice = "look at it, and make the plan anew with diff --out \(path)"
        if version != self.version {
            throw Failure(
                .trouble, "\(path) was made by version \(self.version), and this is \(version)", advice: advice)
        }
        let now = Self.changes(decision)
        // What was shown is what is done.
        if isBegun ? now.allSatisfy(changes.contains) : decision.fingerprint == fingerprint && now == changes { return }
        let difference =
            now.first { !changes.contains($0) }.map { "now it takes '\($0)'" }
            ?? changes.first { !now.contains($0) }.map { "now it does not take '\($0)'" }
            ?? "the changes look the same, but rest on another state"
        throw Failure(
            .trouble, "the host is not as it was when \(path) was made: \(difference)",
            advice: advice)
    }
}
