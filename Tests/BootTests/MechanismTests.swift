import Guest
import Laboratory
import Testing

extension BootedHost {
    /// What `apply` did holds after a reboot, whatever brings it back.
    @Suite struct MechanismTests {
        @Test("the rules are back after a reboot, before anything can be forwarded", arguments: Mechanism.all)
        func survivesReboot(_ mechanism: Mechanism) throws {
            let image = try Guest()
            try mechanism.prepare(image)
            try firstBoot(image, mechanism)
            try secondBoot(image, mechanism)
            try control(image, mechanism)
        }

        /// Before `apply`, what it is there for does happen.
        private func firstBoot(_ image: Guest, _ mechanism: Mechanism) throws {
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.reached().map(\.description) == ReachedOutcomes.open)
            #expect(try boot.arrivals > 0)
            let applied = try boot.guest.execute(["ecs-netsetup", "apply", "--verbose"] + mechanism.options)
            #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
            try boot.guest.require(["systemctl", "restart", "ecs.service"])
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.closed)
            try boot.expectHealthy("\(mechanism.name)-1")
            for file in mechanism.files {
                #expect(try boot.guest.execute(["grep", "-q", "ecs-netsetup", file]).status == 0, "\(file)")
            }
            try boot.powerOff()
        }

        private func secondBoot(_ image: Guest, _ mechanism: Mechanism) throws {
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.closed)
            try boot.expectHealthy("\(mechanism.name)-2")
            try boot.expectOrder(of: mechanism.unit)
            #expect(try boot.arrivals == 0, "of \(boot.attempts) packets")
            #expect(boot.attempts > 1000)
            try boot.powerOff()
        }

        /// Without what brings the rules back, the same boot leaves IMDS open.
        private func control(_ image: Guest, _ mechanism: Mechanism) throws {
            try image.prepare(mechanism.undo)
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description).suffix(2) == ReachedOutcomes.open.suffix(2))
            #expect(try boot.arrivals > 0)
        }
    }
}

/// What brings the rules back, on a host that uses it.
struct Mechanism: Sendable, CustomTestStringConvertible {
    let name: String
    /// What is given to `apply`.
    var options = ["--mode", "bridge,host", "--bridge-interface", "docker+,br-+"]
    /// The unit that brings them back.
    var unit = "ecs-netsetup.service"
    /// Files that name us afterwards.
    var files: [String] = []
    /// How the host is made what it is: a shell script in its tree, and files.
    var setup = ""
    var texts: [String: String] = [:]
    /// Takes away what brings the rules back.
    var undo = "systemctl disable ecs-netsetup.service 2>&1"

    var testDescription: String { name }

    func prepare(_ image: Guest) throws {
        try image.installOwnPackage()
        try image.installAgent()
        try image.write("/etc/docker/daemon.json", #"{"ipv6": true, "fixed-cidr-v6": "fd00:17::/64"}"#)
        for (path, text) in texts { try image.write(path, text) }
        try image.prepare("systemctl enable docker.service containerd.service 2>&1\n\(setup)")
    }

    static let all = [systemd, nftablesService, netfilterPersistent, iptablesServices]

    static let systemd = Mechanism(name: "systemd", files: ["/etc/ecs-netsetup.conf"])

    /// nftables.service reads its file at every boot, and the file begins with `flush ruleset`.
    static let nftablesService = Mechanism(
        name: "nftables-service", files: ["/etc/ecs-netsetup.conf"], setup: "systemctl enable nftables.service 2>&1",
        texts: [
            "/etc/nftables.conf": """
            #!/usr/sbin/nft -f
            flush ruleset
            table inet site {
                chain forward { type filter hook forward priority filter; policy accept; counter; }
            }

            """
        ])

    private static let legacy = """
        update-alternatives --set iptables /usr/sbin/iptables-legacy
        update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy

        """

    static let netfilterPersistent = Mechanism(
        name: "netfilter-persistent", unit: "netfilter-persistent.service",
        files: ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"],
        setup: legacy + "systemctl enable netfilter-persistent.service 2>&1",
        undo: "rm /etc/iptables/rules.v4 /etc/iptables/rules.v6")

    /// Amazon Linux 2 with iptables-services enabled, as far as its files and units go.
    static let iptablesServices = Mechanism(
        name: "iptables-services", unit: "iptables.service",
        files: ["/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"],
        setup: legacy + """
            rm /etc/os-release
            printf 'NAME="Amazon Linux"\nVERSION="2"\nID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\n' \
                > /etc/os-release
            systemctl enable iptables.service ip6tables.service 2>&1
            """,
        texts: [
            "/etc/sysconfig/iptables": siteRules, "/etc/sysconfig/ip6tables": siteRules,
            "/etc/systemd/system/iptables.service": restoring("iptables", "IPv4"),
            "/etc/systemd/system/ip6tables.service": restoring("ip6tables", "IPv6"),
        ],
        undo: "systemctl disable iptables.service ip6tables.service 2>&1")

    /// A host that lets in SSH alone, as the file that comes with iptables-services does.
    private static let siteRules = """
        *filter
        :INPUT ACCEPT [0:0]
        :FORWARD ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
        -A INPUT -i lo -j ACCEPT
        -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
        -A INPUT -j REJECT
        COMMIT

        """

    /// What the units of iptables-services do: their script flushes, then restores the file.
    private static func restoring(_ program: String, _ family: String) -> String {
        """
        [Unit]
        Description=\(family) firewall with \(program)
        AssertPathExists=/etc/sysconfig/\(program)
        Before=network-pre.target
        Wants=network-pre.target

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/usr/sbin/\(program)-restore /etc/sysconfig/\(program)

        [Install]
        WantedBy=multi-user.target

        """
    }
}
