import Testing

/// A host's rules, made by the stock tools.
struct Corpus: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the stock tool of either flavour restores.
    var ipv4 = ""
    var ipv6 = ""
    /// What nft takes.
    var nft = ""
}

/// Rules as hosts have them, spelled for this test after what the programs are known to make.
enum Corpora {
    static let all: [Corpus] = [
        Corpus(testDescription: "nothing"),
        Corpus(testDescription: "Docker", ipv4: docker),
        Corpus(testDescription: "Kubernetes", ipv4: kubernetes, ipv6: kubernetesFirewall),
        Corpus(testDescription: "firewalld", nft: firewalld),
        Corpus(testDescription: "ufw", ipv4: ufw("ufw"), ipv6: ufw6),
        Corpus(testDescription: "5,000 rules", ipv4: many),
        Corpus(testDescription: "odd comments", ipv4: odd, nft: oddComments),
        Corpus(testDescription: "sets, maps, objects, flowtables and meters", nft: objects),
    ]

    private static let docker = """
        *nat
        :DOCKER - [0:0]
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
        -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
        -A DOCKER -i docker0 -j RETURN
        -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
        COMMIT
        *filter
        :FORWARD DROP [0:0]
        :DOCKER - [0:0]
        :DOCKER-ISOLATION-STAGE-1 - [0:0]
        :DOCKER-ISOLATION-STAGE-2 - [0:0]
        :DOCKER-USER - [0:0]
        -A FORWARD -j DOCKER-USER
        -A FORWARD -j DOCKER-ISOLATION-STAGE-1
        -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A FORWARD -o docker0 -j DOCKER
        -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
        -A FORWARD -i docker0 -o docker0 -j ACCEPT
        -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
        -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
        -A DOCKER-ISOLATION-STAGE-1 -j RETURN
        -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
        -A DOCKER-ISOLATION-STAGE-2 -j RETURN
        -A DOCKER-USER -j RETURN
        COMMIT

        """

    private static let kubernetes = """
        *nat
        :KUBE-MARK-MASQ - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-POSTROUTING - [0:0]
        :KUBE-SEP-AAAA - [0:0]
        :KUBE-SEP-BBBB - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-CCCC - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
        -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
        -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
        -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
        -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE
        -A KUBE-SEP-AAAA -p tcp -m comment --comment "default/kubernetes:https" -m tcp -j DNAT --to-destination 10.0.0.5:6443
        -A KUBE-SEP-BBBB -p tcp -m comment --comment "default/kubernetes:https" -m tcp -j DNAT --to-destination 10.0.0.6:6443
        -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-CCCC
        -A KUBE-SERVICES -m comment --comment "service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        -A KUBE-SVC-CCCC ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-MARK-MASQ
        -A KUBE-SVC-CCCC -m statistic --mode random --probability 0.5 -j KUBE-SEP-AAAA
        -A KUBE-SVC-CCCC -j KUBE-SEP-BBBB
        COMMIT

        """ + kubernetesFirewall

    private static let kubernetesFirewall = """
        *filter
        :KUBE-FIREWALL - [0:0]
        :KUBE-FORWARD - [0:0]
        -A INPUT -j KUBE-FIREWALL
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        -A OUTPUT -j KUBE-FIREWALL
        -A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
        -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
        -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
        -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        COMMIT

        """

    private static let firewalld = """
        table inet firewalld {
            ct helper helper-ftp-tcp {
                type "ftp" protocol tcp
                l3proto inet
            }
            chain mangle_PREROUTING {
                type filter hook prerouting priority mangle + 10; policy accept;
                jump mangle_PREROUTING_ZONES
            }
            chain mangle_PREROUTING_ZONES {
                iifname "eth0" goto filter_IN_public
                return
            }
            chain nat_PREROUTING {
                type nat hook prerouting priority dstnat + 10; policy accept;
                iifname vmap { "docker0" : jump filter_IN_public, "eth0" : goto filter_IN_public }
            }
            chain filter_INPUT {
                type filter hook input priority filter + 10; policy drop;
                ct state vmap { established : accept, related : accept, invalid : drop }
                ct status dnat accept
                iifname "lo" accept
                jump filter_IN_public
                reject with icmpx admin-prohibited
            }
            chain filter_FORWARD {
                type filter hook forward priority filter + 10; policy accept;
                ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24 } reject with icmpv6 addr-unreachable
                ct state { established, related } accept
            }
            chain filter_IN_public {
                tcp dport 22 accept
                tcp dport 21 ct helper set "helper-ftp-tcp"
                ip6 daddr fe80::/64 udp dport 546 accept
                meta l4proto { icmp, ipv6-icmp } accept
                fib saddr . mark . iif oif missing drop
            }
        }

        """

    /// Not every kernel has these matches for IPv6.
    private static let ufw6 =
        ufw("ufw6").split(separator: "\n").filter {
            !$0.contains("-m recent") && !$0.contains("-m addrtype")
        }.joined(separator: "\n") + "\n"

