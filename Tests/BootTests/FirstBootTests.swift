import Guest
import Laboratory
import Testing

extension BootedHost {
    /// A new instance: cloud-init runs what `generate user-data` printed, with a real Docker engine and an agent's unit.
    @Suite struct FirstBootTests {
        @Test("user data alone sets a new instance up before its agent starts, and a reboot keeps it")
        func userData() throws {
            let image = try Guest()
            try NewInstance.prepare(image)
            try boot(image, "cloud-init-1") { boot in
                let status = try boot.guest.execute(["cloud-init", "status", "--long"])
                #expect(status.output.contains("status: done"), "\(status.output)")
                #expect(
                    try boot.guest.require(["dpkg-query", "-W", "-f", "${Status}", "ecs-netsetup"]) == Self.installed)
                try boot.guest.require(["docker", "network", "create", "site"])
            }
            try boot(image, "cloud-init-2") { boot in
                try boot.expectOrder(of: "ecs-netsetup.service")
                #expect(try boot.arrivals == 0, "of \(boot.attempts) packets")
            }
        }

        @Test("without the user data, the same instance's containers get the instance's credentials")
        func control() throws {
            let image = try Guest()
            try NewInstance.prepare(image)
            try image.write(NewInstance.userData, "#cloud-config\n{}\n")
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.open)
            try boot.guest.require(["sh", "-euc", Container.importImage])
            let metadata = try boot.guest.require(Container.ask(Laboratory.metadata, on: "bridge"))
            #expect(metadata.contains("imds"), "\(metadata)")
        }

        private static let installed = "install ok installed"

        private func boot(_ image: Guest, _ name: String, _ body: (Boot) throws -> Void) throws {
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.closed)
            try body(boot)
            try boot.expectHealthy(name)
            try boot.guest.require(["sh", "-euc", Container.importImage])
            for network in ["bridge", "site"] {
                let credentials = try boot.guest.require(Container.ask(Laboratory.credentials, on: network))
                #expect(credentials.contains("NoIdInRequest"), "\(network): \(credentials)")
                let metadata = try boot.guest.require(Container.ask(Laboratory.metadata, on: network))
                #expect(metadata == "nothing\n", "\(network)")
            }
            try boot.powerOff()
        }
    }
}
