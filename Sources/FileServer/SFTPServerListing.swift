import Files
import NIOCore
import Platform

/// The names of users and groups, asked for once each as long as there are not too many.
struct AccountNames {
    /// Names of either kind beyond which all are forgotten: a client may ask for every number there is.
    static let limit = 10_000

    private(set) var users: [UInt32: [UInt8]] = [:]
    private(set) var groups: [UInt32: [UInt8]] = [:]

    /// Empty for a user that is not known.
    mutating func user(_ number: UInt32) -> [UInt8] {
        if let known = users[number] { return known }
        let name = Self.lookUp { buffer, size in
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            let status = getpwuid_r(number, &entry, buffer, size, &result)
            return (status, result == nil ? nil : entry.pw_name)
        }
        if users.count >= Self.limit { users = [:] }
        users[number] = name
        return name
    }

    mutating func group(_ number: UInt32) -> [UInt8] {
        if let known = groups[number] { return known }
        let name = Self.lookUp { buffer, size in
            var entry = group_entry()
            var result: UnsafeMutablePointer<group_entry>?
            let status = getgrgid_r(number, &entry, buffer, size, &result)
            return (status, result == nil ? nil : entry.gr_name)
        }
        if groups.count >= Self.limit { groups = [:] }
        groups[number] = name
        return name
    }

    /// Asks with more room until the entry fits: groups can have many members.
    private static func lookUp(
        _ ask: (UnsafeMutablePointer<CChar>, Int) -> (status: Int32, name: UnsafeMutablePointer<CChar>?)
    ) -> [UInt8] {
        var size = 4096
        while size <= 1 << 20 {
            var buffer = [CChar](repeating: 0, count: size)
            let (status, name) = buffer.withUnsafeMutableBufferPointer { space -> (Int32, [UInt8]) in
                guard let base = space.baseAddress else { return (0, []) }
                let (status, name) = ask(base, space.count)
                return (status, name.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? [])
            }
            if status != ERANGE { return name }
            size *= 4
        }
        return []
    }
}

// The function of this name hides the type inside AccountNames.
private typealias group_entry = group

/// Lines as `ls -l` has them, which some clients show as they are and others take apart.
struct ListingClock {
    private let now: Int64

    init() { now = Int64(time(nil)) }

    func longName(_ name: [UInt8], _ status: FileStatus, _ accounts: inout AccountNames) -> ByteBuffer {
        var line = ByteBuffer()
        line.writeBytes(Self.mode(status))
        line.writeString(" ")
        line.writePadded(String(status.links).utf8, to: 3, left: true)
        line.writeString(" ")
        line.writePadded(shown(accounts.user(status.owner), status.owner), to: 8)
        line.writeString(" ")
        line.writePadded(shown(accounts.group(status.group), status.group), to: 8)
        line.writeString(" ")
        line.writePadded(String(status.size).utf8, to: 8, left: true)
        line.writeString(" ")
        writeDate(status.modified.seconds, &line)
        line.writeString(" ")
        line.writeBytes(name)
        return line
    }

    private func shown(_ name: [UInt8], _ number: UInt32) -> [UInt8] {
        name.isEmpty ? Array(String(number).utf8) : name
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    /// Beyond half a year the year is told instead of the time of day.
    private static let recent: Int64 = 182 * 86_400

    private func writeDate(_ seconds: Int64, _ line: inout ByteBuffer) {
        var moment = time_t(truncatingIfNeeded: seconds)
        var local = tm()
        localtime_r(&moment, &local)
        let month = Int(local.tm_mon)
        line.writeString(Self.months.indices.contains(month) ? Self.months[month] : "???")
        line.writeString(" ")
        line.writePadded(String(local.tm_mday).utf8, to: 2, left: true)
        line.writeString(" ")
        let (age, overflow) = now.subtractingReportingOverflow(seconds)
        if !overflow, age > -Self.recent, age < Self.recent {
            line.writeString(local.tm_hour < 10 ? "0" : "")
            line.writeString("\(local.tm_hour):")
            line.writeString(local.tm_min < 10 ? "0" : "")
            line.writeString("\(local.tm_min)")
        } else {
            line.writePadded(String(Int64(local.tm_year) + 1900).utf8, to: 5, left: true)
        }
    }

    /// `-rwxr-xr-x`.
    private static func mode(_ status: FileStatus) -> [UInt8] {
        let kind: UInt8 =
            switch status.kind {
            case .regular: UInt8(ascii: "-")
            case .directory: UInt8(ascii: "d")
            case .symbolicLink: UInt8(ascii: "l")
            case .fifo: UInt8(ascii: "p")
            case .characterDevice: UInt8(ascii: "c")
            case .blockDevice: UInt8(ascii: "b")
            case .socket: UInt8(ascii: "s")
            }
        let letters = Array("rwxrwxrwx".utf8)
        var text = [kind]
        for (index, letter) in letters.enumerated() {
            text.append(status.mode & (0o400 >> UInt16(index)) != 0 ? letter : UInt8(ascii: "-"))
        }
        for (bit, place, both, alone) in [(0o4000, 3, "s", "S"), (0o2000, 6, "s", "S"), (0o1000, 9, "t", "T")]
        where Int(status.mode) & bit != 0 {
            text[place] = Array((text[place] == UInt8(ascii: "x") ? both : alone).utf8)[0]
        }
        return text
    }
}

extension ByteBuffer {
    /// Writes text with spaces before it (`left`) or behind it, up to a width.
    fileprivate mutating func writePadded(_ text: some Collection<UInt8>, to width: Int, left: Bool = false) {
        let padding = max(0, width - text.count)
        if left { writeRepeatingByte(UInt8(ascii: " "), count: padding) }
        writeBytes(text)
        if !left { writeRepeatingByte(UInt8(ascii: " "), count: padding) }
    }
}
