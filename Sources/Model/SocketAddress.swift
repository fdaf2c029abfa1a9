import Glibc

extension SystemCall {
    /// Connects to a port of a host.
    package static func connect(_ socket: CInt, to host: IPPrefix, port: UInt16) -> CInt {
        // Safe: an `IPPrefix` of a family has as many bytes as the field that they are copied to.
        switch host.family {
        case .ipv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &address.sin_addr) { unsafe $0.copyBytes(from: host.bytes) }
            return unsafe withPointer(to: address) { unsafe Glibc.connect(socket, $0, $1) }
        case .ipv6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0.copyBytes(from: host.bytes) }
            return unsafe withPointer(to: address) { unsafe Glibc.connect(socket, $0, $1) }
        }
    }

    /// Connects to a Unix socket; ENAMETOOLONG where no address can hold its path.
    package static func connect(_ socket: CInt, to path: String) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Safe: the path is copied where it is shorter than the field, which is zeroes behind it.
        let isShort = unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            guard path.utf8.count < bytes.count else { return false }
            unsafe bytes.copyBytes(from: path.utf8)
            return true
        }
        guard isShort else {
            errno = ENAMETOOLONG
            return -1
        }
        return unsafe withPointer(to: address) { unsafe Glibc.connect(socket, $0, $1) }
    }

    /// Sends bytes to an address that begins with its family, such as `struct sockaddr_ll`. The corresponding C
    /// function is `sendto`.
    package static func send(_ bytes: [UInt8], to socket: CInt, at address: some BitwiseCopyable) -> Int {
        // Safe: both lengths are those of what the pointers lead to.
        unsafe withPointer(to: address) { unsafe sendto(socket, bytes, bytes.count, 0, $0, $1) }
    }

    /// An address as calls take it, with its length.
    ///
    /// Safe: the pointer is there for the call, and leads to as many bytes as the length says. The kernel copies them,
    /// and refuses what is no address.
    private static func withPointer<Address, Value>(
        to address: Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
}
