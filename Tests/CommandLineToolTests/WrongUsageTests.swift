import Model
import Testing

@testable import CommandLineTool

@Suite("Wrong usage")
struct WrongUsageTests {
    /// A command line with what the complaint and the advice must contain.
    struct Case: CustomTestStringConvertible {
        let words: [String]
        let subject: String
        let advice: String

        init(_ line: String, _ subject: String, _ advice: String = "") {
            words = line.split(separator: " ").map(String.init)
            (self.subject, self.advice) = (subject, advice)
        }

        init(_ words: [String], _ subject: String, _ advice: String = "") {
            (self.words, self.subject, self.advice) = (words, subject, advice)
        }

        var testDescription: String { words.isEmpty ? "nothing" : words.joined(separator: " ") }
    }

    static let cases = [
        Case("", "no command", "apply, diff, verify, remove, status"),
        Case("aply", "unknown command 'aply'", "did you mean apply?"),
        Case("frobnicate", "unknown command 'frobnicate'", "see ecs-netsetup --help"),
        Case("-", "unknown command '-'"),
        Case([""], "unknown command ''"),
        Case("--mode bridge status", "status does not take --mode", "see ecs-netsetup status --help"),
        Case("apply remove --mode bridge", "two commands: apply and remove", "give one"),
        Case("status status", "two commands: status and status"),
        Case("generate", "generate needs to know what", "one of: "),
        Case("generate units", "generate does not know 'units'", "did you mean unit?"),
        Case("generate unit 2", "generate unit takes no argument '2'", "see ecs-netsetup generate --help"),
        Case("generate unit --mode host", "generate unit does not take --mode"),
        Case("generate user-data", "generate user-data needs --mode", "generate user-data --mode bridge"),
        Case("generate user-data --mode bridge --root /tmp", "generate user-data does not take --root"),
        Case("generate user-data --mode bridge --restart-agent", "generate does not take --restart-agent"),
        Case("generate unit --quiet", "generate does not take --quiet"),
        Case("unit generate", "unknown command 'unit'"),
        Case("apply", "apply needs --mode", "apply --mode bridge"),
        Case("diff", "diff needs --mode"),
        Case("verify --quiet", "verify needs --mode"),
        Case("apply --mode brigde", "--mode does not know 'brigde'", "bridge, host, awsvpc"),
        Case("apply --mode BRIDGE", "--mode does not know 'BRIDGE'"),
        Case(["apply", "--mode", ""], "--mode has an empty value"),
        Case("apply --mode=", "--mode has an empty value"),
        Case("apply --mode bridge,,host", "--mode 'bridge,,host' has an empty entry", "bridge,host"),
        Case("apply --mode ,", "--mode ',' has an empty entry"),
        Case("apply --mode bridge,", "--mode 'bridge,' has an empty entry"),
        Case("apply --mode", "--mode needs a value", "write --mode LIST"),
        Case("status --wait", "--wait needs a value", "write --wait SECONDS"),
        Case("status --wait -1", "--wait does not take '-1'", "from 0 to 86400"),
        Case("status --wait=-1", "--wait does not take '-1'"),
        Case("status --wait 86401", "--wait does not take '86401'"),
        Case("status --wait 1.5", "--wait does not take '1.5'"),
        Case("status --wait 99999999999999999999", "--wait does not take"),
        Case("status --wait five", "--wait does not take 'five'"),
        Case("apply --mode bridge --bridge-interface abcdefghijklmnop", "is longer than 15 characters"),
        Case("apply --mode bridge --bridge-interface docker*", "has characters other than"),
        Case("apply --mode bridge --bridge-interface +", "matches every interface"),
        Case("apply --mode bridge --backend nft", "--backend does not know 'nft'", "nftables, iptables, auto"),
        Case("apply --mode bridge --imds-action deny", "--imds-action does not know 'deny'", "drop, reject"),
        Case("apply --mode bridge --imds-placement late", "--imds-placement does not know 'late'", "early, documented"),
        Case(
            "apply --mode bridge --persist forever", "--persist does not know 'forever'",
            "iptables-services, netfilter-persistent, systemd, none, auto"),
        Case("status --format yaml", "--format does not know 'yaml'", "text, json"),
        Case(
            "apply --mode bridge --format junit", "apply does not write junit, only verify does", "one of: text, json"),
        Case("diff --mode bridge --format sarif", "diff does not write sarif"),
        Case("remove --format tap", "remove does not write tap"),
        Case("status --format prometheus", "status does not write prometheus", "status takes one of: text, json"),
        Case("status --color sometimes", "--color does not know 'sometimes'", "auto, always, never"),
        Case("apply --mdoe bridge", "unknown option '--mdoe'", "did you mean --mode?"),
        Case("apply --mdoe=bridge", "unknown option '--mdoe'", "did you mean --mode?"),
        Case("apply --completely-different", "unknown option '--completely-different'", "see ecs-netsetup --help"),
        Case("apply -x", "unknown option '-x'"),
        Case("apply -qv", "unknown option '-qv'"),
        Case("apply -mode bridge", "unknown option '-mode'", "did you mean --mode?"),
        Case("apply --", "unknown option '--'"),
        Case("apply --=x", "unknown option '--'"),
        Case("apply --mode bridge --allow-imds=yes", "--allow-imds does not know 'yes'", "true or false"),
        Case("apply --mode bridge --restart-agent=true", "--restart-agent takes no value"),
        Case("status --root /tmp", "status does not take --root"),
        Case("verify --mode bridge --restart-agent", "verify does not take --restart-agent"),
        Case("apply --mode bridge --bridge-interface docker+,", "has an empty entry", "docker+,br-+"),
        Case("verify --mode bridge --probe --root /tmp", "--probe does not go with --root", "only a running host"),
        Case("verify --mode bridge --probe-timeout 0", "--probe-timeout does not take '0'", "from 1 to 60000"),
        Case("verify --mode bridge --probe-timeout 60001", "--probe-timeout does not take '60001'"),
        Case("diff --mode bridge --out -", "--out takes no '-'", "standard output"),
        Case("diff --mode bridge --probe", "diff does not take --probe"),
        Case("remove --mode bridge", "remove does not take --mode", "ecs-netsetup remove --help"),
        Case("status --backend iptables", "status does not take --backend"),
        Case("remove --allow-imds", "remove does not take --allow-imds"),
    ]

    @Test("is told with the word and what would be right", arguments: cases)
    func refused(_ this: Case) throws {
        let failure = try #require(throws: Failure.self) { try Request.parse(this.words) { _ in nil } }
        #expect(failure.kind == .usage)
        #expect(failure.subject.contains(this.subject), "\(failure.subject)")
        #expect(this.advice.isEmpty || failure.advice?.contains(this.advice) == true, "\(failure.advice ?? "nothing")")
        #expect(failure.errno == 0)
    }

    @Test("a word that is nearly an option or a command suggests it", arguments: CommandTable.options.map(\.name))
    func suggestion(_ name: String) {
        let known = CommandTable.options.map { "--" + $0.name }
        #expect(Suggestion.text(for: "--" + name + "s", among: known) == "did you mean --\(name)?")
        #expect(Suggestion.text(for: "", among: []) == nil)
        #expect(Suggestion.text(for: String(repeating: "y", count: 5000), among: known) == nil)
    }
}
