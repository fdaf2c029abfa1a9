import Testing

/// The file os-release of each distribution and version in the table, as its images have it, with the lines that name it.
enum OSReleases {
    /// A file, and what must be known of it.
    struct Entry: CustomTestStringConvertible {
        let title: String
        /// The row that it belongs to; nil for none.
        let row: String?
        let text: String
        var testDescription: String { title }
    }

    /// The lines that nearly every distribution has, values in double quotes.
    private static func entry(
        _ title: String, _ row: String?, name: String, id: String, version: String, like: String? = nil,
        url: String = "https://example.com/"
    ) -> Entry {
        var lines = ["NAME=\"\(name)\"", "VERSION=\"\(version)\"", "ID=\"\(id)\""]
        if let like { lines.append("ID_LIKE=\"\(like)\"") }
        lines += [
            "VERSION_ID=\"\(version)\"", "PRETTY_NAME=\"\(title)\"", "ANSI_COLOR=\"0;33\"", "HOME_URL=\"\(url)\"",
        ]
        return Entry(title: title, row: row, text: lines.map { $0 + "\n" }.joined())
    }

    private static func rpm(_ name: String, _ id: String, _ version: String, _ platform: String) -> Entry {
        Entry(
            title: "\(name) \(version)", row: "RHEL family",
            text: """
                NAME="\(name)"
                VERSION="\(version) (Example)"
                ID="\(id)"
                ID_LIKE="rhel centos fedora"
                VERSION_ID="\(version)"
                PLATFORM_ID="platform:\(platform)"
                PRETTY_NAME="\(name) \(version)"
                CPE_NAME="cpe:/o:\(id):\(id):\(version)::baseos"
                LOGO="fedora-logo-icon"

                """)
    }

    private static func debian(_ version: String, _ codename: String) -> Entry {
        let title = "Debian GNU/Linux \(version) (\(codename))"
        return Entry(
            title: title, row: "Debian",
            text: """
                PRETTY_NAME="\(title)"
                NAME="Debian GNU/Linux"
                VERSION_ID="\(version)"
                VERSION="\(version) (\(codename))"
                VERSION_CODENAME=\(codename)
                ID=debian
                HOME_URL="https://www.debian.org/"

                """)
    }

    private static func ubuntu(_ version: String, _ codename: String) -> Entry {
        Entry(
            title: "Ubuntu \(version) LTS", row: "Ubuntu",
            text: """
                PRETTY_NAME="Ubuntu \(version) LTS"
                NAME="Ubuntu"
                VERSION_ID="\(version)"
                VERSION="\(version) LTS"
                VERSION_CODENAME=\(codename)
                ID=ubuntu
                ID_LIKE=debian
                UBUNTU_CODENAME=\(codename)

                """)
    }

    private static func sles(_ pack: String) -> Entry {
        entry(
            "SUSE Linux Enterprise Server 15\(pack.isEmpty ? "" : " SP\(pack)")", "SUSE Linux Enterprise",
            name: "SLES", id: "sles", version: pack.isEmpty ? "15" : "15.\(pack)", like: "suse")
    }

    private static let amazon = [
        entry(
            "Amazon Linux AMI 2017.09", "legacy Amazon Linux", name: "Amazon Linux AMI", id: "amzn",
            version: "2017.09", like: "rhel fedora"),
        entry(
            "Amazon Linux AMI 2018.03", "legacy Amazon Linux", name: "Amazon Linux AMI", id: "amzn",
            version: "2018.03", like: "rhel fedora"),
        entry(
            "Amazon Linux 2", "Amazon Linux 2", name: "Amazon Linux", id: "amzn", version: "2",
            like: "centos rhel fedora"),
        entry(
            "Amazon Linux 2023.6.20250123", "Amazon Linux 2023", name: "Amazon Linux", id: "amzn", version: "2023",
            like: "fedora"),
    ]

    private static let flatcar = Entry(
        title: "Flatcar Container Linux by Kinvolk 3975.2.1 (Oklo)", row: "Flatcar",
        text: """
            NAME="Flatcar Container Linux by Kinvolk"
            ID=flatcar
            ID_LIKE=coreos
            VERSION=3975.2.1
            VERSION_ID=3975.2.1
            BUILD_ID=2024-08-05-2103
            SYSEXT_LEVEL=1.0
            PRETTY_NAME="Flatcar Container Linux by Kinvolk 3975.2.1 (Oklo)"
            FLATCAR_BOARD="amd64-usr"

            """)

