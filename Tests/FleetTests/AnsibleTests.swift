import Laboratory
import Testing

extension Fleet {
    /// The role in `packaging/ansible`, run by Ansible on hosts in namespaces.
    @Suite("Ansible") struct AnsibleTests {
        /// A host on which the program is there already, managed without a connection.
        private struct Host {
            let lab: Laboratory.Bare
            let controller: Controller

            init(_ variables: String = "") throws {
                lab = try Laboratory.Bare()
                controller = try Controller(
                    in: lab.host, host: "ansible_connection=local ansible_python_interpreter=/usr/bin/python3",
                    variables: """
                        ecs_netsetup_modes: [bridge]
                        ecs_netsetup_package_name: ""
                        ecs_netsetup_program: \(Tool.path)
                        ecs_netsetup_verify_delay: 1
                        \(variables)
                        """)
            }
        }

        @Test("a change is reported where there is one, in check mode too")
        func changes() throws {
            // The stub agent does not restart, and so never reads its configuration.
            let host = try Host("ecs_netsetup_backend: iptables\necs_netsetup_verify: false")
            let before = try host.controller.play("--check")
            #expect(before.isGood && before.changed == 1 && before.text.contains("changes to make"), "\(before.text)")
            #expect(try host.lab.netsetup(["status", "--format", "json"]).output.contains("\"absent\""))
            let first = try host.controller.play()
            #expect(first.isGood && first.changed == 1, "\(first.text)")
            try host.lab.host.restartAgent()
            let second = try host.controller.play(variables: ["ecs_netsetup_verify=true"])
            #expect(second.isGood && second.changed == 0, "\(second.text)")
            let after = try host.controller.play("--check")
            #expect(after.isGood && after.changed == 0, "\(after.text)")
        }

        @Test("a variable that is taken out counts no more")
        func takenBack() throws {
            let host = try Host("ecs_netsetup_verify: false")
            // As text, which is what they are on a command line.
            let open = ["ecs_netsetup_allow_imds=true", "ecs_netsetup_localhost_guard=false"]
            let opened = try host.controller.play(variables: open)
            #expect(opened.isGood && opened.changed == 1, "\(opened.text)")
            let rules = ["nft", "list", "table", "inet", "ecs-netsetup"]
            let few = try host.lab.host.require(rules)
            #expect(!few.contains("no IMDS") && !few.contains("localhost guard"), "\(few)")
            let closed = try host.controller.play()
            #expect(closed.isGood && closed.changed == 1, "\(closed.text)")
            let all = try host.lab.host.require(rules)
            #expect(all.contains("no IMDS for docker+") && all.contains("localhost guard"), "\(all)")
            let again = try host.controller.play(
                variables: ["ecs_netsetup_allow_imds=false", "ecs_netsetup_localhost_guard=true"])
            #expect(again.isGood && again.changed == 0, "\(again.text)")
        }

        @Test("wrong variables fail, with what is wrong, and change nothing")
        func wrongVariables() throws {
            for (variables, complaint) in [
                ("ecs_netsetup_modes: [brigde]", "brigde"),
                ("ecs_netsetup_modes: []", "--mode"),
                ("ecs_netsetup_imds_action: refuse", "refuse"),
                ("ecs_netsetup_bridge_interfaces: [docker$]", "interface pattern 'docker$'"),
                ("ecs_netsetup_wait: soon", "soon"),
            ] {
                let host = try Host(variables)
                let play = try host.controller.play()
                #expect(play.status != 0 && play.count("failed") == 1 && play.changed == 0, "\(play.text)")
                #expect(play.text.contains(complaint), "\(variables): \(play.text)")
                #expect(try host.lab.netsetup(["status", "--format", "json"]).output.contains("\"absent\""))
                #expect(try host.lab.host.execute(["ls", "/etc/ecs-netsetup.conf"]).status != 0)
            }
            let checked = try Host("ecs_netsetup_bridge_interfaces: [docker$]").controller.play("--check")
            #expect(checked.status != 0 && checked.count("failed") == 1, "\(checked.text)")
        }

        @Test("a check that fails makes the play fail")
        func verification() throws {
            let host = try Host("ecs_netsetup_verify_retries: 1")
            // The stub agent does not restart, and so has not read its configuration.
            let failed = try host.controller.play()
            #expect(failed.status != 0 && failed.count("failed") == 1 && failed.changed == 1, "\(failed.text)")
            #expect(failed.text.contains("FAIL  ECS-NET-"), "\(failed.text)")
        }
    }
}
