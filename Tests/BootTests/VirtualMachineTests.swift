import Glibc
import Guest
import Laboratory
import Testing

/// The new instance once more, as a virtual machine with a kernel of its own: Debian's instead of this machine's.
@Suite(.serialized, .enabled(if: getuid() == 0, "making a disk of the guest's files needs root"))
struct VirtualMachineTests {
    @Test("user data sets a virtual machine up at its first boot, and a reboot keeps it")
    func userData() throws {
        let image = try Guest()
        try NewInstance.prepare(image)
        try Surroundings.prepare(image)
        let machine = try VirtualGuest(image)
        for boot in 1...2 {
            try machine.boot()
            let report = { (name: String) in try machine.read("/var/report/\(boot)/\(name)") }
            let text = try report("verify.txt")
            try Boot.keep(try report("verify.json"), as: "virtual-\(boot).json")
            try Boot.keep(text, as: "virtual-\(boot).txt")
            let errors = try report("errors")
            #expect(try report("status") == "0\n", "\(text)\(errors)")
            #expect(text.contains("no IMDS from docker0 "), "\(text)")
            let failed = try report("failed")
            #expect(failed == "", "\(failed)")
            let credentials = try report("credentials")
            #expect(credentials.contains("NoIdInRequest"), "\(credentials)")
            #expect(try report("metadata") == "nothing\n")
        }
        let times = try machine.read("/var/report/2/times").split(separator: "\n").map { Int($0) ?? 0 }
        #expect(times.count == 3 && times[0] > 0, "\(times)")
        // Our unit was done before Docker's and the agent's processes began.
        #expect(times.dropFirst().allSatisfy { $0 > times[0] }, "\(times)")
        // Without the rules, the same container does get the instance's credentials.
        #expect(try machine.read("/var/report/2/removed").contains("imds"))
    }
}

/// What is round the virtual machine, inside it: the metadata service in a network namespace, and a unit that writes down
/// what became of the boot and shuts down.
private enum Surroundings {
    static func prepare(_ image: Guest) throws {
        try image.write("/usr/local/lib/surroundings", network, mode: "755")
        try image.write("/usr/local/lib/report", report, mode: "755")
        try image.write("/srv/imds/v2/credentials/index.html", "{\"service\":\"imds\"}\n")
        try image.write("/etc/systemd/system/surroundings.service", unit("surroundings", before: "docker.service"))
        try image.write("/etc/systemd/system/report.service", unit("report"))
        try image.prepare("systemctl enable surroundings.service report.service 2>&1")
    }

    private static func unit(_ program: String, before other: String? = nil) -> String {
        """
        [Unit]
        \(other.map { "Before=\($0)" } ?? "")

        [Service]
        ExecStart=/usr/local/lib/\(program)

        [Install]
        WantedBy=multi-user.target

        """
    }

    private static let network = """
        #!/bin/sh
        set -eu
        ip netns add vpc
        ip link add eth0 type veth peer name eth0 netns vpc
        ip addr add \(Laboratory.hostAddress)/24 dev eth0
        ip addr add \(Laboratory.hostAddress6)/64 dev eth0 nodad
        ip link set eth0 up
        ip -n vpc link set lo up
        ip -n vpc addr add 10.0.0.1/24 dev eth0
        ip -n vpc addr add \(Laboratory.metadata)/32 dev eth0
        ip -n vpc addr add fd00:10::1/64 dev eth0 nodad
        ip -n vpc addr add \(Laboratory.metadata6)/128 dev eth0 nodad
        ip -n vpc link set eth0 up
        ip route add default via 10.0.0.1
        ip route add default via fd00:10::1
        exec ip netns exec vpc python3 -m http.server --bind :: --directory /srv/imds 80

        """

    /// Emulated, everything takes long: the agent until it listens, the probe and the container's requests get more time.
    private static let report = """
        #!/bin/sh
        until systemctl is-system-running | grep -q -e running -e degraded; do sleep 1; done
        for i in $(seq 60); do
            bash -c ': > /dev/tcp/127.0.0.1/\(Laboratory.agentPort)' 2> /dev/null && break
            sleep 1
        done
        number=1
        while [ -e /var/report/$number ]; do number=$((number + 1)); done
        mkdir -p /var/report/$number
        cd /var/report/$number
        LC_ALL=C.UTF-8 ecs-netsetup verify --probe --probe-timeout 2000 > verify.txt 2> errors
        echo $? > status
        ecs-netsetup verify --probe --probe-timeout 2000 --format json > verify.json
        systemctl list-units --failed --plain --no-legend > failed
        [ ! -s failed ] || journalctl --priority=warning >> failed
        systemctl show --value --property=ExecMainExitTimestampMonotonic ecs-netsetup.service > times
        for unit in docker ecs; do
            systemctl show --value --property=ExecMainStartTimestampMonotonic $unit.service >> times
        done
        docker image inspect guest > /dev/null 2>&1 || {
        \(Container.importImage)
        }
        \(ask(Laboratory.credentials)) > credentials 2>&1
        \(ask(Laboratory.metadata)) > metadata 2>&1
        if [ $number = 2 ]; then
            ecs-netsetup remove
            \(ask(Laboratory.metadata)) > removed 2>&1
        fi
        poweroff

        """

    private static func ask(_ address: String) -> String {
        Container.ask(address, on: "bridge", seconds: 5).joined(separator: " ")
    }
}
