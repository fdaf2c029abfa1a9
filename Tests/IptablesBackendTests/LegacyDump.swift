import Model

@testable import IptablesBackend

/// The rules of the stock tables in a network namespace, as a kernel handed them out.
struct LegacyDump: Sendable {
    /// One rule.
    struct Entry: Sendable {
        let family: AddressFamily
        let table: String
        let chain: String
        /// The target's name as libiptc told it.
        let verdict: String
        /// The bytes in hexadecimal digits.
        let hex: String

        var bytes: [UInt8] {
            let digits = hex.compactMap(\.hexDigitValue)
            return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        }

        var place: Place? { StockTable.place(table: table, chain: chain) }
    }

    let entries: [Entry]

    /// The bridge patterns in every dump here.
    static let dumpedPatterns = [
        InterfacePattern(name: "docker", isWildcard: true),
        InterfacePattern(name: "br-0123456789ab", isWildcard: false),
    ]
}
