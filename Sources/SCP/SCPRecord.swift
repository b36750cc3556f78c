import NIOCore
import SSHWire

/// A moment as a T record tells it, since 1970-01-01 00:00 UTC.
public struct SCPTime: Hashable, Sendable {
    /// Whole seconds, not negative.
    public var seconds: Int64
    /// Microseconds, 0 to 999,999. OpenSSH's source always sends 0.
    public var microseconds: Int32

    public init(seconds: Int64, microseconds: Int32 = 0) {
        self.seconds = seconds
        self.microseconds = microseconds
    }
}

/// What a T record says of the file or directory that follows.
public struct SCPTimes: Hashable, Sendable {
    public var modified: SCPTime
    public var accessed: SCPTime

    public init(modified: SCPTime, accessed: SCPTime) {
        self.modified = modified
        self.accessed = accessed
    }
}

/// One line or byte of the SCP protocol, as OpenSSH's scp speaks it with `-O`.
///
/// | record | bytes | from |
/// | --- | --- | --- |
/// | ``times(_:)`` | `T<mtime> <usec> <atime> <usec>\n` | source |
/// | ``file(mode:size:name:)`` | `C<mode> <size> <name>\n` | source, the data and an acknowledgement follow |
/// | ``directory(mode:name:)`` | `D<mode> 0 <name>\n` | source, the entries and ``endDirectory`` follow |
/// | ``endDirectory`` | `E\n` | source |
/// | ``ok`` | `\0` | both |
/// | ``warning(_:)`` | `\1<text>\n` | both |
/// | ``fatal(_:)`` | `\2<text>\n` | both |
public enum SCPRecord: Equatable, Sendable {
    case times(SCPTimes)
    /// `mode` is the permission bits, at most 0o7777; `size` is in bytes.
    case file(mode: UInt16, size: Int64, name: SCPName)
    case directory(mode: UInt16, name: SCPName)
    case endDirectory
    case ok
    case warning([UInt8])
    case fatal([UInt8])

    /// The longest line that is taken, in bytes without its newline. A name has at most 255 bytes on any file system
    /// we know, four times that when encoded; a message may hold two paths.
    public static let maximumLineLength = 16 * 1024
    /// With which a record begins that is no acknowledgement.
    static let letters: [UInt8] = Array("TCDE".utf8)

    /// Appends the record's bytes. A newline inside a message becomes a blank.
    public func encode(into buffer: inout ByteBuffer) {
        switch self {
        case .times(let times):
            let (m, a) = (times.modified, times.accessed)
            buffer.writeString("T\(max(0, m.seconds)) \(m.microseconds) \(max(0, a.seconds)) \(a.microseconds)\n")
        case .file(let mode, let size, let name):
            buffer.writeString("C\(Self.octal(mode)) \(size) ")
            buffer.writeBytes(name.wireForm)
            buffer.writeInteger(UInt8(ascii: "\n"))
        case .directory(let mode, let name):
            buffer.writeString("D\(Self.octal(mode)) 0 ")
            buffer.writeBytes(name.wireForm)
            buffer.writeInteger(UInt8(ascii: "\n"))
        case .endDirectory: buffer.writeString("E\n")
        case .ok: buffer.writeInteger(UInt8(0))
        case .warning(let text): Self.encodeMessage(1, text, into: &buffer)
        case .fatal(let text): Self.encodeMessage(2, text, into: &buffer)
        }
    }

    /// The record's bytes.
    public var encoded: [UInt8] {
        var buffer = ByteBuffer()
        encode(into: &buffer)
        return Array(buffer.readableBytesView)
    }

    private static func encodeMessage(_ kind: UInt8, _ text: [UInt8], into buffer: inout ByteBuffer) {
        buffer.writeInteger(kind)
        let newline = UInt8(ascii: "\n")
        buffer.writeBytes(text.prefix(maximumLineLength - 1).lazy.map { $0 == newline ? UInt8(ascii: " ") : $0 })
        buffer.writeInteger(newline)
    }

    static func octal(_ mode: UInt16) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}

extension SCPRecord: CustomStringConvertible {
    /// A line for a trace, the peer's bytes made printable.
    public var description: String {
        switch self {
        case .times(let times):
            "SCP timestamps (T): modified \(Self.decimal(times.modified)), accessed \(Self.decimal(times.accessed))"
        case .file(let mode, let size, let name):
            "SCP file (C): mode \(Self.octal(mode)), size \(size) bytes, name \(Printable.quoted(name.bytes))"
        case .directory(let mode, let name):
            "SCP directory (D): mode \(Self.octal(mode)), name \(Printable.quoted(name.bytes))"
        case .endDirectory: "SCP end of directory (E)"
        case .ok: "SCP acknowledgement (0): ok"
        case .warning(let text): "SCP acknowledgement (1): warning \(Printable.quoted(text))"
        case .fatal(let text): "SCP acknowledgement (2): fatal \(Printable.quoted(text))"
        }
    }

    private static func decimal(_ time: SCPTime) -> String {
        guard time.microseconds > 0 else { return String(time.seconds) }
        let digits = String(time.microseconds)
        return "\(time.seconds).\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits)"
    }
}
