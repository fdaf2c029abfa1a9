import FoundationEssentials
import Laboratory
import Testing

extension Live {
    /// What a real client gets: the AWS SDK for Python, with its own chain of providers and its own timeouts.
    @Suite("AWS SDK") struct SDKTests {
        /// What the SDK made of a question.
        private struct Answer: Decodable {
            let question: String
            /// The provider that answered; nil where none did.
            let provider: String?
            let key: String?
            let error: String?
            let seconds: Double

            var isTask: Bool { provider == "container-role" && key == StubAgent.taskKey }
            var isNode: Bool { provider == "iam-role" && key == InstanceMetadata.nodeKey }
            var isNothing: Bool { provider == nil && error == nil }
        }

        private static func ask(_ namespace: Namespace, _ questions: String...) throws -> [Answer] {
            let output = try namespace.askSDK(questions)
            return try JSONDecoder().decode([Answer].self, from: Data(output.utf8))
        }

        @Test("without rules, a container gets the node's role and not its own")
        func control() throws {
            let lab = try Laboratory()
            let answers = try Self.ask(lab.container, "task", "node", "node6")
            #expect(answers[0].error != nil && answers[0].key == nil, "\(answers[0])")
            #expect(answers[1].isNode && answers[2].isNode, "\(answers)")
        }

        @Test("with rules, a container gets its own role, and nothing of the node's", arguments: Backend.allCases)
        func dropped(_ backend: Backend) throws {
            let lab = try Self.applied(backend, [])
            for namespace in [lab.container, lab.userContainer] {
                let answers = try Self.ask(namespace, "task", "node", "node6")
                #expect(answers[0].isTask && answers[0].seconds < 1, "\(answers[0])")
                #expect(answers[1].isNothing && answers[2].isNothing, "\(answers)")
                // The SDK waits a second for each packet that nobody answers.
                #expect(answers[1].seconds > 1 && answers[2].seconds > 1, "\(answers)")
            }
            try Self.expectOthersServed(lab)
        }

        @Test("with reject, the SDK need not wait for it", arguments: Backend.allCases)
        func rejected(_ backend: Backend) throws {
            // Legacy iptables rejects in table filter only.
            let placement = backend == .iptables ? ["--imds-placement", "documented"] : []
            let lab = try Self.applied(backend, ["--imds-action", "reject"] + placement)
            for namespace in [lab.container, lab.userContainer] {
                let answers = try Self.ask(namespace, "task", "node", "node6")
                #expect(answers[0].isTask && answers[0].seconds < 1, "\(answers[0])")
                #expect(answers[1].isNothing && answers[2].isNothing, "\(answers)")
                #expect(answers[1].seconds < 0.5 && answers[2].seconds < 0.5, "\(answers)")
            }
        }

        private static func applied(_ backend: Backend, _ options: [String]) throws -> Laboratory {
            let lab = try Laboratory()
            let all = [
                "apply", "--mode", "bridge,host,awsvpc", "--bridge-interface", "docker+,br-+", "--persist", "none",
                "--backend", backend.rawValue,
            ]
            let result = try lab.netsetup(all + options)
            #expect(result.status == 0, "\(result.errors)")
            return lab
        }

        /// A task in awsvpc mode, whose own IMDS the agent closes, gets its role; so does one in host mode; and the host
        /// keeps its own.
        private static func expectOthersServed(_ lab: Laboratory) throws {
            let task = try ask(lab.task, "task")
            #expect(task[0].isTask, "\(task)")
            let host = try ask(lab.host, "task", "node", "node6")
            #expect(host[0].isTask && host[1].isNode && host[2].isNode, "\(host)")
        }
    }
}
