import Guest
import Laboratory
import Testing

extension BootedHost {
    /// Legacy Amazon Linux, as near as Debian comes: System V's init and scripts in place of upstart.
    @Suite struct SystemVTests {
        @Test("the rules are back after a reboot, and after one more with what `service iptables save` wrote")
        func survivesReboot() throws {
            let image = try Guest(.sysv)
            try LegacyHost.prepare(image)
            try inBoot(of: image, "sysv-1") { boot in
                #expect(try boot.settled().map(\.description) == ReachedOutcomes.open)
                let options = ["--mode", "bridge,host", "--bridge-interface", "docker+,br-+"]
                let applied = try boot.guest.execute(["ecs-netsetup", "apply", "--verbose"] + options)
                #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
                try boot.guest.require(["service", "ecs", "restart"])
            }
            try inBoot(of: image, "sysv-2") { boot in
                #expect(try boot.arrivals == 0, "of \(boot.attempts) packets")
                try boot.guest.require(["service", "iptables", "save"])
            }
            try inBoot(of: image, "sysv-3") { boot in
                let arrivals = try boot.arrivals
                #expect(arrivals == 0, "of \(boot.attempts) packets")
            }
            // The control: without the two, the rules do not come back.
            try image.prepare("rm /etc/sysconfig/iptables /etc/sysconfig/ip6tables /etc/init/ecs-netsetup.conf")
            let boot = try Boot(image)
            defer { boot.stop() }
            #expect(try boot.settled().map(\.description).suffix(2) == ReachedOutcomes.open.suffix(2))
        }

        /// Boots, does something, and expects the host to be as it should be; `name` is that of the report.
        private func inBoot(of image: Guest, _ name: String, _ body: (Boot) throws -> Void) throws {
            let boot = try Boot(image)
            defer { boot.stop() }
            try body(boot)
            #expect(try boot.settled().map(\.description) == ReachedOutcomes.closed)
            try boot.expectHealthy(name)
            try boot.powerOff()
        }
    }
}

/// What makes the guest look like legacy Amazon Linux to ecs-netsetup.
private enum LegacyHost {
    static func prepare(_ image: Guest) throws {
        try image.installOwnPackage()
        try image.installAgentProgram()
        try image.prepare("rm /etc/os-release")
        try image.write("/etc/os-release", osRelease)
        try image.write("/sbin/chkconfig", chkconfig, mode: "755")
        for (name, family) in [("iptables", "IPv4"), ("ip6tables", "IPv6")] {
            try image.write("/etc/init.d/\(name)", restoring(name, family), mode: "755")
        }
        try image.write("/etc/init.d/docker", docker, mode: "755")
        try image.write("/etc/init.d/ecs", agent, mode: "755")
        try image.write("/etc/rc.local", "#!/bin/sh\ntouch /run/booted\n", mode: "755")
        try image.prepare(
            """
            update-alternatives --set iptables /usr/sbin/iptables-legacy
            update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
            mkdir -p /etc/sysconfig /etc/ecs /etc/init
            sed -i 's/^id:.:initdefault:/id:3:initdefault:/' /etc/inittab
            sed -i '/getty/d' /etc/inittab
            # By the links' names alone, as on that host: after S01iptables, before S02rc.local.
            touch /etc/init.d/.legacy-bootordering
            ln -s ../init.d/docker /etc/rc3.d/S02docker
            ln -s ../init.d/ecs /etc/rc3.d/S02ecs
            """)
    }

    private static let osRelease = """
        NAME="Amazon Linux AMI"
        VERSION="2018.03"
        ID="amzn"
        ID_LIKE="rhel fedora"
        VERSION_ID="2018.03"

        """

    /// chkconfig(8), as far as `apply` and `remove` use it.
    private static let chkconfig = """
        #!/bin/sh
        set -eu
        for level in 2 3 4 5; do
            case $2 in
            on) ln -sf "../init.d/$1" "/etc/rc$level.d/S01$1" ;;
            off) rm -f "/etc/rc$level.d/S01$1" ;;
            esac
        done

        """

    /// The scripts of the package iptables: `start` restores the file where there is one, `save` dumps the live rules.
    private static func restoring(_ program: String, _ family: String) -> String {
        """
        #!/bin/sh
        # chkconfig: 2345 08 92
        # description: \(family) firewall
        set -eu
        case $1 in
        start) [ ! -e /etc/sysconfig/\(program) ] || \(program)-restore /etc/sysconfig/\(program) ;;
        save)
            \(program)-save > /etc/sysconfig/\(program).new
            chmod 600 /etc/sysconfig/\(program).new
            mv /etc/sysconfig/\(program).new /etc/sysconfig/\(program) ;;
        esac

        """
    }

    /// What of Docker matters here: it switches forwarding on.
    private static let docker = """
        #!/bin/sh
        [ "$1" != start ] || sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

        """

    /// The job `ecs` of upstart, with every job that starts `on starting ecs` before it, as upstart waits for them.
    private static let agent = """
        #!/bin/sh
        set -eu
        case $1 in
        start)
            for job in $(grep -l '^start on starting ecs$' /etc/init/*.conf 2>/dev/null); do
                sh -c "$(sed -n 's/^exec //p' "$job")"
            done
            start-stop-daemon --start --background --make-pidfile --pidfile /run/ecs.pid \\
                --exec /usr/bin/python3 -- \(Guest.agentProgram) ;;
        stop) start-stop-daemon --stop --retry 5 --pidfile /run/ecs.pid ;;
        restart)
            "$0" stop
            "$0" start ;;
        esac

        """
}
