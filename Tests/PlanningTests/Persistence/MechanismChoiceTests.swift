import Model
import Testing

@testable import Planning

@Suite("What brings the rules back after a reboot")
struct MechanismChoiceTests {
    /// A host, what is asked for there, and what comes of it.
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let host: MemoryDisk.Host
        let enabled: Set<String>
        let requested: Mechanism?
        let backend: BackendKind
        let mechanism: Mechanism?
        /// The reason or the refusal, and the advice.
        let words: [String]

        init(
            _ title: String, _ host: MemoryDisk.Host, enabled: Set<String> = [], _ requested: Mechanism? = nil,
            _ backend: BackendKind = .iptables, gives mechanism: Mechanism?, _ words: String...
        ) {
            testDescription = title + (requested.map { ", --persist \($0.rawValue)" } ?? "") + ", \(backend.rawValue)"
            (self.host, self.enabled, self.requested, self.backend) = (host, enabled, requested, backend)
            (self.mechanism, self.words) = (mechanism, words)
        }

        func choose() throws(Failure) -> MechanismChoice {
            var disk = MemoryDisk()
            disk.enabled = enabled
            return try MechanismChoice.choose(requested: requested, facts: try disk.facts(host), backend: backend)
        }
    }

    private static let iptables: Set = ["iptables.service", "ip6tables.service"]
    private static let persistent: Set = ["netfilter-persistent.service"]

    private static func host(
        _ title: String, installed: Set<String> = [], _ change: (inout MemoryDisk.Host) -> Void = { _ in }
    ) -> MemoryDisk.Host {
        var host = MemoryDisk.Host(osRelease: OSReleases.text(title), installed: installed)
        change(&host)
        return host
    }

    private static let legacy = host("Amazon Linux AMI 2018.03", installed: ["iptables", "ip6tables"]) {
        ($0.hasSystemd, $0.managers) = (false, [.chkconfig])
    }
    private static let amazon2 = host("Amazon Linux 2", installed: iptables)
    private static let debian = host("Debian GNU/Linux 12", installed: persistent) { $0.flavour = .iptables }
    private static let container = host("Debian GNU/Linux 12", installed: persistent) {
        ($0.hasSystemd, $0.managers, $0.flavour) = (false, [], .iptables)
    }
    private static let arch = host("Arch Linux")

    static let chosen = [
        Case("legacy Amazon Linux", legacy, gives: .iptablesServices, "this is legacy Amazon Linux"),
        Case(
            "Amazon Linux 2 with iptables", amazon2, enabled: iptables, gives: .iptablesServices,
            "iptables.service is enabled already"),
        Case("Amazon Linux 2 with iptables not enabled", amazon2, gives: .systemd, "it has systemd"),
        Case("Amazon Linux 2 with iptables", amazon2, enabled: iptables, nil, .nftables, gives: .systemd),
        Case(
            "Debian with netfilter-persistent", debian, enabled: persistent, gives: .netfilterPersistent,
            "netfilter-persistent.service is enabled already"),
        Case("Debian with netfilter-persistent", debian, enabled: persistent, nil, .nftables, gives: .systemd),
        Case(
            "Debian whose iptables is nf_tables", host("Debian GNU/Linux 12", installed: persistent),
            enabled: persistent, gives: .systemd,
            "it has systemd; netfilter-persistent.service is enabled, but iptables-restore writes to nf_tables here, and the backend is the legacy interface: the rules would come back in the wrong place"
        ),
        Case("Debian", host("Debian GNU/Linux 12"), gives: .systemd, "it has systemd"),
        Case(
            "an unknown one", arch, gives: .systemd,
            "it has systemd; Arch Linux is not a distribution that this program knows"),
        Case(
            "one without a name", MemoryDisk.Host(), gives: .systemd,
            "it has systemd; a host without os-release is not a distribution that this program knows"),
        Case("Debian, asked for", debian, .netfilterPersistent, gives: .netfilterPersistent, "asked for by name"),
        Case("Amazon Linux 2, asked for", amazon2, .iptablesServices, gives: .iptablesServices, "asked for by name"),
        Case("Debian, asked for", debian, enabled: persistent, .systemd, gives: .systemd, "asked for by name"),
        Case("legacy Amazon Linux, asked for", legacy, .iptablesServices, gives: .iptablesServices),
        Case("anything", container, Mechanism.none, gives: Mechanism.none, "asked for by name"),
        // Enabled already, so nothing has to be started or enabled.
        Case("a container", container, enabled: persistent, gives: .netfilterPersistent),
    ]

    @Test("fits the host, or is what was asked for", arguments: chosen)
    func choice(_ this: Case) throws {
        let choice = try this.choose()
        #expect(choice.mechanism == this.mechanism)
        if let reason = this.words.first { #expect(choice.reason == reason) }
        #expect(choice.advice == nil)
    }

    static let nothing = [
        Case(
            "a container", container, gives: Mechanism.none,
            "systemd did not boot this machine (/run/systemd/system is missing), so ecs-netsetup.service cannot be enabled",
            "on the booted host: ecs-netsetup apply --persist systemd"),
        Case(
            "no systemctl", host("Debian GNU/Linux 12") { $0.managers = [] }, gives: Mechanism.none,
            "systemctl is not there to enable ecs-netsetup.service", "enable it by hand later"),
        Case(
            "legacy Amazon Linux", legacy, nil, .nftables, gives: Mechanism.none,
            "its rules files hold rules of iptables, and the backend is nftables", "--backend iptables"),
        Case(
            "legacy Amazon Linux without iptables", host("Amazon Linux AMI 2018.03") { $0.managers = [.chkconfig] },
            gives: Mechanism.none, "the service iptables is not installed", "install iptables, or"),
        Case(
            "legacy Amazon Linux without chkconfig",
            host("Amazon Linux AMI 2018.03", installed: ["iptables", "ip6tables"]) { $0.managers = [] },
            gives: Mechanism.none, "chkconfig is not there to enable iptables", "enable it by hand later"),
    ]

    @Test("an image in which nothing would bring the rules back is refused, by whatever name")
    func image() throws {
        let empty = Self.host("Debian GNU/Linux 12") { ($0.hasSystemd, $0.isImage) = (false, true) }
        let failure = try #require(throws: Failure.self) { try Case("", empty, gives: nil).choose() }
        #expect(failure.subject == "nothing would bring the rules back: there is no systemd in the image")
        #expect(failure.advice?.contains("is the image mounted there") == true)
    }

    @Test("is nothing where nothing can be, with what to do, when nobody asked by name", arguments: nothing)
    func noChoice(_ this: Case) throws {
        let choice = try this.choose()
        #expect(choice.mechanism == Mechanism.none)
        #expect(choice.reason == this.words[0])
        #expect(choice.advice?.contains(this.words[1]) == true, "\(choice.advice ?? "nothing")")
        var disk = MemoryDisk()
        disk.enabled = this.enabled
        let notes = try disk.plan(Wish(settings: settings([.host]), backend: this.backend), this.host).notes
        #expect(
            notes.contains { $0.hasPrefix("nothing brings the rules back after a reboot: \(this.words[0]); ") })
    }

    static let refused = [
        Case(
            "a container", container, .systemd, gives: nil, "systemd did not boot this machine",
            "later, on the booted host"),
        Case("a container", container, .netfilterPersistent, gives: nil, "systemd did not boot this machine"),
        Case(
            "an image without systemd",
            host("Amazon Linux 2", installed: iptables) {
                ($0.hasSystemd, $0.isImage) = (false, true)
            }, .iptablesServices, gives: nil, "there is no systemd in the image"),
        Case(
            "legacy Amazon Linux", legacy, .systemd, gives: nil, "legacy Amazon Linux has no systemd",
            "use --persist iptables-services"),
        Case(
            "legacy Amazon Linux", legacy, .netfilterPersistent, gives: nil,
            "the service netfilter-persistent.service is not installed"),
        Case(
            "Debian", debian, .iptablesServices, gives: nil, "the service iptables.service is not installed",
            "install iptables-services, or use another mechanism"),
        Case(
            "Amazon Linux 2 without ip6tables", host("Amazon Linux 2", installed: ["iptables.service"]),
            .iptablesServices, gives: nil, "the service ip6tables.service is not installed"),
        Case(
            "Arch", arch, .netfilterPersistent, gives: nil, "the service netfilter-persistent.service is not installed",
            "install netfilter-persistent and iptables-persistent"),
        Case(
            "Amazon Linux 2023", host("Amazon Linux 2023", installed: iptables), .iptablesServices, gives: nil,
            "iptables-restore writes to nf_tables here", "switch the host's iptables to the legacy one"),
        Case(
            "Debian", debian, enabled: persistent, .netfilterPersistent, .nftables, gives: nil,
            "its rules files hold rules of iptables, and the backend is nftables", "use --persist systemd"),
        Case(
            "no systemctl", host("Amazon Linux 2", installed: iptables) { $0.managers = [] }, .iptablesServices,
            gives: nil, "systemctl is not there to enable iptables.service", "install it"),
    ]

    @Test("is refused by name where it cannot be, with the reason and what to do", arguments: refused)
    func refusal(_ this: Case) throws {
        let failure = try #require(throws: Failure.self) { try this.choose() }
        #expect(failure.kind == .trouble)
        let requested = try #require(this.requested)
        #expect(failure.subject.hasPrefix("cannot persist with \(requested.rawValue): \(this.words[0])"), "\(failure)")
        if this.words.count > 1 { #expect(failure.advice?.contains(this.words[1]) == true, "\(failure)") }
    }

    @Test("with systemd on an unknown distribution, the plan says so")
    func unknownDistribution() throws {
        let wish = Wish(settings: settings([.host]), backend: .nftables)
        let note = "persisted with systemd: it has systemd; Arch Linux is not a distribution that this program knows"
        #expect(try MemoryDisk().plan(wish, Self.arch).notes == [note])
        #expect(try MemoryDisk().plan(wish, Self.host("Debian GNU/Linux 12")).notes.isEmpty)
    }
}
