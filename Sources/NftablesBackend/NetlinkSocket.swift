import CLibmnl
import Glibc
import Model

/// A netlink socket to netfilter, closed when it goes out of scope. The corresponding C type is `struct mnl_socket`.
///
/// Safe: the socket is `mnl_socket_open2`'s and not null. Nobody else has it, as it is private in a value that cannot
/// be copied; it is closed once, in `deinit`. libmnl reads and writes as many bytes as it is told, which is the arrays'
/// length and the buffer's.
@safe struct NetlinkSocket: ~Copyable {
    private let socket: OpaquePointer

    /// Opens a socket. The corresponding C functions are `mnl_socket_open2` and `mnl_socket_bind`.
    ///
    /// - Throws: `Failure`, of kind `.unsupported` where the kernel has no netfilter netlink.
    init() throws(Failure) {
        // Non-blocking, because the kernel has queued every answer by the time that sending returns.
        guard
            let opened = unsafe mnl_socket_open2(
                NETLINK_NETFILTER, CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
        else {
            throw .system(
                "cannot open a netlink socket to nf_tables", source: "mnl_socket_open2", errno: errno,
                kind: errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? .unsupported : .trouble)
        }
        guard unsafe mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
            let number = errno
            _ = unsafe mnl_socket_close(opened)
            throw .system("cannot bind a netlink socket", source: "mnl_socket_bind", errno: number)
        }
        unsafe socket = opened
    }

    deinit { _ = unsafe mnl_socket_close(socket) }

    /// What fits into a socket's send buffer as the kernel sets it up (`net.core.wmem_default`, 208 KiB), with its own
    /// bookkeeping.
    private static let usualSize = 64 * 1024

    /// Makes the receive buffer large enough for so many acknowledgements, each of which takes the kernel some 800
    /// bytes. Where that is not allowed, answers may be lost, and the loss is told.
    func makeRoom(answers: Int) {
        guard answers > 128 else { return }
        let size = CInt(clamping: 2048 * answers)
        _ = SystemCall.set(SO_RCVBUFFORCE, of: unsafe mnl_socket_get_fd(socket), to: size)
    }

    /// Joins a multicast group (`NFNLGRP_*`), whose messages then arrive here too. The corresponding C function is
    /// `mnl_socket_setsockopt` with `NETLINK_ADD_MEMBERSHIP`.
    func subscribe(to group: UInt32) throws(Failure) {
        var group = CInt(bitPattern: group)
        guard
            unsafe mnl_socket_setsockopt(
                socket, NETLINK_ADD_MEMBERSHIP, &group, socklen_t(MemoryLayout<CInt>.size)) == 0
        else { throw .system("cannot listen to nf_tables", source: "mnl_socket_setsockopt", errno: errno) }
    }

    /// Sends one or more whole messages. The corresponding C function is `mnl_socket_sendto`.
    func send(_ bytes: [UInt8]) throws(Failure) {
        if bytes.count > Self.usualSize {
            // A batch is one message; sending tells if this was not allowed.
            let size = CInt(clamping: 2 * bytes.count)
            _ = SystemCall.set(SO_SNDBUFFORCE, of: unsafe mnl_socket_get_fd(socket), to: size)
        }
        guard unsafe mnl_socket_sendto(socket, bytes, bytes.count) == bytes.count else {
            throw .system("cannot send to nf_tables", source: "mnl_socket_sendto", errno: errno)
        }
    }

    /// Receives the next datagram; nil when no more is queued. The corresponding C function is `mnl_socket_recvfrom`.
    ///
    /// - Throws: `Failure` of kind `.outcomeUnknown` when the kernel had to drop answers.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int? {
        while true {
            let count = unsafe mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
            if count > 0 { return count }
            switch errno {
            case EAGAIN: return nil
            case EINTR: continue
            case let number:
                throw .system(
                    "cannot read the answer of nf_tables", source: "mnl_socket_recvfrom", errno: number,
                    kind: number == ENOBUFS ? .outcomeUnknown : .trouble)
            }
        }
    }
}

