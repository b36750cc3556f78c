import NIOCore

/// The files that a server shows its clients: a directory of the machine's, or what a program keeps elsewhere.
///
/// Paths are bytes, absolute from the root that is shown: `/a/b`, `.` and `..` and links not yet resolved. No path and
/// no link leads out of the root. The functions may block; they are called on threads that may.
public protocol FileSystem: Sendable {
    /// Opens or makes a regular file. FIFOs, devices and sockets are refused, not waited for.
    func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> any OpenFile

    /// Opens a directory for listing.
    func openDirectory(_ path: [UInt8]) throws(FileError.Cause) -> any OpenDirectory

    func status(of path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> FileStatus

    func change(_ path: [UInt8], _ changes: FileChanges, followingLinks: Bool) throws(FileError.Cause)

    /// - Parameter mode: permission bits, of which the server's mask takes some away.
    func makeDirectory(_ path: [UInt8], mode: UInt16) throws(FileError.Cause)

    func removeDirectory(_ path: [UInt8]) throws(FileError.Cause)

    /// Removes anything but a directory.
    func remove(_ path: [UInt8]) throws(FileError.Cause)

    /// - Parameter replacing: whether what has the new name already is replaced, as rename(2) does; else it is an error.
    func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause)

    /// What a symbolic link holds.
    func readLink(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8]

    func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(FileError.Cause)

    func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(FileError.Cause)

    /// The path without links, `.` and `..`; its last component need not exist.
    func realPath(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8]

    func volume(of path: [UInt8]) throws(FileError.Cause) -> VolumeStatus
}

/// An open file, used by one session alone. Closed when released, if not before.
public protocol OpenFile: AnyObject {
    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int
    /// Writes all readable bytes.
    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError.Cause)
    func status() throws(FileError.Cause) -> FileStatus
    func change(_ changes: FileChanges) throws(FileError.Cause)
    func volume() throws(FileError.Cause) -> VolumeStatus
    /// Waits until all that was written is on the disk.
    func synchronize() throws(FileError.Cause)
    /// Whether both are one file, so that a copy from one to the other would run after itself.
    func isSameFile(as other: any OpenFile) -> Bool
    /// Closes the file and reports what a delayed write met.
    func close() throws(FileError.Cause)
}

extension OpenFile {
    public func isSameFile(as other: any OpenFile) -> Bool { self === other }
}

/// An open directory, used by one session alone. Closed when released.
public protocol OpenDirectory: AnyObject {
    /// The next entry, `.` and `..` among them; nil at the end.
    func next() throws(FileError.Cause) -> DirectoryEntry?
}

/// What a directory holds.
public struct DirectoryEntry: Equatable, Sendable {
    public var name: [UInt8]
    /// Of a link, not of what it points to; nil when it is gone.
    public var status: FileStatus?

    public init(name: [UInt8], status: FileStatus?) {
        self.name = name
        self.status = status
    }
}
