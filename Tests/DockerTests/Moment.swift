import Laboratory

/// When it is asked who reaches what, in the order of a host's life here.
enum Moment: String, CaseIterable, Sendable {
    case before = "before anything"
    case applied = "applied, Docker running"
    case created = "`docker network create`"
    case restarted = "dockerd restarted"
    case liveRestore = "dockerd restarted, `--live-restore`"
    case withoutProxy = "dockerd restarted, `--userland-proxy=false`"
    case flushed = "`nft flush ruleset`, as by nftables.service"
    case firewalld = "iptables flushed, as by firewalld"
    case boot = "boot: applied before Docker starts"

    /// The networks in which there is a container by then.
    var networks: [Network] {
        self == .before || self == .applied ? [.bridge, .user, .host] : Network.allCases
    }
}

/// What others do to a host's rules.
enum Flush {
    /// What `ExecStop=` and the first line of Debian's /etc/nftables.conf do.
    static let nftables = "nft flush ruleset"

    /// What firewalld does when it starts: it empties the tables through the host's iptables, and makes its own in
    /// nf_tables, which here trusts Docker's bridges.
    static let firewalld = """
        for tool in iptables ip6tables; do
            for table in filter nat mangle raw; do
                $tool -t $table -F
                $tool -t $table -X
            done
            for chain in INPUT FORWARD OUTPUT; do $tool -P $chain ACCEPT; done
        done
        nft -f - <<'END'
        table inet firewalld
        delete table inet firewalld
        table inet firewalld {
            chain filter_INPUT {
                type filter hook input priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname "lo" accept
                meta l4proto ipv6-icmp accept
                reject with icmpx type admin-prohibited
            }
            chain filter_FORWARD {
                type filter hook forward priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname { "docker0", "br-*" } accept
                meta l4proto ipv6-icmp accept
                reject with icmpx type admin-prohibited
            }
        }
        END
        """

    /// Everything that a reboot takes away, while the engine is stopped. The files of Docker and of `/etc` stay.
    static let reboot = """
        nft flush ruleset
        for tool in iptables-legacy ip6tables-legacy; do
            for table in $(cat /proc/thread-self/net/${tool%tables*}_tables_names); do
                $tool -t $table -F
                $tool -t $table -X
                for chain in INPUT FORWARD OUTPUT; do
                    if [ $table = filter ]; then $tool -P $chain ACCEPT; fi
                done
            done
        done
        for link in $(ls /sys/class/net | grep -E '^(docker0|br-)'); do ip link delete $link; done
        sysctl -q -w net.ipv4.conf.all.route_localnet=0 net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
        """
}