/// A message of nf_tables, lent while it is in the socket's buffer. The corresponding C type is `struct nlmsghdr`.
///
/// Safe: it is made of a whole message, one for which `mnl_nlmsg_ok` holds, and lent for a call (`receiveAll`); it
/// cannot be copied, so that nobody keeps it.
@safe struct ReceivedMessage: ~Copyable {
    /// For libnftnl, which looks for attributes up to the message's length and no further.
    @unsafe let header: UnsafePointer<nlmsghdr>

    @unsafe init(lent header: UnsafePointer<nlmsghdr>) { unsafe self.header = header }

    /// The text of an attribute, which follows a fixed part of this size; nil where there is none.
    func text(_ attribute: UInt16, after size: Int) -> String? {
        var text: String?
        // Safe: `mnl_attr_ok` holds where a whole attribute is in what is left of the message, be that less than
        // nothing. The kernel writes texts with their NUL (`nla_put_string`); one without is passed by.
        var next = unsafe mnl_nlmsg_get_payload_offset(header, size)?.assumingMemoryBound(to: nlattr.self)
        let end = unsafe UnsafeRawPointer(header) + Int(header.pointee.nlmsg_len)
        while let current = unsafe next, unsafe mnl_attr_ok(current, CInt(end - UnsafeRawPointer(current))) {
            if unsafe mnl_attr_get_type(current) == attribute,
                unsafe mnl_attr_validate(current, MNL_TYPE_NUL_STRING) >= 0
            {
                text = unsafe string(mnl_attr_get_str(current))
            }
            unsafe next = mnl_attr_next(current)
        }
        return text
    }
}

/// What a message that the kernel sent is.
enum NetlinkAnswer {
    /// An object of nf_tables, for libnftnl to parse: the message's type without the subsystem.
    case object(type: UInt16)
    /// An acknowledgement (0) or an error number for the message with this sequence number.
    case result(sequence: UInt32, errno: CInt)
    /// The end of a dump.
    case done
    /// The dump was disturbed by a change (`NLM_F_DUMP_INTR`).
    case interrupted
}

extension NetlinkSocket {
    /// Larger than any datagram that nf_tables sends (`NLMSG_GOODSIZE` is a page; dumps use up to 32 KiB).
    private static let bufferSize = 64 * 1024

    /// Reads every queued message and lends each to `body`.
    func receiveAll(_ body: (NetlinkAnswer, borrowing ReceivedMessage) throws(Failure) -> Void) throws(Failure) {
        // Safe: the buffer is this function's, aligned for a message's head. `mnl_nlmsg_ok` holds where a whole message
        // is in what is left of the bytes that came; `mnl_nlmsg_next` goes behind it and takes it off them.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 8)
        defer { unsafe buffer.deallocate() }
        while let count = unsafe try receive(into: buffer) {
            guard let start = buffer.baseAddress else { return }
            var left = CInt(count)
            var header = unsafe start.assumingMemoryBound(to: nlmsghdr.self)
            while unsafe mnl_nlmsg_ok(header, left) {
                try body(unsafe Self.classify(header), unsafe ReceivedMessage(lent: UnsafePointer(header)))
                guard let next = unsafe mnl_nlmsg_next(header, &left) else { break }
                unsafe header = next
            }
        }
    }

    /// Safe: the head belongs to a whole message; an error is read where the message is long enough for one, and is
    /// aligned as messages are, to four bytes (`NLMSG_ALIGNTO`).
    private static func classify(_ header: UnsafeMutablePointer<nlmsghdr>) -> NetlinkAnswer {
        if unsafe header.pointee.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { return .interrupted }
        switch unsafe CInt(header.pointee.nlmsg_type) {
        case NLMSG_ERROR:
            guard unsafe mnl_nlmsg_get_payload_len(header) >= MemoryLayout<nlmsgerr>.size,
                let payload = unsafe mnl_nlmsg_get_payload(header)
            else { return .result(sequence: 0, errno: EBADMSG) }
            let error = unsafe payload.load(as: nlmsgerr.self)
            return .result(sequence: error.msg.nlmsg_seq, errno: -error.error)
        case NLMSG_DONE: return .done
        default:
            return .object(type: unsafe header.pointee.nlmsg_type & 0xff)
        }
    }
}
