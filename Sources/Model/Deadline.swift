import Glibc

/// A moment on the monotonic clock after which waiting ends.
package struct Deadline: Sendable {
    private let nanoseconds: UInt64

    /// A deadline that many seconds from now. `CLOCK_MONOTONIC`, so that setting the clock does not move it.
    package init(seconds: Int) {
        nanoseconds = Self.now() + UInt64(max(seconds, 0)) * 1_000_000_000
    }

    /// A deadline that many milliseconds from now.
    package init(milliseconds: Int) {
        nanoseconds = Self.now() + UInt64(max(milliseconds, 0)) * 1_000_000
    }

    /// The time that is left, rounded up; 0 when it has passed.
    package var millisecondsLeft: Int {
        let now = Self.now()
        return now >= nanoseconds ? 0 : Int((nanoseconds - now + 999_999) / 1_000_000)
    }

    package var hasPassed: Bool { Self.now() >= nanoseconds }

    /// Sleeps for some milliseconds, but not past the deadline. The corresponding C function is `nanosleep`.
    package func pause(milliseconds: UInt64) {
        let now = Self.now()
        guard now < nanoseconds else { return }
        let length = min(milliseconds * 1_000_000, nanoseconds - now)
        SystemCall.sleep(timespec(tv_sec: Int(length / 1_000_000_000), tv_nsec: Int(length % 1_000_000_000)))
    }

    private static func now() -> UInt64 {
        let time = SystemCall.time(of: CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
