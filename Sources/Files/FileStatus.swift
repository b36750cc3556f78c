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
    static func now() -> FileTime {
        var time = Self(seconds: 0).timespec
        clock_gettime(CLOCK_REALTIME, &time)
        return FileTime(time)
    }
}

/// What fstat(2) tells of a file.
public struct FileStatus: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case regular, directory, symbolicLink, other
    }

    /// What a file is known by on this machine.
    public struct Identity: Hashable, Sendable {
        var device: UInt64
        var number: UInt64
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

    /// What another file system tells; who asks for an identity cannot use it.
    package init(
        kind: Kind, mode: UInt16, size: Int64, accessed: FileTime, modified: FileTime, owner: UInt32, group: UInt32
    ) {
        (self.kind, self.mode, self.size, allocated) = (kind, mode, size, size)
        (self.accessed, self.modified, changed) = (accessed, modified, modified)
        (self.owner, self.group) = (owner, group)
        identity = Identity(device: 0, number: 0)
    }

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        default: kind = .other
        }
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
    }
}
