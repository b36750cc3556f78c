import NIOCore
import SSHWire

/// What SFTP tells of a file, or sets: fields that are nil are neither told nor touched (draft-ietf-secsh-filexfer-02
/// section 5).
public struct SFTPAttributes: Equatable, Sendable {
    /// In bytes.
    public var size: UInt64?
    /// User and group as the server numbers them.
    public var owner: Owner?
    /// As st_mode has them: permission bits, and the kind of file in the bits above.
    public var permissions: UInt32?
    public var times: Times?
    /// Pairs of a name and a value that the server's maker has defined.
    public var extended: [Extended] = []

    public struct Owner: Equatable, Sendable {
        public var user: UInt32
        public var group: UInt32
        public init(user: UInt32, group: UInt32) {
            self.user = user
            self.group = group
        }
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    public struct Times: Equatable, Sendable {
        public var accessed: UInt32
        public var modified: UInt32
        public init(accessed: UInt32, modified: UInt32) {
            self.accessed = accessed
            self.modified = modified
        }
    }

    public struct Extended: Equatable, Sendable {
        public var type: ByteBuffer
        public var data: ByteBuffer
    }

    /// What `permissions` says a file is.
    public enum Kind: Sendable {
        case regular, directory, symbolicLink, other
    }

    public init(
        size: UInt64? = nil, owner: Owner? = nil, permissions: UInt32? = nil, times: Times? = nil
    ) {
        self.size = size
        self.owner = owner
        self.permissions = permissions
        self.times = times
    }

    /// The kind of file; nil where the server does not tell.
    public var kind: Kind? {
        guard let permissions, permissions & Self.kindMask != 0 else { return nil }
        return switch permissions & Self.kindMask {
        case 0o100_000: .regular
        case 0o040_000: .directory
        case 0o120_000: .symbolicLink
        default: .other
        }
    }

    /// The bits of `permissions` that tell the kind.
    private static let kindMask: UInt32 = 0o170_000

    private enum Flags {
        static let size: UInt32 = 1
        static let owner: UInt32 = 2
        static let permissions: UInt32 = 4
        static let times: UInt32 = 8
        static let extended: UInt32 = 0x8000_0000
    }

    /// The bits that say which fields follow.
    private var flags: UInt32 {
        (size == nil ? 0 : Flags.size) | (owner == nil ? 0 : Flags.owner)
            | (permissions == nil ? 0 : Flags.permissions) | (times == nil ? 0 : Flags.times)
            | (extended.isEmpty ? 0 : Flags.extended)
    }

    /// Decodes attributes at the end of a request of some maker's own.
    package init(fields: inout ByteBuffer) throws(WireError) {
        var decoder = FieldDecoder(fields)
        try code(&decoder)
        fields = decoder.buffer
    }

    mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        var flags = flags
        try coder.uint32("flags", &flags)
        if flags & Flags.size != 0 {
            var value = size ?? 0
            try coder.uint64("size", &value)
            size = value
        }
        if flags & Flags.owner != 0 {
            var value = owner ?? Owner(user: 0, group: 0)
            try coder.uint32("uid", &value.user)
            try coder.uint32("gid", &value.group)
            owner = value
        }
        if flags & Flags.permissions != 0 {
            var value = permissions ?? 0
            try coder.uint32("permissions", &value)
            permissions = value
        }
        if flags & Flags.times != 0 {
            var value = times ?? Times(accessed: 0, modified: 0)
            try coder.uint32("atime", &value.accessed)
            try coder.uint32("mtime", &value.modified)
            times = value
        }
        if flags & Flags.extended != 0 { try codeExtended(&coder) }
    }

    private mutating func codeExtended(_ coder: inout some FieldCoder) throws(WireError) {
        var count = UInt32(clamping: extended.count)
        try coder.uint32("extended_count", &count)
        // Taken one by one: the bytes run out before a false count costs memory.
        for index in 0..<Int(count) {
            var pair = index < extended.count ? extended[index] : Extended(type: ByteBuffer(), data: ByteBuffer())
            try coder.string("extended_type", &pair.type)
            try coder.string("extended_data", &pair.data)
            if index < extended.count { extended[index] = pair } else { extended.append(pair) }
        }
    }
}
