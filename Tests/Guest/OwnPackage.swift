import Glibc
import Laboratory

extension Guest {
    /// Our package, as `make deb` leaves it in `.build/packages`; `ECS_NETSETUP_DEB` names another one.
    package static func ownPackage() throws -> String {
        if let named = unsafe getenv("ECS_NETSETUP_DEB") { return unsafe String(cString: named) }
        let folder = "\(repository)/.build/packages"
        // The one that was built last, should there be one of an earlier version.
        let found = try Machine.execute(["sh", "-c", "ls -t \"$1\"/ecs-netsetup_*.deb", "sh", folder])
        guard let newest = found.output.split(separator: "\n").first else {
            throw LaboratoryError("\(folder) holds no package of ours; run: make deb")
        }
        return String(newest)
    }

    /// Installs our package, as `dpkg --install` does.
    package func installOwnPackage() throws {
        try copy(Self.ownPackage(), to: "/root/ecs-netsetup.deb")
        try prepare("dpkg --install /root/ecs-netsetup.deb 2>&1; rm /root/ecs-netsetup.deb")
    }

    /// Puts our package into a folder of the guest that is its only source of packages.
    package func offerOwnPackage() throws {
        try copy(Self.ownPackage(), to: "/srv/packages/ecs-netsetup.deb")
        try write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/packages ./\n")
        try prepare(
            """
            cd /srv/packages
            {
                dpkg-deb --field ecs-netsetup.deb
                echo "Filename: ./ecs-netsetup.deb"
                echo "Size: $(stat --format=%s ecs-netsetup.deb)"
                echo "SHA256: $(sha256sum ecs-netsetup.deb | cut -d' ' -f1)"
            } > Packages
            """)
    }
}
