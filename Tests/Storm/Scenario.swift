import Laboratory

/// Who else writes while `apply` runs again and again.
struct Scenario: Sendable {
    let title: String
    let backend: String
    let writers: [Writer]
    /// Whether a second ecs-netsetup applies other settings and removes everything.
    var hasRival = false
    /// Whether others delete everybody's rules, and with them the guard.
    var losesGuard = false
    var holder: Holder?
    /// What `--persist` says.
    var persistence = "none"
    /// The seconds of `--wait`.
    var wait = 10

    /// Somebody who has a lock until told to stop.
    struct Holder: Sendable {
        let file: String
        /// Whether nobody else gets it in between.
        let isGreedy: Bool

        func start(on host: Namespace) throws -> RunningProgram {
            let wait = "while [ ! -e \(Writer.stop) ]; do sleep 0.05; done"
            let script =
                isGreedy
                ? "flock \(file) sh -c '\(wait)'"
                : "while [ ! -e \(Writer.stop) ]; do flock \(file) sleep 0.2; sleep 0.05; done"
            let program = try host.start(["timeout", "-s", "KILL", "600", "sh", "-c", script])
            while try host.execute(["flock", "-n", file, "true"]).status == 0 {}
            return program
        }
    }

    /// The scenarios of one backend.
    ///
    /// - Parameter docker: what a restart of Docker leaves by itself.
    static func all(_ backend: String, docker: [String]) -> [Scenario] {
        let isLegacy = backend == "iptables"
        let lock = isLegacy ? "/run/xtables.lock" : "/run/ecs-netsetup.lock"
        let everybody: [Writer] = [
            .appending("iptables-legacy", table: "mangle", chain: "FORWARD", number: 1),
            .appending("iptables-legacy", table: "nat", chain: "PREROUTING", number: 2),
            .appending("ip6tables-legacy", table: "filter", chain: "INPUT", number: 3),
            .appending("iptables-nft", table: "filter", chain: "INPUT", number: 4),
            .appending("ip6tables-nft", table: "mangle", chain: "FORWARD", number: 5),
            .nft(number: 6), .docker(isLegacy ? "legacy" : "nft", leaving: docker),
        ]
        let alone = Scenario(title: "stock tools, Docker's restarts", backend: backend, writers: everybody)
        let rivals = Scenario(
            title: "the same, and a second ecs-netsetup that applies and removes", backend: backend, writers: everybody,
            hasRival: true)
        let flush = Scenario(
            title: isLegacy ? "`iptables-legacy -F` of all tables" : "`nft flush ruleset`", backend: backend,
            writers: [.flushing(backend)], losesGuard: true)
        let locks = [
            Scenario(
                title: "a lock that others take for moments", backend: backend, writers: [],
                holder: Holder(file: lock, isGreedy: false)),
            Scenario(
                title: "a lock that is never free", backend: backend, writers: [],
                holder: Holder(file: lock, isGreedy: true), wait: 1),
        ]
        let files = Scenario(
            title:
                "lines that others add to `ecs.config` and the settings, and a second ecs-netsetup that applies and removes",
            backend: backend,
            writers: [
                .adding("WRITER_LINE_$i=1", to: "/etc/ecs/ecs.config"),
                .adding("# WRITER_LINE_$i=1", to: "/etc/ecs-netsetup.conf"),
            ], hasRival: true, persistence: "systemd")
        return [alone, rivals, flush] + locks + [files] + (isLegacy ? [lockless] : [])
    }

    /// The kernel refuses what was made for a table with another number of rules (`xt_table_info.number`, `do_replace` of
    /// `ip_tables.c`), and tells no other change apart. So this writer only adds: one that adds one and deletes another
    /// may lose to anybody, and others to it, which is what the lock is for.
    private static let lockless = Scenario(
        title: "an iptables that does not know the lock", backend: "iptables",
        writers: [
            .appending(
                "iptables-legacy", table: "mangle", chain: "FORWARD", number: 7,
                environment: "XTABLES_LOCKFILE=/run/lock-of-its-own", deletes: false)
        ])
}
