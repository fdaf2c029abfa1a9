import Glibc

/// What this process and the program under test were built with: `make test-address` and `make test-thread` build both.
package enum Sanitizer {
    case address
    case thread

    /// nil for what is built as usual.
    package static let current: Sanitizer? =
        isLinked("__asan_init") ? .address : isLinked("__tsan_init") ? .thread : nil

    /// Whether a sanitizer's runtime is in this process, which has a function of this name.
    private static func isLinked(_ name: String) -> Bool { unsafe dlsym(nil, name) != nil }

    package static var isOn: Bool { current != nil }

    /// A limit on time or memory: a higher one where every access to memory is looked at, beside other tests.
    package static func limit<Number: Numeric>(_ usual: Number) -> Number { isOn ? 20 * usual : usual }

    /// How many cases are tried, or how large a large file is: each takes ten times as long.
    package static func fewer(_ usual: Int) -> Int { isOn ? max(usual / 10, 1) : usual }

    /// Every how many of the cases is tried that a run of the program each takes: it takes ten times as long.
    package static let stride = isOn ? 10 : 1

    /// Why tests are skipped that limit the program's memory.
    package static let needsMemory = "a sanitizer's own memory does not fit into the limit"

    /// What the thread sanitizer writes before the program begins, and takes away at once.
    package static let file = "/tmp/tsan.rodata"
}
