import NIOCore

/// The files that a server shows its clients: a directory of the machine's, or what a program keeps elsewhere.
///
/// Paths are bytes, absolute from the root that is shown: `/a/b`, `.` and `..` and links not yet resolved. No path and
/// no link leads out of the root. The functions may block; they are called on threads that may.
public protocol FileSystem: Sendable {
    /// Opens or makes a regular file. FIFOs, devices and sockets are refused, not waited for.
    func open(_ path: [UInt8], _ options: ServedOpenOptions) throws(ServedError) -> any ServedFile

    /// Opens a directory for listing.
    func openDirectory(_ path: [UInt8]) throws(ServedError) -> any ServedDirectory

    func status(of path: [UInt8], followingLinks: Bool) throws(ServedError) -> ServedStatus

    func change(_ path: [UInt8], _ changes: ServedChanges, followingLinks: Bool) throws(ServedError)

    /// - Parameter mode: permission bits, of which the server's mask takes some away.
    func makeDirectory(_ path: [UInt8], mode: UInt16) throws(ServedError)

    func removeDirectory(_ path: [UInt8]) throws(ServedError)

    /// Removes anything but a directory.
    func remove(_ path: [UInt8]) throws(ServedError)

    /// - Parameter replacing: whether what has the new name already is replaced, as rename(2) does; else it is an error.
    func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(ServedError)

    /// What a symbolic link holds.
    func readLink(_ path: [UInt8]) throws(ServedError) -> [UInt8]

    func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(ServedError)

    func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(ServedError)

    /// The path without links, `.` and `..`; its last component need not exist.
    func realPath(_ path: [UInt8]) throws(ServedError) -> [UInt8]

    func volume(of path: [UInt8]) throws(ServedError) -> ServedVolume
}

public struct ServedOpenOptions: Equatable, Sendable {
    public var reads = false
    public var writes = false
    /// Writes go to the end, wherever they are asked to.
    public var appends = false
    public var creates = false
    public var truncates = false
    /// With ``creates``: what exists already is an error.
    public var isExclusive = false
    /// Permission bits of a new file, of which the server's mask takes some away.
    public var mode: UInt16 = 0o666

    public init() {}
}

/// An open file, used by one session alone. Closed when released, if not before.
public protocol ServedFile: AnyObject {
    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(ServedError) -> Int
    /// Writes all readable bytes.
    func write(_ bytes: ByteBuffer, at offset: Int64) throws(ServedError)
    func status() throws(ServedError) -> ServedStatus
    func change(_ changes: ServedChanges) throws(ServedError)
    func volume() throws(ServedError) -> ServedVolume
    /// Waits until all that was written is on the disk.
    func synchronize() throws(ServedError)
    /// Whether both are one file, so that a copy from one to the other would run after itself.
    func isSameFile(as other: any ServedFile) -> Bool
    /// Closes the file and reports what a delayed write met.
    func close() throws(ServedError)
}

extension ServedFile {
    public func isSameFile(as other: any ServedFile) -> Bool { self === other }
}

/// An open directory, used by one session alone. Closed when released.
public protocol ServedDirectory: AnyObject {
    /// The next entry, `.` and `..` among them; nil at the end.
    func next() throws(ServedError) -> ServedEntry?
}

public struct ServedEntry: Equatable, Sendable {
    public var name: [UInt8]
    /// Of a link, not of what it points to; nil when it is gone.
    public var status: ServedStatus?

    public init(name: [UInt8], status: ServedStatus?) {
        self.name = name
        self.status = status
    }
}

public struct ServedStatus: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case regular, directory, symbolicLink, fifo, characterDevice, blockDevice, socket
    }
    public var kind: Kind
    /// Permission bits: 0o7777.
    public var mode: UInt16
    /// In bytes.
    public var size: UInt64
    public var owner: UInt32
    public var group: UInt32
    public var links: UInt64
    /// Seconds and nanoseconds since 1970-01-01 00:00 UTC.
    public var accessed: ServedTime
    public var modified: ServedTime

    public init(
        kind: Kind, mode: UInt16, size: UInt64, owner: UInt32, group: UInt32, links: UInt64, accessed: ServedTime,
        modified: ServedTime
    ) {
        self.kind = kind
        self.mode = mode
        self.size = size
        self.owner = owner
        self.group = group
        self.links = links
        self.accessed = accessed
        self.modified = modified
    }
}

public struct ServedTime: Equatable, Sendable {
    public var seconds: Int64
    public var nanoseconds: Int64
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// What is to be changed of a file; nil leaves it. An owner is changed only where the process may, to what it is already
/// without an error.
public struct ServedChanges: Equatable, Sendable {
    public var size: UInt64?
    public var mode: UInt16?
    public var owner: (user: UInt32, group: UInt32)?
    public var times: (accessed: ServedTime, modified: ServedTime)?

    public init() {}

    public static func == (left: Self, right: Self) -> Bool {
        left.size == right.size && left.mode == right.mode && left.owner?.user == right.owner?.user
            && left.owner?.group == right.owner?.group && left.times?.accessed == right.times?.accessed
            && left.times?.modified == right.times?.modified
    }
}

/// What statvfs(3) tells; sizes in blocks of ``fragmentSize`` bytes.
public struct ServedVolume: Equatable, Sendable {
    public var blockSize: UInt64 = 0
    public var fragmentSize: UInt64 = 0
    public var blocks: UInt64 = 0
    public var freeBlocks: UInt64 = 0
    public var availableBlocks: UInt64 = 0
    public var files: UInt64 = 0
    public var freeFiles: UInt64 = 0
    public var availableFiles: UInt64 = 0
    public var identifier: UInt64 = 0
    public var isReadOnly = false
    public var ignoresSetUserID = false
    public var longestName: UInt64 = 255

    public init() {}
}

/// Why something could not be done with a served file.
public enum ServedError: Error, Equatable, Sendable {
    /// The value of errno.
    case system(Int32)
    /// A path or a link leads out of the root.
    case leadsOut
    /// The files are served for reading only.
    case readOnly
    /// Neither a regular file nor a directory.
    case notRegular
}