    private static let fedora = Entry(
        title: "Fedora Linux 41 (Cloud Edition)", row: "Fedora",
        text: """
            NAME="Fedora Linux"
            VERSION="41 (Cloud Edition)"
            ID=fedora
            VERSION_ID=41
            VERSION_CODENAME=""
            PLATFORM_ID="platform:f41"
            PRETTY_NAME="Fedora Linux 41 (Cloud Edition)"
            SUPPORT_END=2025-12-15
            VARIANT_ID=cloud

            """)

    private static let bottlerocket = Entry(
        title: "Bottlerocket OS 1.26.1 (aws-ecs-2)", row: "Bottlerocket",
        text: """
            NAME=Bottlerocket
            ID=bottlerocket
            VERSION="1.26.1 (aws-ecs-2)"
            PRETTY_NAME="Bottlerocket OS 1.26.1 (aws-ecs-2)"
            VARIANT_ID=aws-ecs-2
            VERSION_ID=1.26.1
            BUILD_ID=943d9a41

            """)

    /// Those in the table.
    static let known: [Entry] =
        amazon + [debian("11", "bullseye"), debian("12", "bookworm"), debian("13", "trixie")]
        + [ubuntu("20.04", "focal"), ubuntu("22.04", "jammy"), ubuntu("24.04", "noble"), ubuntu("26.04", "resolute")]
        + [
            rpm("Red Hat Enterprise Linux", "rhel", "8.10", "el8"),
            rpm("Red Hat Enterprise Linux", "rhel", "9.4", "el9"),
            rpm("Red Hat Enterprise Linux", "rhel", "10.0", "el10"), rpm("Rocky Linux", "rocky", "8.10", "el8"),
            rpm("Rocky Linux", "rocky", "9.5", "el9"), rpm("Rocky Linux", "rocky", "10.0", "el10"),
            rpm("AlmaLinux", "almalinux", "8.10", "el8"), rpm("AlmaLinux", "almalinux", "9.6", "el9"),
            rpm("AlmaLinux", "almalinux", "10.0", "el10"),
        ] + [fedora, sles(""), sles("3"), sles("6"), flatcar, bottlerocket]

    /// Those that are not, because of their name or of their version.
    static let unknown: [Entry] = [
        entry("Amazon Linux AMI 2016.09", nil, name: "Amazon Linux AMI", id: "amzn", version: "2016.09"),
        entry("Amazon Linux 2027", nil, name: "Amazon Linux", id: "amzn", version: "2027"),
        entry("Debian GNU/Linux 10 (buster)", nil, name: "Debian GNU/Linux", id: "debian", version: "10"),
        entry("Debian GNU/Linux 14 (forky)", nil, name: "Debian GNU/Linux", id: "debian", version: "14"),
        entry("Ubuntu 18.04.6 LTS", nil, name: "Ubuntu", id: "ubuntu", version: "18.04"),
        entry("Ubuntu 28.04 LTS", nil, name: "Ubuntu", id: "ubuntu", version: "28.04"),
        entry("CentOS Linux 7 (Core)", nil, name: "CentOS Linux", id: "centos", version: "7", like: "rhel fedora"),
        entry("Red Hat Enterprise Linux Server 7.9", nil, name: "RHEL", id: "rhel", version: "7.9", like: "fedora"),
        entry("Rocky Linux 11.0", nil, name: "Rocky Linux", id: "rocky", version: "11.0"),
        entry("SUSE Linux Enterprise Server 12 SP5", nil, name: "SLES", id: "sles", version: "12.5"),
        entry("openSUSE Leap 15.6", nil, name: "openSUSE Leap", id: "opensuse-leap", version: "15.6", like: "suse"),
        Entry(
            title: "Debian GNU/Linux trixie/sid", row: nil,
            text: "PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n"),
        Entry(title: "Arch Linux", row: nil, text: "NAME=\"Arch Linux\"\nPRETTY_NAME=\"Arch Linux\"\nID=arch\n"),
    ]

    /// The text for one of them, by the beginning of its title.
    static func text(_ title: String) -> String { (known + unknown).first { $0.title.hasPrefix(title) }?.text ?? "" }
}
