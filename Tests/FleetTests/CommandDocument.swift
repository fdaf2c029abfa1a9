import FoundationEssentials
import Laboratory

/// A Command document of AWS Systems Manager, and what the agent makes of it.
struct CommandDocument: Decodable {
    struct Parameter: Decodable {
        let `default`: String?
        let allowedValues: [String]?
        let allowedPattern: String?

        /// amazon-ssm-agent, agent/framework/docparser/paramvalidator: the pattern may match anywhere.
        func admits(_ value: String) throws -> Bool {
            if let allowedValues { return allowedValues.contains(value) }
            guard let allowedPattern else { return true }
            return try value.firstMatch(of: Regex(allowedPattern)) != nil
        }
    }

    struct Step: Decodable {
        struct Inputs: Decodable {
            let runCommand: [String]
        }
        let inputs: Inputs
    }

    let parameters: [String: Parameter]
    let mainSteps: [Step]

    /// - Throws: what in it is not as the schema has it.
    init(_ file: String) throws {
        let words = [
            try Fleet.tool("python"), "\(Fleet.repository)/Tests/FleetTests/ssm.py", "\(Fleet.repository)/\(file)",
        ]
        let result = try Machine.execute(words)
        guard result.status == 0 else { throw LaboratoryError("\(file): \(result.errors)") }
        self = try JSONDecoder().decode(CommandDocument.self, from: Data(result.output.utf8))
    }

    /// The parameters that this value of each is refused for, and those that it does not know.
    func refused(_ values: [String: String]) throws -> [String] {
        var names: [String] = []
        for (name, value) in values where try parameters[name]?.admits(value) != true { names.append(name) }
        return names.sorted()
    }

    /// The script of the only step, with each parameter replaced by its value as it is: amazon-ssm-agent,
    /// agent/framework/docparser/parameters.
    func script(_ values: [String: String]) throws -> String {
        guard mainSteps.count == 1 else { throw LaboratoryError("\(mainSteps.count) steps") }
        var script = mainSteps[0].inputs.runCommand.joined(separator: "\n")
        for (name, parameter) in parameters {
            guard let value = values[name] ?? parameter.default else { throw LaboratoryError("\(name) has no value") }
            script.replace(try Regex("\\{\\{\\s*\(name)\\s*\\}\\}"), with: value)
        }
        return script
    }

    /// Runs it on a host, values unchecked, as the agent does: the script gets a file of its own, and `sh -c` its path
    /// (amazon-ssm-agent, agent/plugins/runscript).
    func run(on host: Namespace, _ values: [String: String] = [:]) throws -> ProgramResult {
        try host.require(["install", "-m", "700", "/dev/stdin", "/run/_script.sh"], input: try script(values))
        return try host.execute(["env", "-i", "sh", "-c", "/run/_script.sh"])
    }
}
