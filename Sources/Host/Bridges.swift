import Glibc
import Model

extension Host {
    /// The bridges of this network namespace, by name. Asked of the kernel, as `/sys` may show another namespace's.
    /// The corresponding message is `RTM_GETLINK` of rtnetlink(7).
    package var bridges: [String] {
        get throws(Failure) {
            let connection = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), LinkDump.protocol)
            if connection < 0 { throw Self.cannotList("socket", errno) }
            defer { close(connection) }
            // Interfaces that come or go in between make the kernel say so, and the list is read again.
            for _ in 0..<5 {
                let dump = try Self.dump(connection)
                if !dump.isInterrupted { return dump.bridges.sorted() }
            }
            throw Failure(.trouble, "the host's interfaces keep changing", source: "RTM_GETLINK")
        }
    }

    private static func dump(_ connection: CInt) throws(Failure) -> LinkDump {
        let request = LinkDump.request
        guard SystemCall.send(request, to: connection) == request.count else {
            throw cannotList("send", errno)
        }
        var dump = LinkDump()
        // The kernel sends no more than 32 KiB at once (`netlink_dump`, net/netlink/af_netlink.c).
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !dump.isDone {
            let count = SystemCall.receive(from: connection, into: &buffer)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { throw cannotList("recv", errno) }
            dump.take(Array(buffer.prefix(count)))
        }
        if dump.errno != 0 { throw cannotList("RTM_GETLINK", dump.errno) }
        return dump
    }

    private static func cannotList(_ source: String, _ number: CInt) -> Failure {
        .system("cannot list the host's bridges", source: source, errno: number)
    }
}

/// The answer to `RTM_GETLINK`, of which the bridges' names are kept. The numbers are those of `<linux/netlink.h>`,
/// `<linux/rtnetlink.h>` and `<linux/if_link.h>`.
struct LinkDump {
    /// `NETLINK_ROUTE`
    static let `protocol`: CInt = 0

    /// `struct nlmsghdr`, `struct ifinfomsg`, and the attribute that leaves statistics out.
    static var request: [UInt8] {
        let (getLink, requestAndDump) = (UInt16(18), UInt16(0x301))
        let (extensionMask, skipStatistics) = (UInt16(29), UInt32(8))
        var message: [UInt8] = []
        append(UInt32(headerSize + linkSize + 8), to: &message)
        append(getLink, to: &message)
        append(requestAndDump, to: &message)
        message += [UInt8](repeating: 0, count: 8 + linkSize)
        append(UInt16(8), to: &message)
        append(extensionMask, to: &message)
        append(skipStatistics, to: &message)
        return message
    }

    private static let headerSize = 16
    private static let linkSize = 16

    private(set) var bridges: [String] = []
    private(set) var isDone = false
    /// Whether interfaces came or went while the kernel listed them.
    private(set) var isInterrupted = false
    private(set) var errno: CInt = 0

    /// Reads what one `recv` returned.
    mutating func take(_ bytes: [UInt8]) {
        var start = 0
        while start + Self.headerSize <= bytes.count, !isDone {
            let size = Int(Self.number(bytes, start, 4))
            guard size >= Self.headerSize, start + size <= bytes.count else { break }
            take(bytes, start..<start + size)
            start += (size + 3) & ~3
        }
        // Nothing that makes sense: not to wait for more of it.
        if start == 0 { (isDone, errno) = (true, EBADMSG) }
    }

    private mutating func take(_ bytes: [UInt8], _ message: Range<Int>) {
        let (isInterruptedFlag, errorType, doneType, newLinkType) = (UInt32(0x10), UInt32(2), UInt32(3), UInt32(16))
        if Self.number(bytes, message.lowerBound + 6, 2) & isInterruptedFlag != 0 { isInterrupted = true }
        let payload = message.lowerBound + Self.headerSize
        switch Self.number(bytes, message.lowerBound + 4, 2) {
        case doneType: isDone = true
        case errorType:
            isDone = true
            let number = payload + 4 <= message.upperBound ? Self.number(bytes, payload, 4) : 0
            errno = 0 &- CInt(truncatingIfNeeded: number)
        case newLinkType:
            if payload + Self.linkSize <= message.upperBound {
                takeLink(bytes, payload + Self.linkSize..<message.upperBound)
            }
        default: break
        }
    }

    private mutating func takeLink(_ bytes: [UInt8], _ range: Range<Int>) {
        let (nameType, linkInfoType, kindType) = (UInt32(3), UInt32(18), UInt32(1))
        guard let name = Self.attribute(nameType, bytes, range),
            let info = Self.attribute(linkInfoType, bytes, range), let kind = Self.attribute(kindType, bytes, info),
            bytes[kind].prefix(while: { $0 != 0 }).elementsEqual("bridge".utf8)
        else { return }
        bridges.append(String(decoding: bytes[name].prefix { $0 != 0 }, as: UTF8.self))
    }

    /// Where an attribute's value stands. `struct rtattr`: length, type, value, padding to four bytes.
    private static func attribute(_ type: UInt32, _ bytes: [UInt8], _ range: Range<Int>) -> Range<Int>? {
        // Two bits are flags (`NLA_TYPE_MASK`).
        let typeMask = UInt32(0x3fff)
        var start = range.lowerBound
        while start + 4 <= range.upperBound {
            let size = Int(number(bytes, start, 2))
            guard size >= 4, start + size <= range.upperBound else { return nil }
            if number(bytes, start + 2, 2) & typeMask == type { return start + 4..<start + size }
            start += (size + 3) & ~3
        }
        return nil
    }

    /// A number in the machine's byte order.
    private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt32 {
        let part = bytes[offset..<offset + size]
        return (1.littleEndian == 1 ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func append(_ number: some FixedWidthInteger, to message: inout [UInt8]) {
        let bytes = (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number.littleEndian >> ($0 * 8)) }
        message += bytes
    }
}
