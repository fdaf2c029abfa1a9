/// What the Docker engine does to the rules when it starts again: its chains are made anew, and its jumps put first.
enum DockerRestart {
    /// A shell script for one flavour of the stock tools. Docker 20.10's `iptables.go` and `setup_ip_tables.go` run the same
    /// commands in this order.
    static func script(_ flavour: String) -> String {
        """
        i4() { iptables-\(flavour) -w "$@"; }
        i6() { ip6tables-\(flavour) -w "$@"; }
        absent() { i4 "$@" 2>/dev/null || :; }
        again() { table=$1 chain=$2; shift 2; i4 -t $table -C $chain "$@" 2>/dev/null || i4 -t $table -A $chain "$@"; }
        first() { absent -D FORWARD "$@"; i4 -I FORWARD "$@"; }
        absent -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        absent -t nat -D OUTPUT -m addrtype --dst-type LOCAL ! --dst 127.0.0.0/8 -j DOCKER
        for chain in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
            absent -D FORWARD -j $chain
            absent -D FORWARD -o docker0 -j $chain
            absent -F $chain
            absent -X $chain
        done
        absent -t nat -F DOCKER
        absent -t nat -X DOCKER
        i4 -t nat -N DOCKER
        i4 -N DOCKER
        i4 -N DOCKER-ISOLATION-STAGE-1
        i4 -N DOCKER-ISOLATION-STAGE-2
        i4 -A DOCKER-ISOLATION-STAGE-1 -j RETURN
        i4 -A DOCKER-ISOLATION-STAGE-2 -j RETURN
        again nat POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
        i4 -t nat -A DOCKER -i docker0 -j RETURN
        again filter FORWARD -i docker0 -o docker0 -j ACCEPT
        again filter FORWARD -i docker0 ! -o docker0 -j ACCEPT
        i4 -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        i4 -t nat -A OUTPUT -m addrtype --dst-type LOCAL ! --dst 127.0.0.0/8 -j DOCKER
        first -o docker0 -j DOCKER
        first -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        first -j DOCKER-ISOLATION-STAGE-1
        i4 -I DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
        i4 -I DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
        i4 -N DOCKER-USER 2>/dev/null || :
        i4 -C DOCKER-USER -j RETURN 2>/dev/null || i4 -A DOCKER-USER -j RETURN
        first -j DOCKER-USER
        i6 -C FORWARD -i docker0 ! -o docker0 -j ACCEPT 2>/dev/null || i6 -A FORWARD -i docker0 ! -o docker0 -j ACCEPT

        """
    }
}
