import NIOCore
import SSHWire

/// Requests beside the draft's: OpenSSH's (PROTOCOL section 4), and those for hashes of files
/// (draft-ietf-secsh-filexfer-extensions-00 section 3).
package enum SFTPExtension: String, CaseIterable, Sendable {
    case posixRename = "posix-rename@openssh.com"
    case hardlink = "hardlink@openssh.com"
    case fsync = "fsync@openssh.com"
    case lsetstat = "lsetstat@openssh.com"
    case statvfs = "statvfs@openssh.com"
    case fstatvfs = "fstatvfs@openssh.com"
    case limits = "limits@openssh.com"
    case expandPath = "expand-path@openssh.com"
    case copyData = "copy-data"
    case homeDirectory = "home-directory"
    case usersGroupsByID = "users-groups-by-id@openssh.com"
    /// What a server announces; Paramiko asks by this name too, and means ``checkFileHandle``.
    case checkFile = "check-file"
    case checkFileHandle = "check-file-handle"
    case checkFileName = "check-file-name"

    /// What our server tells of it in VERSION; nil where another one's announcement stands for it.
    var announcedVersion: String? {
        switch self {
        case .statvfs, .fstatvfs: "2"
        case .checkFileHandle, .checkFileName: nil
        default: "1"
        }
    }

    /// Whether it changes what is on the server's disk.
    package var isChange: Bool {
        switch self {
        case .posixRename, .hardlink, .fsync, .lsetstat, .copyData: true
        default: false
        }
    }
}

/// What a server says it can do beside the draft (draft-ietf-secsh-filexfer-02 section 4).
public struct SFTPServerAbilities: Sendable {
    /// The extensions announced, with what the server tells of each: mostly its version.
    public private(set) var extensions: [String: ByteBuffer] = [:]
    public internal(set) var limits = SFTPLimits()

    init() {}

    init(fields: ByteBuffer) throws(WireError) {
        var decoder = FieldDecoder(fields)
        while decoder.buffer.readableBytes > 0 {
            var name = ByteBuffer()
            var data = ByteBuffer()
            try decoder.string("extension name", &name)
            try decoder.string("extension data", &data)
            extensions[String(buffer: name)] = data
        }
    }

    package func has(_ known: SFTPExtension) -> Bool { extensions[known.rawValue] != nil }
}

extension SFTPServerAbilities: CustomStringConvertible {
    public var description: String {
        extensions.keys.sorted().map { Printable.text($0.utf8) }.joined(separator: ", ")
    }
}

/// How much a server takes at a time (PROTOCOL section 4.8), or what any server must take (draft section 3).
public struct SFTPLimits: Equatable, Sendable {
    /// Bytes in a READ.
    public var readLength = 32 * 1024
    /// Bytes in a WRITE.
    public var writeLength = 32 * 1024
    /// Files and directories open at a time; nil where the server does not say.
    public var openHandles: Int?

    /// Blocks larger than this save nothing.
    private static let most = 255 * 1024

    init() {}

    /// The answer to `limits@openssh.com`; 0 stands for no limit. Nil if it makes no sense.
    init?(fields: ByteBuffer) {
        var buffer = fields
        guard
            let (packet, read, write, handles) = buffer.readMultipleIntegers(
                as: (UInt64, UInt64, UInt64, UInt64).self)
        else { return nil }
        func length(_ limit: UInt64) -> Int {
            let packetRoom = packet == 0 ? UInt64.max : packet - min(packet, 1024)
            let bound = min(limit == 0 ? UInt64.max : limit, packetRoom)
            return max(1024, Int(clamping: min(bound, UInt64(Self.most))))
        }
        readLength = length(read)
        writeLength = length(write)
        openHandles = handles == 0 ? nil : Int(clamping: handles)
    }
}
