import CLibmnl
import Glibc
import Model

/// A netlink socket to rtnetlink of the network namespace in which it was opened, whichever thread uses it later. Closed
/// when it goes out of scope. The corresponding C type is `struct mnl_socket`.
///
/// Safe: the socket is `mnl_socket_open2`'s and not null. Nobody else has it, as it is private in a value that cannot
/// be copied; it is closed once, in `deinit`. libmnl reads and writes as many bytes as it is told, which is the arrays'
/// length.
@safe struct RouteSocket: ~Copyable {
    private let socket: OpaquePointer

    /// Opens a socket. The corresponding C functions are `mnl_socket_open2` and `mnl_socket_bind`.
    init() throws(Failure) {
        guard let opened = unsafe mnl_socket_open2(NETLINK_ROUTE, CInt(SOCK_CLOEXEC.rawValue)) else {
            throw .system("cannot open a netlink socket to rtnetlink", source: "mnl_socket_open2", errno: errno)
        }
        guard unsafe mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
            let number = errno
            _ = unsafe mnl_socket_close(opened)
            throw .system("cannot bind a netlink socket", source: "mnl_socket_bind", errno: number)
        }
        unsafe socket = opened
    }

    deinit { _ = unsafe mnl_socket_close(socket) }

    /// Sends a request that changes something, and waits for its acknowledgement.
    ///
    /// - Parameter subject: what it asks for: "add an address".
    func perform(_ request: RouteRequest, _ subject: String) throws(Failure) {
        _ = try ask(request, subject)
    }

    /// Sends a request with `NLM_F_DUMP`, and reads every message of the answer.
    func dump(_ request: RouteRequest, _ subject: String) throws(Failure) -> [RouteMessage] {
        try ask(request, subject)
    }

    private func ask(_ request: RouteRequest, _ subject: String) throws(Failure) -> [RouteMessage] {
        guard unsafe mnl_socket_sendto(socket, request.bytes, request.bytes.count) == request.bytes.count else {
            throw .system("cannot \(subject)", source: "mnl_socket_sendto", errno: errno)
        }
        var messages: [RouteMessage] = []
        while true {
            var rest = try receive(subject)[...]
            while rest.count >= Self.headSize {
                let length = Int(Native.number(rest, 0) as UInt32)
                guard length >= Self.headSize, length <= rest.count else { break }
                let message = RouteMessage(
                    type: Native.number(rest, 4), payload: rest.dropFirst(Self.headSize).prefix(length - Self.headSize))
                switch CInt(message.type) {
                case NLMSG_DONE: return messages
                case NLMSG_ERROR:
                    let number = -CInt(bitPattern: Native.number(message.payload, 0) as UInt32)
                    if number == 0 { return messages }
                    throw .system("cannot \(subject)", source: "netlink", errno: number)
                default: messages.append(message)
                }
                rest = rest.dropFirst((length + 3) & ~3)
            }
        }
    }

    /// `NLMSG_HDRLEN`.
    private static let headSize = 16
    /// Dumps use up to 32 KiB (`linux/netlink.h`, "NLMSG_GOODSIZE", and af_netlink's `max_recvmsg_len`).
    private static let bufferSize = 64 * 1024

    private func receive(_ subject: String) throws(Failure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Self.bufferSize)
        while true {
            let count = unsafe mnl_socket_recvfrom(socket, &buffer, buffer.count)
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno != EINTR {
                throw .system("cannot \(subject)", source: "mnl_socket_recvfrom", errno: errno)
            }
        }
    }
}
