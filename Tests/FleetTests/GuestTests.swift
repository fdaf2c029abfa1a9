import Glibc
import Guest
import Laboratory
import Testing

extension Fleet {
    /// The role on a host that systemd booted, over SSH, from the package on.
    @Suite("Ansible, over SSH") struct GuestTests {
        /// A guest and the controller, with a cable between them and no other way to anywhere.
        private struct Network {
            let controller: Controller
            /// Its files go with it.
            private let image: Guest
            let guest: Guest.Running

            init(_ variables: String) throws {
                let host = try Namespace("guest")
                let other = try Namespace("controller")
                controller = try Controller(
                    in: other,
                    host: "ansible_host=10.0.0.10 ansible_user=root ansible_python_interpreter=/usr/bin/python3",
                    variables: variables)
                image = try Guest()
                try image.installAgent()
                try image.write("/root/.ssh/authorized_keys", controller.makeKey(), mode: "600")
                try image.prepare("systemctl enable ssh.service 2>&1")
                try other.require(["ip", "-batch", "-"], input: Self.controllerSide(host))
                try host.require(["ip", "-batch", "-"], input: Self.guestSide)
                guest = try image.boot(in: host)
            }

            private static func controllerSide(_ guest: Namespace) -> String {
                """
                link add eth0 type veth peer name eth0 netns \(guest.path)
                addr add 10.0.0.1/24 dev eth0
                link set eth0 up

                """
            }

            private static let guestSide = """
                link set lo up
                addr add 10.0.0.10/24 dev eth0
                link set eth0 up

                """
        }

        private static let variables = """
            ecs_netsetup_modes: [bridge]
            ecs_netsetup_bridge_interfaces: [docker+, br-+]
            ecs_netsetup_verify_delay: 2
            """

        @Test("from a fresh host to a repaired one")
        func life() throws {
            print("packaging/ansible: the tasks for RPMs are not run: there is no host of that family")
            let package = try Guest.ownPackage()
            let network = try Network("\(Self.variables)\necs_netsetup_package_file: \(package)")
            defer { network.guest.stop() }
            try expectFreshHostKept(network)
            try expectInstalledOnce(network)
            try expectDriftRepaired(network)
            try expectFailureTold(network)
        }

        private static let program = "/usr/sbin/ecs-netsetup"
        private static let rules = ["nft", "--stateless", "list", "table", "inet", "ecs-netsetup"]

        private func expectFreshHostKept(_ network: Network) throws {
            let play = try network.controller.play("--check")
            #expect(play.isGood && play.changed == 1, "\(play.text)")
            #expect(try network.guest.execute(["ls", Self.program]).status != 0)
            #expect(try network.guest.execute(["ls", "/var/cache/ecs-netsetup.deb"]).status != 0)
        }

        private func expectInstalledOnce(_ network: Network) throws {
            let first = try network.controller.play()
            // The package is brought, and installed, and the host made to match; then it is verified.
            #expect(first.isGood && first.changed == 3, "\(first.text)")
            #expect(try network.guest.execute(["systemctl", "is-enabled", "ecs-netsetup.service"]).status == 0)
            #expect(try network.guest.require(Self.rules).contains("no IMDS for docker+"))
            for options in ["--diff", "--check"] {
                let again = try network.controller.play(options)
                #expect(again.isGood && again.changed == 0, "\(options): \(again.text)")
            }
        }

        private func expectDriftRepaired(_ network: Network) throws {
            let whole = try network.guest.require(Self.rules)
            try network.guest.require(["nft", "flush", "chain", "inet", "ecs-netsetup", "forward"])
            let checked = try network.controller.play("--check")
            #expect(checked.isGood && checked.changed == 1 && checked.text.contains("no IMDS"), "\(checked.text)")
            #expect(try network.guest.require(Self.rules) != whole)
            let repaired = try network.controller.play()
            #expect(repaired.isGood && repaired.changed == 1, "\(repaired.text)")
            #expect(try network.guest.require(Self.rules) == whole)
        }

        private func expectFailureTold(_ network: Network) throws {
            try network.guest.require(["systemctl", "stop", "ecs.service"])
            let play = try network.controller.play(variables: ["ecs_netsetup_verify_retries=1"])
            #expect(play.status != 0 && play.count("failed") == 1 && play.changed == 0, "\(play.text)")
            #expect(play.text.contains("FAIL  ECS-NET-023"), "\(play.text)")
        }
    }
}
