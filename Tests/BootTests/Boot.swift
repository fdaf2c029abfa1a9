import Glibc
import Guest
import Laboratory
import Testing

/// Tests of a host that its own init boots, one after the other: each wants both processors.
@Suite(.serialized, .enabled(if: getuid() == 0, "containers need root"))
enum BootedHost {}

/// What `Boot.reached` is before `apply`, and what it has to be after.
enum ReachedOutcomes {
    static let open = ["no answer", "answered by imds", "answered by imds"]
    static let closed = ["answered by agent", "no answer", "no answer"]
}

/// A boot of a guest in a network of its own: new namespaces, so that no rule and no kernel parameter of an earlier boot
/// is left.
struct Boot {
    let lab: Laboratory
    let guest: Guest.Running
    private let meter: TrafficMeter

    /// A container sends to the instance's metadata all the time.
    init(_ image: Guest) throws {
        lab = try Laboratory()
        // The agent is the guest's own. A kernel forwards nothing until it is told to, here by Docker.
        lab.agent.stop()
        try lab.host.writeSysctl("ipv4/ip_forward", "0")
        try lab.host.writeSysctl("ipv6/conf/all/forwarding", "0")
        try lab.vpc.require(["nft", "-f", "-"], input: Self.counters)
        meter = try TrafficMeter(
            in: lab.container, forbidden: [Laboratory.metadata, Laboratory.metadata6], asking: Laboratory.credentials,
            pause: 10_000)
        do {
            guest = try image.boot(in: lab.host)
        } catch {
            meter.stop()
            lab.stop()
            throw error
        }
    }

    /// The host's own packets, which may come, start at 64 (`IPDEFTTL` of `linux/ip.h`); forwarded ones were counted down.
    private static let counters = """
        table inet arrivals {
            counter imds {}
            chain input {
                type filter hook input priority -300
                ip daddr \(Laboratory.metadata) ip ttl < 64 counter name imds
                ip6 daddr \(Laboratory.metadata6) ip6 hoplimit < 64 counter name imds
            }
        }

        """

    /// How many of the container's packets came to the instance's metadata since the boot began.
    var arrivals: Int {
        get throws {
            let words = try lab.vpc.require(["nft", "list", "counter", "inet", "arrivals", "imds"]).split {
                $0.isWhitespace
            }
            let number = words.firstIndex(of: "packets").flatMap { Int(words[$0 + 1]) }
            return try #require(number)
        }
    }

    /// How many packets the container sent to it meanwhile.
    var attempts: Int { meter.packets }

    /// What a container behind a bridge gets, first for its own credentials, then for the instance's.
    func reached(from container: KeyPath<Laboratory, Namespace> = \.container) throws -> [Outcome] {
        let addresses = [Laboratory.credentials, Laboratory.metadata, Laboratory.metadata6]
        return try addresses.map { try lab[keyPath: container].reach($0, port: 80) }
    }

    /// The same, once the agent, which starts last, answers; at most ten seconds later.
    func settled() throws -> [Outcome] {
        for _ in 0..<50 {
            if try lab.host.reach("127.0.0.1", port: Laboratory.agentPort) == .answered("agent") { break }
            usleep(200_000)
        }
        return try reached()
    }

    /// Shuts the guest down, as before a reboot.
    func powerOff() throws {
        meter.stop()
        defer { lab.stop() }
        try guest.powerOff()
    }

    /// Ends everything at once.
    func stop() {
        meter.stop()
        guest.stop()
        lab.stop()
    }
}
