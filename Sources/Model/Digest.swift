/// What identifies a file's contents: FNV-1a, 64 bits (Fowler, Noll and Vo). It tells whether somebody edited a file; it
/// is no defence against forgery.
package enum Digest {
    package static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
