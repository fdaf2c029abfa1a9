import Glibc

/// Somebody else's software that reads what the program writes: `Tests/Consumers`, made ready by `make consumers`.
package enum Consumer: String, Sendable {
    /// Our own JSON answers, held against `docs/json.schema.json`.
    case answer
    case junit
    case sarif
    case tap
    case prometheus
    /// A workflow of GitHub Actions.
    case github
    /// A pipeline of GitLab.
    case gitlab
    /// A template of Packer's.
    case packer
    /// Cloud-configs, with `---` between.
    case cloudConfig = "cloud-config"
    /// Rules of Prometheus' alerts.
    case rules

    private static let repository = String(#filePath.dropLast("/Tests/Laboratory/Consumer.swift".utf8.count))

    /// Has a document read.
    ///
    /// - Returns: what the consumer made of it, as JSON.
    /// - Throws: what it did not like, or that it is not there.
    @discardableResult
    package func read(_ document: String) throws -> String {
        let result = try Machine.execute(Self.program("consume.py") + [rawValue], input: document)
        guard result.status == 0 else { throw LaboratoryError("\(rawValue): \(result.errors)\n\(document)") }
        return result.output
    }

    /// Types a line into an interactive shell, and presses TAB.
    ///
    /// - Parameter completion: the path of the script that completes.
    /// - Returns: what then stands on its terminal.
    package static func screen(of shell: String, completion: String, line: String) throws -> String {
        let result = try Machine.execute(program("screen.py") + [shell, completion, line])
        guard result.status == 0 else { throw LaboratoryError("\(shell): \(result.errors)") }
        return result.output
    }

    /// The words that run a script of `Tests/Consumers`.
    fileprivate static func program(_ script: String) throws -> [String] {
        let python = repository + "/.build/consumers/bin/python"
        guard unsafe access(python, X_OK) == 0 else {
            throw LaboratoryError("\(python) is not there; run: make consumers")
        }
        return [python, "\(repository)/Tests/Consumers/\(script)"]
    }
}

extension Namespace {
    /// Asks for credentials by the AWS SDK for Python.
    ///
    /// - Parameter questions: `task`, `node` or `node6`, as `Tests/Consumers/credentials.py` tells; asked at the same time.
    /// - Returns: an answer to each, as JSON.
    package func askSDK(_ questions: [String]) throws -> String {
        try require(try Consumer.program("credentials.py") + [StubAgent.credentialsPath] + questions)
    }
}
