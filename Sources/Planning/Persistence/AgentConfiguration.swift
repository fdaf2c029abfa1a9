package import Model

/// What the ECS agent has to be told, in `/etc/ecs/ecs.config`.
enum AgentConfiguration {
    struct Setting {
        let key: String
        let why: String
    }

    /// Switches that must be true. Amazon ECS developer guide, "Amazon ECS container agent configuration".
    static func settings(_ settings: Settings) -> [Setting] {
        var switches: [Setting] = []
        if settings.modes.contains(.bridge) || settings.modes.contains(.host) || settings.modes.contains(.awsvpc) {
            switches.append(Setting(key: "ECS_ENABLE_TASK_IAM_ROLE", why: "the agent hands out tasks' credentials"))
        }
        if settings.modes.contains(.host) {
            switches.append(
                Setting(
                    key: "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST",
                    why: "the agent hands out credentials to tasks in host mode too"))
        }
        if settings.modes.contains(.awsvpc), !settings.allowsMetadata {
            switches.append(
                Setting(key: blockMetadata, why: "the agent keeps tasks in awsvpc mode from the instance's credentials")
            )
        }
        return switches
    }

    static let blockMetadata = "ECS_AWSVPC_BLOCK_IMDS"

    /// What is written, and what the agent takes for it as well (Go, `strconv.ParseBool`).
    static let yes = "true"
    static func isYes(_ value: String) -> Bool { ["1", "t", "T", "TRUE", "true", "True"].contains(value) }

    /// The mode of a file that is made: it may come to hold passwords of registries.
    static let mode: UInt32 = 0o600
}

/// A version of the ECS agent.
package struct AgentVersion: Comparable, Hashable, Sendable, CustomStringConvertible {
    private let numbers: [Int]

    /// Reads `1.105.1`, with or without a `v` before it and anything after it.
    package init?(_ text: some StringProtocol) {
        var numbers: [Int] = []
        let isPart: (Character) -> Bool = { $0.isASCII && ($0.isNumber || $0 == ".") }
        for part in text.drop(while: { $0 == "v" }).prefix(while: isPart).split(separator: ".") {
            guard let number = Int(part) else { return nil }
            numbers.append(number)
        }
        if numbers.count < 2 { return nil }
        self.numbers = numbers
    }

    /// Reads the answer of the introspection endpoint to `/v1/metadata`, in which the version stands as
    /// `"Version":"Amazon ECS Agent - v1.105.1 (hash)"`. nil where there is none.
    package init?(metadata answer: [UInt8]) {
        var text: String?
        var parser = JSONParser(answer)
        do throws(JSONParser.Fault) {
            try parser.object { parser, name throws(JSONParser.Fault) in
                if name == "Version" { text = try parser.value().string } else { try parser.skip() }
            }
            try parser.end()
        } catch { return nil }
        guard let words = text?.split(separator: " "), let dash = words.firstIndex(of: "-"), words.count > dash + 1
        else { return nil }
        self.init(words[dash + 1])
    }

    package var description: String { numbers.map(String.init).joined(separator: ".") }

    package static func < (a: AgentVersion, b: AgentVersion) -> Bool { a.numbers.lexicographicallyPrecedes(b.numbers) }

    /// The least version for some modes. Amazon ECS developer guide, "IAM roles for tasks" and "Task networking".
    package static func least(for modes: [Mode]) -> (version: AgentVersion, mode: Mode)? {
        modes.map { mode in
            switch mode {
            case .bridge: (AgentVersion(1, 11, 0), mode)
            case .host: (AgentVersion(1, 12, 0), mode)
            case .awsvpc: (AgentVersion(1, 15, 0), mode)
            }
        }.max { $0.0 < $1.0 }
    }

    private init(_ numbers: Int...) { self.numbers = numbers }

    /// Where the agent answers about itself. Amazon ECS developer guide, "Container introspection".
    package static let metadataPath = "/v1/metadata"
}