    private static func ufw(_ name: String) -> String {
        """
        *filter
        :INPUT DROP [0:0]
        :FORWARD DROP [0:0]
        :\(name)-after-input - [0:0]
        :\(name)-before-input - [0:0]
        :\(name)-before-logging-input - [0:0]
        :\(name)-not-local - [0:0]
        :\(name)-skip-to-policy-input - [0:0]
        :\(name)-user-input - [0:0]
        :\(name)-user-limit - [0:0]
        -A INPUT -j \(name)-before-logging-input
        -A INPUT -j \(name)-before-input
        -A INPUT -j \(name)-after-input
        -A \(name)-after-input -p udp -m udp --dport 137 -j \(name)-skip-to-policy-input
        -A \(name)-after-input -m addrtype --dst-type BROADCAST -j \(name)-skip-to-policy-input
        -A \(name)-before-input -i lo -j ACCEPT
        -A \(name)-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A \(name)-before-input -m conntrack --ctstate INVALID -j DROP
        -A \(name)-before-input -j \(name)-not-local
        -A \(name)-before-input -j \(name)-user-input
        -A \(name)-before-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
        -A \(name)-not-local -m addrtype --dst-type LOCAL -j RETURN
        -A \(name)-skip-to-policy-input -j DROP
        -A \(name)-user-input -p tcp -m multiport --dports 80,443 -m comment --comment "'dapp_Nginx%20Full'" -j ACCEPT
        -A \(name)-user-input -p tcp -m tcp --dport 22 -m recent --set --name DEFAULT
        -A \(name)-user-input -p tcp -m tcp --dport 22 -m recent --update --seconds 30 --hitcount 6 --name DEFAULT -j \(name)-user-limit
        -A \(name)-user-limit -j REJECT
        COMMIT

        """
    }

    private static let many =
        "*filter\n:MANY - [0:0]\n-A FORWARD -j MANY\n"
        + (0..<5000).map { "-A MANY -s 10.\($0 / 256).\($0 % 256).0/24 -p tcp -m tcp --dport \($0 + 1) -j DROP\n" }
        .joined() + "COMMIT\n"

    private static let odd = #"""
        *filter
        -A INPUT -m comment --comment "not ecs-netsetup: x" -j ACCEPT
        -A INPUT -m comment --comment "say \"ecs-netsetup: \\ \" -j DROP" -j ACCEPT
        -A INPUT -m comment --comment "grüße 🐳 ecs-netsetup: y" -j ACCEPT
        -A INPUT -m comment --comment -m -j ACCEPT
        -A INPUT -m comment --comment "'" -m comment --comment "ecs-netsetup: second" -j ACCEPT
        -A INPUT -m comment --comment "COMMIT" -j ACCEPT
        -A INPUT -m comment --comment "*nat" -j ACCEPT
        -A INPUT -j LOG --log-prefix "ecs-netsetup: z"
        COMMIT

        """#

    private static let oddComments = #"""
        table inet odd {
            chain input {
                type filter hook input priority 5; policy accept;
                counter comment "not ecs-netsetup: x"
                counter comment "ecs-netsetup: in somebody's table"
                counter comment "back \\ slash, grüße 🐳 {[,]}"
                log prefix "}]}, {\\"
            }
        }
        table bridge ecs-netsetup {
            chain x { type filter hook forward priority 0; }
        }
        """#

    private static let objects = """
        table inet objects {
            set addresses { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.1-192.168.0.9 } }
            set pairs { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 80 } }
            set seen { type ipv4_addr; size 100; flags dynamic, timeout; timeout 1m; }
            map ports { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1 } }
            map verdicts { type ipv4_addr : verdict; elements = { 10.0.0.1 : drop } }
            counter visits { packets 0 bytes 0 }
            quota much { over 10 mbytes }
            limit seldom { rate 1/second }
            chain input {
                type filter hook input priority 0; policy drop;
                ip saddr @addresses counter name visits accept
                ip saddr . tcp dport @pairs accept
                tcp dport 22 ct state new add @seen { ip saddr limit rate 3/minute } accept
                ip saddr vmap @verdicts
                limit name seldom accept
                quota name much drop
                meter flood { ip saddr limit rate over 5/second } drop
                ct count over 5 drop
                meta mark and 0xff00 == 0x100 accept
                tcp flags & (fin|syn|rst|ack) == syn accept
                ip dscp set cs1
                numgen random mod 2 == 0 accept
                @th,16,16 80 drop
                meta skuid 0 meta cpu 1 meta length 5-9 accept
                exthdr frag exists drop
                rt ip nexthop 10.0.0.1 drop
                socket transparent 1 accept
                meta day "Monday" accept
            }
            chain forward {
                type filter hook forward priority 0; policy accept;
                ip protocol tcp tcp option maxseg size set rt mtu
            }
            chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                dnat ip to tcp dport map @ports
                tcp dport 81 redirect to :8081-8089 random
            }
            chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                masquerade random
            }
        }
        table netdev ingress {
            chain lo { type filter hook ingress device "lo" priority 0; policy accept; }
        }
        table arp filter {
            chain input { type filter hook input priority 0; policy drop; arp operation request accept; }
        }
        """
}
