import Platform

/// A moment since 1970-01-01 00:00 UTC.
public struct FileTime: Hashable, Comparable, Sendable {
    public var seconds: Int64
    /// 0 to 999,999,999.
    public var nanoseconds: Int64

    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (a: FileTime, b: FileTime) -> Bool {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
    }

    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)) }

    var timespec: timespec {
        .init(tv_sec: .init(truncatingIfNeeded: seconds), tv_nsec: .init(truncatingIfNeeded: nanoseconds))
    }

    /// The system's clock.
    package static func now() -> FileTime {
        var time = Self(seconds: 0).timespec
        clock_gettime(CLOCK_REALTIME, &time)
        return FileTime(time)
    }
}
