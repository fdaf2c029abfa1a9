import Captures
import Glibc
import Model

@testable import CommandLineTool
@testable import Planning

/// A parser of texts that come from elsewhere, to be fed with anything.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable ([UInt8]) -> Void

    /// To add a parser: a line here, and a folder of that name with seeds in `Tests/Fuzz/Corpus`.
    static let all: [FuzzTarget] = [
        FuzzTarget("json") { bytes in
            guard let value = try? JSONParser.parse(bytes) else { return }
            // What was read is written so that it reads the same.
            let text = value.text
            precondition((try? JSONParser.parse(Array(text.utf8)))?.text == text)
        },
        FuzzTarget("settings") { bytes in
            _ = try? SettingsFile(FileContents(bytes: bytes, mode: 0o644), path: "settings")
        },
        FuzzTarget("ecs-config") { bytes in
            let file = AssignmentFile(bytes)
            precondition(file.bytes == bytes)
            _ = (file.assignments, file.strangers)
        },
        FuzzTarget("os-release") { bytes in
            _ = Distribution.find(osRelease: String(decoding: bytes, as: UTF8.self))
        },
        FuzzTarget("rules-file") { bytes in
            _ = RulesFile.withoutOurLines(bytes)
            guard let file = try? RulesFile(bytes, path: "rules") else { return }
            precondition(file.bytes == bytes)
            let merged = file.merged(with: rules)
            precondition(merged.ourRuleCount == rules.count)
            // Ours are found again, and go without a trace.
            precondition(merged.merged(with: rules).bytes == merged.bytes)
            precondition(merged.stripped.bytes == file.stripped.bytes)
        },
        FuzzTarget("record") { bytes in
            guard let record = try? Record(text: String(decoding: bytes, as: UTF8.self), path: "record") else { return }
            precondition((try? Record(text: record.text, path: "record"))?.text == record.text)
        },
        FuzzTarget("plan") { bytes in _ = try? PlanFile(bytes, path: "plan") },
        FuzzTarget("iptables-save") { bytes in capture(bytes) },
        FuzzTarget("nft-json") { bytes in capture(bytes) },
        FuzzTarget("introspection") { bytes in _ = AgentVersion(metadata: bytes) },
        FuzzTarget("agent-answer") { bytes in _ = ServiceAnswer(received: bytes).body },
        FuzzTarget("docker-networks") { bytes in _ = DockerNetworks.parse(bytes) },
        FuzzTarget("audit-log") { bytes in
            // The pieces that it comes in make no difference.
            let whole = auditLog([bytes])
            let middle = bytes.count / 2
            precondition(auditLog([Array(bytes[..<middle]), Array(bytes[middle...])]) == whole)
            precondition(whole.failed <= whole.requests && whole.tasks <= whole.requests)
        },
    ]

    private static func auditLog(_ pieces: [[UInt8]]) -> CredentialsUse {
        var reader = AuditLogReader()
        reader.beginFile(isCut: false)
        for piece in pieces { reader.take(piece) }
        reader.endFile()
        return reader.result
    }

    private static func capture(_ bytes: [UInt8]) {
        var capture = Capture()
        guard (try? capture.read(bytes, from: "capture")) != nil else { return }
        _ = (capture.iptables, capture.nftables, capture.foreignChains)
    }

    /// Rules as they are put into rules files.
    private static let rules: [Rule] = {
        var settings = Settings()
        settings.modes = [.bridge]
        let plan = try? Plan(settings: settings, backend: .iptables, hasIPv6: true)
        return plan?.rules.map(\.rule).filter { $0.family == .ipv4 } ?? []
    }()

    private init(_ name: String, _ run: @escaping @Sendable ([UInt8]) -> Void) { (self.name, self.run) = (name, run) }

    /// The one that the environment names; `list` prints all names instead.
    static let chosen: FuzzTarget = {
        let wanted = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        if let target = all.first(where: { $0.name == wanted }) { return target }
        for target in all { print(target.name) }
        exit(wanted == "list" ? 0 : 64)
    }()
}

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

/// libFuzzer's own loop (`FuzzerInterface.h`).
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
    _ one: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The main function, under the name that the package manager gives it.
@_cdecl("fuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    _ = FuzzTarget.chosen
    var (count, arguments) = unsafe (count, arguments)
    return unsafe runDriver(&count, &arguments) { data, size in
        FuzzTarget.chosen.run(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
        return 0
    }
}
