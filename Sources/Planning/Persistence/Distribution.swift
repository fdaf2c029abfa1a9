package import Model

/// A distribution, as far as persistence needs to know it.
package struct Distribution: Hashable, Sendable {
    /// The first process, which decides how services start.
    package enum Init: Sendable {
        case systemd
        /// Upstart with SysV scripts.
        case upstart
    }

    /// What to call it.
    package let name: String
    /// `ID` of os-release(5).
    let identifiers: [String]
    /// The least and the greatest `VERSION_ID`, as far as they are written out; nil for any.
    let versions: ClosedRange<Version>?
    package let initSystem: Init
    /// The kernel interface of the `iptables` that comes with it; nil where unknown. Its own links count more.
    package let iptablesFlavour: BackendKind?
    /// Why it is refused; nil where it is not.
    package let refusal: String?

    /// To add a distribution: a row here, and a fixture in `Tests/PlanningTests/Fixtures`.
    ///
    /// Sources: the os-release files of the images; Amazon's "Configuring IAM roles for tasks" for the first two rows.
    static let table = [
        Distribution(
            "legacy Amazon Linux", ["amzn"], "2017.09"..."2018.03", init: .upstart, iptables: .iptables),
        Distribution("Amazon Linux 2", ["amzn"], "2"..."2", iptables: .iptables),
        Distribution("Amazon Linux 2023", ["amzn"], "2023"..."2023", iptables: .nftables),
        Distribution("Debian", ["debian"], "11"..."13", iptables: .nftables),
        Distribution("Ubuntu", ["ubuntu"], "20.04"..."20.04", iptables: .iptables),
        Distribution("Ubuntu", ["ubuntu"], "20.10"..."26.04", iptables: .nftables),
        Distribution("RHEL family", ["rhel", "rocky", "almalinux"], "8"..."10", iptables: .nftables),
        Distribution("Fedora", ["fedora"], nil, iptables: .nftables),
        Distribution("SUSE Linux Enterprise", ["sles"], "15"..."15", iptables: .iptables),
        Distribution("Flatcar", ["flatcar"], nil, iptables: nil),
        Distribution(
            "Bottlerocket", ["bottlerocket"], nil, iptables: nil,
            refusal: "its root file system is read-only, and it sets the same rules itself before the agent starts"),
        Distribution(
            "Windows", ["windows"], nil, iptables: nil,
            refusal: "its network has no netfilter; the agent's own setup script does what is needed there"),
    ]

    private init(
        _ name: String, _ identifiers: [String], _ versions: ClosedRange<Version>?, init initSystem: Init = .systemd,
        iptables: BackendKind?, refusal: String? = nil
    ) {
        self.name = name
        self.identifiers = identifiers
        self.versions = versions
        self.initSystem = initSystem
        iptablesFlavour = iptables
        self.refusal = refusal
    }

    /// The row for an os-release file; nil where there is none for it.
    package static func find(osRelease text: String?) -> Distribution? {
        guard let text else { return nil }
        let (identifier, version) = (value("ID", in: text), value("VERSION_ID", in: text))
        return table.first { row in
            row.identifiers.contains(identifier)
                && row.versions.map { range in
                    let version = Version(version)
                    return range.lowerBound <= version && version.prefix(of: range.upperBound) <= range.upperBound
                } ?? true
        }
    }

    /// The row for an image of Windows, which has no os-release.
    package static var windows: Distribution? { table.first { $0.identifiers == ["windows"] } }

    /// What an os-release file calls the distribution.
    package static func title(osRelease text: String?) -> String {
        guard let text else { return "a host without os-release" }
        let title = value("PRETTY_NAME", in: text)
        let parts = title.isEmpty ? [value("ID", in: text), value("VERSION_ID", in: text)] : [title]
        let name = parts.filter { !$0.isEmpty }.joined(separator: " ")
        return name.isEmpty ? "a host whose os-release names no distribution" : name
    }

    /// A variable of an os-release file, without its quotes.
    private static func value(_ key: String, in text: String) -> String {
        let value = AssignmentFile(Array(text.utf8)).last(key)?.value ?? ""
        guard let quote = value.first, quote == "\"" || quote == "'", value.count > 1, value.last == quote else {
            return value
        }
        return String(value.dropFirst().dropLast())
    }
}

/// A version in numbers: `22.04`.
struct Version: Comparable, Hashable, Sendable, ExpressibleByStringLiteral {
    private let numbers: [Int]

    init(_ text: String) { numbers = text.split(separator: ".").map { Int($0) ?? 0 } }

    init(stringLiteral text: String) { self.init(text) }

    private init(numbers: [Int]) { self.numbers = numbers }

    /// Only as many numbers as another has, so that 9.4 is within 8 to 9.
    func prefix(of other: Version) -> Version { Version(numbers: Array(numbers.prefix(other.numbers.count))) }

    static func < (a: Version, b: Version) -> Bool { a.numbers.lexicographicallyPrecedes(b.numbers) }
}
