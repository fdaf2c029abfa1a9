import FoundationEssentials
import Laboratory
import TestSupport

/// Where Ansible runs: a folder with an inventory and playbooks.
struct Controller {
    /// What Ansible told of a play on one host.
    struct Play {
        let status: CInt
        let text: String

        /// How many tasks the last line counts as `changed`, `failed` and so on; nil where no task was run.
        func count(_ word: String) -> Int? {
            guard let recap = text.split(separator: "\n").last(where: { $0.contains("unreachable=") }) else {
                return nil
            }
            let counts = recap.split(separator: " ").first { $0.hasPrefix(word + "=") }
            return counts.flatMap { Int($0.dropFirst(word.utf8.count + 1)) }
        }

        var changed: Int? { count("changed") }
        /// Whether every task that was run went well.
        var isGood: Bool { status == 0 && count("failed") == 0 && count("unreachable") == 0 }
    }

    private let root: FixtureRoot
    private let network: Namespace

    /// - Parameters:
    ///   - network: where it runs.
    ///   - host: the only host's variables, as a line of an inventory has them.
    ///   - variables: those of the role, as YAML.
    init(in network: Namespace, host: String, variables: String) throws {
        root = try FixtureRoot()
        self.network = network
        try root.write("[ecs]\nhost \(host)\n", to: "/inventory")
        try root.write("---\n\(variables)\n", to: "/group_vars/ecs.yml")
        let playbook = """
            ---
            - name: Set up the network of ECS hosts
              hosts: ecs
              become: true
              roles:
                - ecs_netsetup

            """
        try root.write(playbook, to: "/playbook.yml")
    }

    /// Makes a key with which it gets into hosts.
    ///
    /// - Returns: the public half.
    func makeKey() throws -> String {
        let result = try Machine.execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root.path + "/key"])
        guard result.status == 0, let key = root.read("/key.pub") else { throw LaboratoryError(result.errors) }
        return key
    }

    /// Plays the role, with variables that override others where they are given, as YAML or as `NAME=VALUE`.
    func play(_ options: String..., variables: [String] = []) throws -> Play {
        let overriding = variables.flatMap { ["--extra-vars", $0] }
        let words = [try Fleet.tool("ansible-playbook"), "--inventory", "inventory", "playbook.yml"]
        let result = try network.execute(
            ["env", "-C", root.path] + words + options + overriding,
            environment: [
                "ANSIBLE_HOME=\(root.path)/home", "HOME=\(root.path)", "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1",
                "ANSIBLE_ROLES_PATH=\(Fleet.repository)/packaging/ansible/roles",
                "ANSIBLE_PRIVATE_KEY_FILE=\(root.path)/key", "ANSIBLE_PIPELINING=1",
                // One connection for a play, which ends by itself.
                "ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=5s -o UserKnownHostsFile=/dev/null "
                    + "-o StrictHostKeyChecking=no",
                // Where there is no server for file transfers.
                "ANSIBLE_SSH_TRANSFER_METHOD=piped",
                // The role asks for no facts.
                "ANSIBLE_GATHERING=explicit",
            ])
        return Play(status: result.status, text: result.output + result.errors)
    }
}
