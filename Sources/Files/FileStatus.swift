import Platform

/// What fstat(2) tells of a file.
public struct FileStatus: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case regular, directory, symbolicLink, fifo, characterDevice, blockDevice, socket

        /// Neither a file nor a directory nor a link to one: what is opened for a purpose of its own.
        public var isSpecial: Bool {
            switch self {
            case .regular, .directory, .symbolicLink: false
            case .fifo, .characterDevice, .blockDevice, .socket: true
            }
        }
    }

    /// What a file is known by, whatever its name.
    public struct Identity: Hashable, Sendable {
        public var device: UInt64
        public var number: UInt64

        public init(device: UInt64, number: UInt64) {
            self.device = device
            self.number = number
        }
    }

    public var kind: Kind
    /// Permission bits: 0o7777.
    public var mode: UInt16
    /// In bytes.
    public var size: Int64
    /// What the file takes on the disk, in bytes.
    public var allocated: Int64
    public var modified: FileTime
    public var accessed: FileTime
    /// When the file's entry was last changed in any way.
    public var changed: FileTime
    public var identity: Identity
    public var owner: UInt32
    public var group: UInt32
    /// Names the file has.
    public var links: UInt64

    /// - Parameter changed: nil for `modified`; `allocated` is the size.
    public init(
        kind: Kind, mode: UInt16, size: Int64, owner: UInt32, group: UInt32, links: UInt64, accessed: FileTime,
        modified: FileTime, changed: FileTime? = nil, identity: Identity
    ) {
        (self.kind, self.mode, self.size, allocated) = (kind, mode, size, size)
        (self.accessed, self.modified, self.changed) = (accessed, modified, changed ?? modified)
        (self.owner, self.group, self.links, self.identity) = (owner, group, links, identity)
    }

    package init(_ status: stat) {
        kind = Kind(status)
        mode = UInt16(truncatingIfNeeded: status.st_mode & 0o7777)
        size = Int64(status.st_size)
        allocated = Int64(status.st_blocks) * 512
        modified = FileTime(status.modificationTime)
        accessed = FileTime(status.accessTime)
        changed = FileTime(status.changeTime)
        identity = Identity(
            device: UInt64(truncatingIfNeeded: status.st_dev), number: UInt64(truncatingIfNeeded: status.st_ino))
        owner = status.st_uid
        group = status.st_gid
        links = UInt64(clamping: status.st_nlink)
    }
}

extension FileStatus.Kind {
    init(_ status: stat) {
        self =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .fifo
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .socket
            }
    }
}
