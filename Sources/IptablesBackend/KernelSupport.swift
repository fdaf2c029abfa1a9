import CLibiptc
import Glibc
import Model

/// What the running kernel's legacy interface can do.
enum KernelSupport {
    /// The highest revision of DNAT that the kernel knows and this program writes. The corresponding socket option is
    /// `IPT_SO_GET_REVISION_TARGET` (`linux/netfilter_ipv4/ip_tables.h`).
    static func dnatRevision() -> DnatRevision {
        let raw = socket(AF_INET, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), CInt(IPPROTO_RAW))
        guard raw >= 0 else { return .range2 }
        defer { close(raw) }
        // struct xt_get_revision: the name, then the revision asked for.
        var request = Array("DNAT".utf8)
        request +=
            [UInt8](repeating: 0, count: ExtensionHeader.nameSize - request.count) + [DnatRevision.range2.rawValue]
        let answer = SystemCall.get(CInt(IPT_BASE_CTL + 3), at: CInt(IPPROTO_IP), of: raw, into: &request)
        return answer < 0 && errno == EPROTONOSUPPORT ? .ranges : .range2
    }

    /// Loads the kernel module of a family, as the stock tools do: unlike nf_tables, it does not come by itself.
    ///
    /// Runs `/sbin/modprobe` with fixed arguments and waits for it.
    static func loadModule(_ family: AddressFamily) {
        let module = family == .ipv4 ? "ip_tables" : "ip6_tables"
        let (child, number) = SystemCall.spawn(
            "/sbin/modprobe", ["modprobe", "-q", module], environment: [], output: nil)
        guard number == 0 else { return }
        while waitpid(child, nil, 0) < 0, errno == EINTR {}
    }
}
