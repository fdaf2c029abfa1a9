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
            try NewInstance.importImage(boot.guest)
            #expect(try Container.asks(Laboratory.metadata, on: "bridge", boot.guest).contains("imds"))
        }

        private static let installed = "install ok installed"

        private func boot(_ image: Guest, _ name: String, _ body: (Boot) throws -> Void) throws {
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.closed)
            try body(boot)
            try boot.expectHealthy(name)
            try NewInstance.importImage(boot.guest)
            for network in ["bridge", "site"] {
                let credentials = try Container.asks(Laboratory.credentials, on: network, boot.guest)
                #expect(credentials.contains("NoIdInRequest"), "\(network): \(credentials)")
                let metadata = try Container.asks(Laboratory.metadata, on: network, boot.guest)
                #expect(metadata == "nothing\n", "\(network)")
            }
            try boot.powerOff()
        }
    }
}

/// A container of the guest's own Docker engine.
private enum Container {
    /// Asks a server on port 80 from a container in a Docker network.
    ///
    /// - Returns: what it answered, or `nothing` where no connection came of it in a second.
    static func asks(_ address: String, on network: String, _ guest: Guest.Running) throws -> String {
        let ask = """
            exec 3<>/dev/tcp/\(address)/80
            printf 'GET /v2/credentials/ HTTP/1.0\\r\\n\\r\\n' >&3
            while read -r line <&3 || [ -n "$line" ]; do echo "$line"; done
            """
        return try guest.require([
            "docker", "run", "--rm", "--network", network, "guest", "/bin/bash", "-c",
            "/bin/timeout 1 /bin/bash -c \"$0\" || echo nothing", ask,
        ])
    }
}

/// An instance before its first boot.
private enum NewInstance {
    static let userData = "/var/lib/cloud/seed/nocloud/user-data"

    static func prepare(_ image: Guest) throws {
        try image.installAgent()
        try image.write("/etc/docker/daemon.json", #"{"ipv6": true, "fixed-cidr-v6": "fd00:17::/64"}"#)
        try image.write("/etc/systemd/system/control-groups.service", controlGroups)
        try image.offerOwnPackage()
        try image.write("/etc/cloud/cloud.cfg.d/90-guest.cfg", configuration)
        try image.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-0123456789abcdef0\n")
        let options = ["--mode", "bridge,host", "--bridge-interface", "docker+,br-+"]
        let generated = try execute([Tool.path, "generate", "user-data"] + options)
        #expect(generated.status == 0, "\(generated.errors)")
        try image.write(userData, generated.output)
        try image.prepare(
            """
            rm /etc/cloud/cloud-init.disabled
            # As on Amazon Linux. Debian's comes after multi-user.target, so that systemd drops an agent that waits for it.
            sed '/^After=multi-user.target$/d' /lib/systemd/system/cloud-final.service \
                > /etc/systemd/system/cloud-final.service
            systemctl enable docker.service containerd.service control-groups.service 2>&1
            """)
    }

    /// The package `locales` is not there, and sources of packages are the test's.
    private static let configuration = """
        datasource_list: [NoCloud]
        locale: false
        network: {config: disabled}
        apt: {preserve_sources_list: true}

        """

    /// In a container they are read-only, and Docker makes some for its own.
    private static let controlGroups = """
        [Unit]
        Before=docker.service

        [Service]
        Type=oneshot
        ExecStart=/bin/sh -c 'for i in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$i"; done'

        [Install]
        WantedBy=multi-user.target

        """

    /// A Docker image of a shell and what it needs, out of the guest's own files.
    static func importImage(_ guest: Guest.Running) throws {
        let files = "/bin/bash /bin/timeout"
        try guest.require([
            "sh", "-euc",
            """
            libraries=$(ldd \(files) | grep -o '/[^ ]*' | grep -v ':$' | sort -u)
            tar --create --dereference --absolute-names \(files) $libraries | docker import - guest
            """,
        ])
    }
}
