import Model
import Testing

@Suite("Moments")
struct UnixTimeTests {
    @Test(
        "are read as RFC 3339 has them",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2000-02-29T23:59:59Z", 951_868_799), ("2001-03-01T00:00:00Z", 983_404_800),
            ("2026-11-25T04:59:21Z", 1_795_582_761), ("2026-11-25T04:59:21.123456789Z", 1_795_582_761),
            ("2026-11-25T05:59:21+01:00", 1_795_582_761), ("2026-11-25T00:29:21-04:30", 1_795_582_761),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ])
    func read(_ text: String, _ seconds: Int) {
        #expect(UnixTime(rfc3339: text.utf8)?.seconds == seconds)
    }

    @Test(
        "are refused where anything is out of place",
        arguments: [
            "", "2026-11-25", "2026-11-25T04:59:21", "2026-11-25 04:59:21Z", "2026-13-25T04:59:21Z",
            "2026-11-31T04:59:21Z", "2025-02-29T04:59:21Z", "2026-11-25T24:59:21Z", "2026-11-25T04:60:21Z",
            "2026-11-25T04:59:61Z", "2026-11-25T04:59:21.Z", "2026-11-25T04:59:21+1:00", "2026-11-25T04:59:21Zx",
            "+026-11-25T04:59:21Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-11-25T04:59:21.5",
        ])
    func refused(_ text: String) {
        #expect(UnixTime(rfc3339: text.utf8) == nil)
    }

    @Test("are written so that they are read as the same, every year and a bit")
    func roundTrip() {
        for seconds in stride(from: 0, to: 253_402_300_799, by: 31_700_007) {
            let text = UnixTime(seconds: seconds).description
            #expect(UnixTime(rfc3339: text.utf8)?.seconds == seconds, "\(text)")
        }
    }

    @Test("before 1970 are written too")
    func early() { #expect(UnixTime(seconds: -1).description == "1969-12-31T23:59:59Z") }
}

@Suite("Text of others")
struct PrintableTextTests {
    @Test("keeps what a terminal cannot be harmed by, up to a length")
    func printable() {
        #expect(String(printable: "a\u{1b}[31mb\r\n\u{0}é".utf8, most: 100) == "a?[31mb?????")
        #expect(String(printable: "abc".utf8, most: 3) == "abc")
        #expect(String(printable: "abcd".utf8, most: 3) == "abc…")
    }
}
