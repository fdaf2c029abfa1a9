import Glibc

/// An address and a port for a socket of either family.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private let length: socklen_t
    let family: CInt

    /// - Parameter address: a numeric IPv4 or IPv6 address.
    init(_ address: String, port: UInt16) throws {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        if unsafe inet_pton(AF_INET, address, &v4.sin_addr) == 1 {
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: v4, as: sockaddr_in.self) }
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            family = AF_INET
        } else if unsafe inet_pton(AF_INET6, address, &v6.sin6_addr) == 1 {
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: v6, as: sockaddr_in6.self) }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            family = AF_INET6
        } else {
            throw LaboratoryError("not an address: \(address)")
        }
    }

    /// Calls a socket function with the address. The C functions are `bind`, `connect` and `sendto`.
    func with<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        unsafe withUnsafeBytes(of: storage) { bytes in
            guard let start = bytes.baseAddress else { fatalError("an empty address") }
            return unsafe body(start.assumingMemoryBound(to: sockaddr.self), length)
        }
    }
}
