import Model
import Testing

@testable import Planning

@Suite("Distributions")
struct DistributionTests {
    @Test("each one in the table is found by its os-release", arguments: OSReleases.known)
    func known(_ this: OSReleases.Entry) throws {
        let distribution = try #require(Distribution.find(osRelease: this.text))
        #expect(distribution.name == this.row)
        #expect(Distribution.title(osRelease: this.text) == this.title)
        #expect((distribution.initSystem == .upstart) == this.title.hasPrefix("Amazon Linux AMI"))
        #expect((distribution.refusal != nil) == this.title.hasPrefix("Bottlerocket"))
    }

    @Test("each row has a fixture, but for Windows, which has no os-release")
    func rows() {
        let found = Set(OSReleases.known.compactMap { Distribution.find(osRelease: $0.text) })
        #expect(found.count == Distribution.table.count - 1)
        #expect(Distribution.windows?.name == "Windows")
        #expect(Distribution.windows?.refusal?.contains("no netfilter") == true)
    }

    @Test("others, older and newer ones are in no row", arguments: OSReleases.unknown)
    func unknown(_ this: OSReleases.Entry) {
        #expect(Distribution.find(osRelease: this.text) == nil)
        #expect(Distribution.title(osRelease: this.text) == this.title)
    }

    @Test(
        "each comes with its own iptables",
        arguments: [
            ("Amazon Linux AMI 2018.03", BackendKind.iptables), ("Amazon Linux 2", .iptables),
            ("Amazon Linux 2023", .nftables), ("Debian GNU/Linux 12", .nftables), ("Ubuntu 20.04", .iptables),
            ("Ubuntu 22.04", .nftables), ("Red Hat Enterprise Linux 8.10", .nftables), ("Fedora", .nftables),
            ("SUSE Linux Enterprise Server 15 SP6", .iptables), ("Flatcar", nil),
        ] as [(String, BackendKind?)])
    func flavour(_ title: String, _ flavour: BackendKind?) {
        var facts = PersistenceFacts()
        facts.osRelease = OSReleases.text(title)
        #expect(facts.flavour == flavour)
        // Where the links lead tells more.
        facts.iptablesFlavour = .iptables
        #expect(facts.flavour == .iptables)
    }

    /// A text and the row that it belongs to.
    static let odd: [(String, String?)] = [
        ("", nil), ("\n\n", nil), ("ID=\nVERSION_ID=\n", nil), ("ID\n", nil), ("VERSION_ID=12\n", nil),
        ("ID=debian\nVERSION_ID=\n", nil), ("ID=debian\nVERSION_ID=twelve\n", nil), ("ID=Debian\nVERSION_ID=12\n", nil),
        ("ID=\"\nVERSION_ID=12\n", nil), ("#ID=debian\nVERSION_ID=12\n", nil),
        ("ID=debian\nVERSION_ID=12", "Debian"), ("VERSION_ID=12\nID=debian\n", "Debian"),
        ("ID='debian'\nVERSION_ID='12'\n", "Debian"), ("ID=debian\r\nVERSION_ID=\"12\"\r\n", "Debian"),
        ("ID=arch\nID=debian\nVERSION_ID=12\n", "Debian"), ("ID=debian\nVERSION_ID=12.7\n", "Debian"),
        ("# x\n\nID=debian\n\u{fffd}\nVERSION_ID=12\n", "Debian"), ("ID=fedora\n", "Fedora"),
        ("ID=ubuntu\nVERSION_ID=23.10\n", "Ubuntu"), ("ID=ubuntu\nVERSION_ID=26.10\n", nil),
        ("ID=amzn\nVERSION_ID=2023.6.20250123\n", "Amazon Linux 2023"),
        ("ID=debian\nVERSION_ID=99999999999999999999\n", nil), ("ID=debian\nVERSION_ID=-12\n", nil),
    ]

    @Test("odd texts are read as systemd reads them, and never guessed at", arguments: odd)
    func oddText(_ text: String, _ row: String?) {
        #expect(Distribution.find(osRelease: text)?.name == row)
    }

    @Test("a host without os-release is none, and is called so")
    func missing() {
        #expect(Distribution.find(osRelease: nil) == nil)
        #expect(Distribution.title(osRelease: nil) == "a host without os-release")
        #expect(Distribution.title(osRelease: "ID=x\nVERSION_ID=1\n") == "x 1")
        var facts = PersistenceFacts()
        facts.isWindows = true
        #expect(facts.distribution?.name == "Windows")
    }
}
