import Guest
import Laboratory
import Testing

/// A container of the guest's own Docker engine, from an image of a shell and what it needs.
enum Container {
    /// Makes that image out of the guest's own files: a shell script.
    static let importImage = """
        files="/bin/bash /bin/timeout \(program)"
        libraries=$(ldd /bin/bash /bin/timeout | grep -o '/[^ ]*' | grep -v ':$' | sort -u)
        tar --create --dereference --absolute-names $files $libraries | docker import - guest
        """

    /// Asks a server on port 80 from a container in a Docker network.
    ///
    /// - Returns: the words of a program that prints what it answered, or `nothing` where nothing came in time.
    static func ask(_ address: String, on network: String, seconds: Int = 1) -> [String] {
        ["docker", "run", "--rm", "--network", network, "guest", "/bin/bash", program, address, "\(seconds)"]
    }

    /// Puts the program for it into a guest.
    static func install(in image: Guest) throws {
        try image.write(
            program,
            """
            if [ -z "${3-}" ]; then
                /bin/timeout "$2" /bin/bash "$0" "$1" "$2" now || echo nothing
                exit
            fi
            exec 3<>"/dev/tcp/$1/80"
            printf 'GET /v2/credentials/ HTTP/1.0\\r\\n\\r\\n' >&3
            while read -r line <&3 || [ -n "$line" ]; do echo "$line"; done

            """)
    }

    private static let program = "/usr/local/lib/ask"
}

/// An instance before its first boot.
enum NewInstance {
    static let userData = "/var/lib/cloud/seed/nocloud/user-data"

    static func prepare(_ image: Guest) throws {
        try image.installAgent()
        try Container.install(in: image)
        try image.write("/etc/docker/daemon.json", #"{"ipv6": true, "fixed-cidr-v6": "fd00:17::/64"}"#)
        try image.write("/etc/systemd/system/control-groups.service", controlGroups)
        try image.offerOwnPackage()
        try image.write("/etc/cloud/cloud.cfg.d/90-guest.cfg", configuration)
        try image.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-0123456789abcdef0\n")
        let options = ["--mode", "bridge,host", "--bridge-interface", "docker+,br-+"]
        let generated = try Machine.execute([Tool.path, "generate", "user-data"] + options)
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

    /// The package `locales` is not there, sources of packages are the test's, and an emulated processor takes a minute to
    /// make SSH keys.
    private static let configuration = """
        datasource_list: [NoCloud]
        locale: false
        ssh_deletekeys: false
        network: {config: disabled}
        apt: {preserve_sources_list: true}

        """

    /// In a container they are read-only, and Docker makes some for its own.
    private static let controlGroups = """
        [Unit]
        ConditionVirtualization=container
        Before=docker.service

        [Service]
        Type=oneshot
        ExecStart=/bin/sh -c 'for i in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$i"; done'

        [Install]
        WantedBy=multi-user.target

        """
}
