import SSHWire

/// The line that shows how far the copy of a file is, in the form OpenSSH's `scp` has made familiar:
///
/// ```
/// big.bin                                        45%   12MB   3.4MB/s   00:10 ETA
/// ```
public enum ProgressLine {
    /// The line, without a newline, padded to one column less than `width`, so that the cursor stays on it and the line
    /// before it is overwritten.
    ///
    /// - Parameters:
    ///   - name: shown as it is; make a peer's name printable first, with `printableName`.
    ///   - transferred: bytes of the file that have arrived.
    ///   - total: the file's size in bytes; nil where nobody knows it.
    ///   - elapsed: since the copy of this file began.
    ///   - rate: bytes per second.
    ///   - width: columns of the terminal.
    ///   - isFinished: shows the time it took in place of the time that is left.
    ///   - isStalled: says that nothing moves in place of the time that is left.
    public static func render(
        name: String, transferred: UInt64, total: UInt64?, elapsed: Duration, rate: Double, width: Int,
        isFinished: Bool, isStalled: Bool = false
    ) -> String {
        let numbers = [
            rightAligned(percent(transferred, of: total), 5),
            rightAligned(size(transferred), 7),
            rightAligned(speed(rate), 10),
            time(transferred, total, elapsed, rate, isFinished: isFinished, isStalled: isStalled),
        ].joined()
        let nameWidth = width - 1 - numbers.count
        guard nameWidth > 0 else { return String(numbers.prefix(max(0, width - 1))) }
        return TerminalColumns.fitted(name, to: nameWidth) + numbers
    }

    /// A file's name in a form that does a terminal no harm.
    public static func printableName(_ bytes: some Collection<UInt8>) -> String { Printable.text(bytes) }

    private static func percent(_ transferred: UInt64, of total: UInt64?) -> String {
        guard let total else { return "--%" }
        // An empty file is all there; one that grew while it was read is no more than that.
        if transferred >= total { return "100%" }
        // Never 100% before the last byte.
        return "\(min(99, Int(Double(transferred) / Double(total) * 100)))%"
    }

    private static let units = ["  ", "KB", "MB", "GB", "TB", "PB", "EB"]

    /// At most four digits and a unit.
    private static func size(_ bytes: UInt64) -> String {
        var value = bytes
        var unit = 0
        while value >= 10_000, unit + 1 < units.count {
            value = value / 1024 + (value % 1024 >= 512 ? 1 : 0)
            unit += 1
        }
        return "\(value)\(units[unit])"
    }

    /// At most three digits and a tenth, never in less than KB/s.
    private static func speed(_ bytesPerSecond: Double) -> String {
        var tenths = (bytesPerSecond.isFinite ? max(0, bytesPerSecond) : 0) / 1024 * 10
        var unit = 1
        while tenths.rounded() >= 10_000, unit + 1 < units.count {
            tenths /= 1024
            unit += 1
        }
        let whole = UInt64(exactly: min(tenths, 1e15).rounded()) ?? 0
        return "\(whole / 10).\(whole % 10)\(units[unit])/s"
    }

    private static let timeWidth = 8

    private static func time(
        _ transferred: UInt64, _ total: UInt64?, _ elapsed: Duration, _ rate: Double, isFinished: Bool, isStalled: Bool
    ) -> String {
        if isFinished { return rightAligned(clock(Double(elapsed.components.seconds)), timeWidth) + "    " }
        if isStalled { return rightAligned("- stalled -", timeWidth + 4) }
        guard let total, rate > 0 else { return rightAligned("--:--", timeWidth) + " ETA" }
        let left = Double(total > transferred ? total - transferred : 0)
        return rightAligned(clock(left / rate), timeWidth) + " ETA"
    }

    /// Minutes and seconds, with hours before them once there are any.
    private static func clock(_ seconds: Double) -> String {
        guard seconds < 360_000 else { return "--:--" }
        let all = Int(seconds)
        let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60)
        return hours > 0
            ? "\(hours):\(twoDigits(minutes)):\(twoDigits(rest))" : "\(twoDigits(minutes)):\(twoDigits(rest))"
    }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }
}

/// How many columns of a terminal text takes.
///
/// Not the C library's `wcwidth`: that depends on the locale, and knows nothing beyond ASCII in the plain one.
enum TerminalColumns {
    /// Text cut or padded to exactly `width` columns.
    static func fitted(_ text: String, to width: Int) -> String {
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            let columns = count(scalar)
            if used + columns > width { break }
            result.append(scalar)
            used += columns
        }
        return String(result) + String(repeating: " ", count: width - used)
    }

    /// Zero for a mark that joins the character before it, two for wide East Asian characters and emoji, else one.
    static func count(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        if scalar.properties.isEmojiPresentation { return 2 }
        return wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }

    /// The blocks that Unicode's EastAsianWidth.txt gives as W or F.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x4dbf, 0x4e00...0xa4cf, 0xa960...0xa97c, 0xac00...0xd7a3,
        0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff01...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18cff,
        0x1aff0...0x1b2ff, 0x1f200...0x1f265, 0x20000...0x2fffd, 0x30000...0x3fffd,
    ]
}
