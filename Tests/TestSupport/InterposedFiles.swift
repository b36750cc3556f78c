import Files
import NIOCore
import Synchronization

/// A file system in front of another one: a test is told of each call before it is passed on, and may hold it up or have
/// it fail; what files hold may be faulty.
package struct InterposedFiles: FileSystem {
    /// The calls of ``FileSystem``.
    package enum Call: Hashable, CaseIterable, Sendable {
        case open, openDirectory, status, change, makeDirectory, removeDirectory, remove, rename, readLink,
            makeSymbolicLink, makeHardLink, realPath, volume
    }

    package var base: any FileSystem
    /// Is told of a call and its (first) path on the thread that makes it; what it throws is the call's error.
    package var before: @Sendable (Call, [UInt8]) throws(FileError.Cause) -> Void = { _, _ in }
    /// Stands for the entries of every directory; nil for those that there are.
    package var nextEntry: (@Sendable () throws(FileError.Cause) -> DirectoryEntry?)?
    private let faults: FileFaults
    private let state = FaultyFile.State()

    package init(
        _ base: any FileSystem = MemoryFileSystem(["a.txt": "hello"]), faults: FileFaults = FileFaults()
    ) {
        self.base = base
        self.faults = faults
    }

    package func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> any OpenFile {
        try before(.open, path)
        return FaultyFile(try base.open(path, options), faults, state)
    }

    package func openDirectory(_ path: [UInt8]) throws(FileError.Cause) -> any OpenDirectory {
        try before(.openDirectory, path)
        if let nextEntry { return InterposedDirectory(nextEntry) }
        return try base.openDirectory(path)
    }

    package func status(of path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> FileStatus {
        try before(.status, path)
        return try base.status(of: path, followingLinks: followingLinks)
    }

    package func change(_ path: [UInt8], _ changes: FileChanges, followingLinks: Bool) throws(FileError.Cause) {
        try before(.change, path)
        try base.change(path, changes, followingLinks: followingLinks)
    }

    package func makeDirectory(_ path: [UInt8], mode: UInt16) throws(FileError.Cause) {
        try before(.makeDirectory, path)
        try base.makeDirectory(path, mode: mode)
    }

    package func removeDirectory(_ path: [UInt8]) throws(FileError.Cause) {
        try before(.removeDirectory, path)
        try base.removeDirectory(path)
    }

    package func remove(_ path: [UInt8]) throws(FileError.Cause) {
        try before(.remove, path)
        try base.remove(path)
    }

    package func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause) {
        try before(.rename, old)
        try base.rename(old, to: new, replacing: replacing)
    }

    package func readLink(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        try before(.readLink, path)
        return try base.readLink(path)
    }

    package func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(FileError.Cause) {
        try before(.makeSymbolicLink, path)
        try base.makeSymbolicLink(path, holding: target)
    }

    package func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(FileError.Cause) {
        try before(.makeHardLink, path)
        try base.makeHardLink(path, to: existing)
    }

    package func realPath(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        try before(.realPath, path)
        return try base.realPath(path)
    }

    package func volume(of path: [UInt8]) throws(FileError.Cause) -> VolumeStatus {
        try before(.volume, path)
        return try base.volume(of: path)
    }
}

private final class InterposedDirectory: OpenDirectory {
    private let nextEntry: @Sendable () throws(FileError.Cause) -> DirectoryEntry?

    init(_ nextEntry: @escaping @Sendable () throws(FileError.Cause) -> DirectoryEntry?) { self.nextEntry = nextEntry }

    func next() throws(FileError.Cause) -> DirectoryEntry? { try nextEntry() }
}
