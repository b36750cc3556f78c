/// The system's clock.
package enum WallClock {
    /// Now, as RFC 3339 has it, in UTC to the millisecond.
    package static func text() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func digits(_ number: Int, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = [(Int(parts.tm_year) + 1900, 4), (Int(parts.tm_mon) + 1, 2), (Int(parts.tm_mday), 2)]
        let time = [(Int(parts.tm_hour), 2), (Int(parts.tm_min), 2), (Int(parts.tm_sec), 2)]
        return date.map(digits).joined(separator: "-") + "T" + time.map(digits).joined(separator: ":") + "."
            + digits(Int(now.tv_nsec) / 1_000_000, 3) + "Z"
    }
}
