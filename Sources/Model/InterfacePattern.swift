/// A network interface's name, or, with a `+` at its end, the beginning of one: `docker0`, `docker+`.
package struct InterfacePattern: Hashable, Sendable, CustomStringConvertible {
    /// The longest name that the kernel keeps: `IFNAMSIZ` (`<net/if.h>`) less its NUL.
    package static let maximumLength = 15

    /// The name, without the wildcard.
    package let name: String
    /// Whether every interface whose name begins with `name` is meant.
    package let isWildcard: Bool

    /// A pattern already known to be good, as those read back from the kernel and those in the rule catalogue.
    package init(name: String, isWildcard: Bool) {
        self.name = name
        self.isWildcard = isWildcard
    }

    /// Reads a pattern in the spelling of iptables, `+` at the end being the wildcard.
    ///
    /// - Throws: a usage failure that says what is wrong with the text.
    package init(_ text: String) throws(Failure) {
        func refuse(_ why: String) -> Failure {
            .usage(
                "interface pattern '\(text)' \(why)",
                advice: "give a name such as docker0, or docker+ for all that begin so")
        }
        let isWildcard = text.hasSuffix("+")
        let name = isWildcard ? String(text.dropLast()) : text
        if text.utf8.count > Self.maximumLength {
            throw refuse("is longer than \(Self.maximumLength) characters")
        }
        if name.isEmpty { throw refuse(isWildcard ? "matches every interface" : "is empty") }
        if name == "." || name == ".." { throw refuse("is no interface name") }
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        if !allowed { throw refuse("has characters other than letters, digits, '.', '_' and '-'") }
        if name.hasPrefix("-") { throw refuse("begins with '-'") }
        self.init(name: name, isWildcard: isWildcard)
    }

    /// Whether an interface of this name is meant.
    package func covers(_ interface: String) -> Bool { isWildcard ? interface.hasPrefix(name) : interface == name }

    /// The spelling of iptables.
    package var description: String { isWildcard ? name + "+" : name }
}
