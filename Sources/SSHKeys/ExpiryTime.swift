import Platform

/// A moment as `expiry-time=` of authorized keys has it: `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, in local time
/// unless a `Z` stands behind it (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
package enum ExpiryTime {
    /// Seconds since 1970; nil for what is no such moment.
    package static func parse(_ text: some Collection<UInt8>) -> UInt64? {
        var digits = Array(text)
        let isUTC = digits.last == UInt8(ascii: "Z") || digits.last == UInt8(ascii: "z")
        if isUTC { digits.removeLast() }
        guard [8, 12, 14].contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        digits += [UInt8](repeating: 0x30, count: 14 - digits.count)
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        let (year, month, day) = (number(0..<4), number(4..<6), number(6..<8))
        let (hour, minute, second) = (number(8..<10), number(10..<12), number(12..<14))
        guard year >= 1970, (1...12).contains(month), day >= 1, day <= days(inMonth: month, of: year), hour < 24,
            minute < 60, second < 60
        else { return nil }
        if isUTC {
            let dayNumber = days(before: year) + (1..<month).reduce(0) { $0 + days(inMonth: $1, of: year) } + day - 1
            return UInt64(((dayNumber * 24 + hour) * 60 + minute) * 60 + second)
        }
        var parts = tm()
        parts.tm_year = CInt(year - 1900)
        parts.tm_mon = CInt(month - 1)
        parts.tm_mday = CInt(day)
        parts.tm_hour = CInt(hour)
        parts.tm_min = CInt(minute)
        parts.tm_sec = CInt(second)
        parts.tm_isdst = -1
        return UInt64(exactly: mktime(&parts))
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 to the first of a year.
    private static func days(before year: Int) -> Int {
        (1970..<year).reduce(0) { $0 + (isLeap($1) ? 366 : 365) }
    }
}
