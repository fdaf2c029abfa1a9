/// A moment, counted from 1970-01-01T00:00:00Z without leap seconds (`time_t`).
package struct UnixTime: Comparable, Hashable, Sendable, CustomStringConvertible {
    package let seconds: Int
    package let nanoseconds: Int

    package init(seconds: Int, nanoseconds: Int = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package static func < (a: UnixTime, b: UnixTime) -> Bool {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
    }

    /// Reads RFC 3339: `2026-11-25T04:59:21Z`, with or without a fraction, which is dropped, and with any offset.
    package init?(rfc3339 text: some Collection<UInt8>) {
        let bytes = Array(text)
        let marks: [(Int, Unicode.Scalar)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
        guard bytes.count >= 20, marks.allSatisfy({ bytes[$0.0] == UInt8(ascii: $0.1) }),
            let year = Self.number(bytes[0..<4], 1970...9999), let month = Self.number(bytes[5..<7], 1...12),
            let day = Self.number(bytes[8..<10], 1...Self.days(inMonth: month, of: year)),
            let hour = Self.number(bytes[11..<13], 0...23), let minute = Self.number(bytes[14..<16], 0...59),
            let second = Self.number(bytes[17..<19], 0...60)
        else { return nil }
        var rest = bytes[19...]
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            if fraction.isEmpty { return nil }
            rest = rest[fraction.endIndex...]
        }
        guard let offset = Self.offset(rest) else { return nil }
        let days = Self.days(untilYear: year, month: month) + day - 1
        self.init(seconds: ((days * 24 + hour) * 60 + minute - offset) * 60 + second)
    }

    /// RFC 3339 in UTC, to the second.
    package var description: String {
        var days = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0)
        let rest = seconds - days * 86400
        // 400 years have 146,097 days; the search begins where the mean length of a year leads to.
        var year = 1970 + days * 400 / 146_097
        while Self.days(untilYear: year, month: 1) > days { year -= 1 }
        while Self.days(untilYear: year + 1, month: 1) <= days { year += 1 }
        days -= Self.days(untilYear: year, month: 1)
        var month = 1
        while days >= Self.days(inMonth: month, of: year) {
            days -= Self.days(inMonth: month, of: year)
            month += 1
        }
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(days + 1, 2))"
        let time = [rest / 3600, rest / 60 % 60, rest % 60].map { Self.padded($0, 2) }.joined(separator: ":")
        return "\(date)T\(time)Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(width - digits.utf8.count, 0)) + digits
    }

    private static func number(_ digits: ArraySlice<UInt8>, _ range: ClosedRange<Int>) -> Int? {
        var number = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            number = number * 10 + Int(digit) - 0x30
        }
        return range.contains(number) ? number : nil
    }

    /// What stands behind the time, in minutes east of Greenwich.
    private static func offset(_ text: ArraySlice<UInt8>) -> Int? {
        let bytes = Array(text)
        if bytes == [UInt8(ascii: "Z")] { return 0 }
        guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            bytes[3] == UInt8(ascii: ":"), let hours = number(bytes[1..<3], 0...23),
            let minutes = number(bytes[4..<6], 0...59)
        else { return nil }
        return (hours * 60 + minutes) * (bytes[0] == UInt8(ascii: "-") ? -1 : 1)
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The days from 1970-01-01 to the first of a month.
    private static func days(untilYear year: Int, month: Int) -> Int {
        let before = year - 1
        // Up to the year 1970 there are 719,162 days in the Gregorian calendar.
        var days = before * 365 + before / 4 - before / 100 + before / 400 - 719_162
        for earlier in 1..<month { days += Self.days(inMonth: earlier, of: year) }
        return days
    }
}
