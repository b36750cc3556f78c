import NIOCore
import Platform
import Synchronization

/// Files in memory, for test suites and for programs that serve what is on no disk.
///
/// ```swift
/// let files = MemoryFileSystem(["a.txt": "hello", "photos/cat.jpg": "…"])
/// let server = SCPServer(files: files)
/// // …
/// #expect(files.contents(of: "b.txt") == Array("hello".utf8))
/// ```
///
/// It fails as a real file system does, with the same values of errno, except that modes keep nobody out. Links are
/// resolved inside; one with an absolute target, or with more `..` than there are directories, leads out and is refused
/// when it is followed.
public final class MemoryFileSystem: FileSystem {
    let tree: Mutex<MemoryTree>

    /// - Parameters:
    ///   - files: contents by path; directories are made as needed.
    ///   - capacity: how many bytes all files may have together; what goes beyond fails with ENOSPC.
    ///   - mask: permission bits that new files and directories do not get.
    public init(_ files: [String: String] = [:], capacity: Int = 1 << 30, mask: UInt16 = 0o022) {
        tree = Mutex(MemoryTree(capacity: capacity, mask: mask))
        for (path, text) in files { try? write(Array(text.utf8), to: path) }
    }

    // MARK: For who looks in from outside

    /// The bytes of a file; nil if there is none of that path.
    public func contents(of path: String) -> [UInt8]? {
        tree.withLock { tree in (try? tree.find(Array(path.utf8), followingLinks: true))?.bytes }
    }

    /// The text of a file, made or replaced; nil if there is none of that path.
    public subscript(path: String) -> String? { contents(of: path).map { String(decoding: $0, as: UTF8.self) } }

    /// Makes or replaces a file, and the directories above it as needed.
    ///
    /// - Throws: ``FileError.Cause``, as when something else than a directory is above it, or the capacity does not do.
    public func write(_ bytes: [UInt8], to path: String, mode: UInt16 = 0o644) throws(FileError.Cause) {
        let components = path.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
        var options = OpenOptions()
        (options.writes, options.creates, options.truncates) = (true, true, true)
        options.mode = mode
        for count in 1..<max(1, components.count) {
            do throws(FileError.Cause) {
                try makeDirectory(Array(components[..<count].joined(separator: [UInt8(ascii: "/")])), mode: 0o777)
            } catch {
                guard error == .system(EEXIST) else { throw error }
            }
        }
        try open(Array(path.utf8), options).write(ByteBuffer(bytes: bytes), at: 0)
    }

    /// The paths of all that is there, sorted, directories with a slash at the end.
    public var paths: [String] { tree.withLock { tree in tree.paths() } }

    // MARK: FileSystem

    public func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> any OpenFile {
        let node = try locked { tree throws(FileError.Cause) in try tree.open(path, options) }
        return MemoryFile(node: node, files: self, options: options)
    }

    public func openDirectory(_ path: [UInt8]) throws(FileError.Cause) -> any OpenDirectory {
        let entries = try locked { tree throws(FileError.Cause) in
            try tree.entries(of: tree.find(path, followingLinks: true))
        }
        return MemoryDirectory(entries: entries)
    }

    public func status(of path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> FileStatus {
        try locked { tree throws(FileError.Cause) in try tree.find(path, followingLinks: followingLinks).status }
    }

    public func change(_ path: [UInt8], _ changes: FileChanges, followingLinks: Bool) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in
            try tree.change(tree.find(path, followingLinks: followingLinks).identity, changes)
        }
    }

    public func makeDirectory(_ path: [UInt8], mode: UInt16) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in
            let place = try tree.place(path)
            try tree.add(MemoryNode(.directory([:]), mode: mode & ~tree.mask), at: place)
        }
    }

    public func removeDirectory(_ path: [UInt8]) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in
            let place = try tree.place(path)
            guard let node = place.node else { throw .system(place.isRoot ? EBUSY : ENOENT) }
            guard case .directory(let entries) = node.content else { throw .system(ENOTDIR) }
            guard entries.isEmpty else { throw .system(ENOTEMPTY) }
            tree.take(place)
        }
    }

    public func remove(_ path: [UInt8]) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in
            let place = try tree.place(path)
            guard let node = place.node else { throw .system(place.isRoot ? EISDIR : ENOENT) }
            if case .directory = node.content { throw .system(EISDIR) }
            if place.mustBeDirectory { throw .system(ENOTDIR) }
            tree.take(place)
        }
    }

    public func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in try tree.rename(old, to: new, replacing: replacing) }
    }

    public func readLink(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        try locked { tree throws(FileError.Cause) in
            guard case .link(let target) = try tree.find(path, followingLinks: false).content else {
                throw .system(EINVAL)
            }
            return target
        }
    }

    public func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(FileError.Cause) {
        guard !target.isEmpty else { throw .system(ENOENT) }
        try locked { tree throws(FileError.Cause) in
            let place = try tree.place(path)
            if place.node == nil, place.mustBeDirectory { throw .system(ENOENT) }
            try tree.add(MemoryNode(.link(target), mode: 0o777), at: place)
        }
    }

    public func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(FileError.Cause) {
        try locked { tree throws(FileError.Cause) in
            let node = try tree.find(existing, followingLinks: false)
            if case .directory = node.content { throw .system(EPERM) }
            let place = try tree.place(path)
            if place.node == nil, place.mustBeDirectory { throw .system(ENOENT) }
            try tree.add(node, at: place)
        }
    }

    public func realPath(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        try locked { tree throws(FileError.Cause) in try tree.realPath(path) }
    }

    public func volume(of path: [UInt8]) throws(FileError.Cause) -> VolumeStatus {
        try locked { tree throws(FileError.Cause) in
            _ = try tree.find(path, followingLinks: true)
            return tree.volume
        }
    }

    /// The tree for one step, with the error's type kept.
    func locked<T: Sendable>(
        _ body: (inout MemoryTree) throws(FileError.Cause) -> T
    ) throws(FileError.Cause) -> T {
        let result: Result<T, FileError.Cause> = tree.withLock { tree in
            do throws(FileError.Cause) {
                return .success(try body(&tree))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// An open file of a ``MemoryFileSystem``; one whose name is gone lives on in it.
private final class MemoryFile: OpenFile {
    private let node: FileStatus.Identity
    private let files: MemoryFileSystem
    private let options: OpenOptions
    private var isClosed = false

    init(node: FileStatus.Identity, files: MemoryFileSystem, options: OpenOptions) {
        (self.node, self.files, self.options) = (node, files, options)
    }

    deinit { try? close() }

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int {
        guard options.reads else { throw .system(EBADF) }
        guard offset >= 0, count >= 0 else { throw .system(EINVAL) }
        let bytes = try locked { tree throws(FileError.Cause) in try tree.node(node).read(count: count, at: offset) }
        return buffer.writeBytes(bytes)
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError.Cause) {
        guard options.writes || options.appends else { throw .system(EBADF) }
        guard offset >= 0 else { throw .system(EINVAL) }
        try locked { tree throws(FileError.Cause) in
            try tree.write(bytes, at: options.appends ? nil : offset, of: node)
        }
    }

    func status() throws(FileError.Cause) -> FileStatus {
        try locked { tree throws(FileError.Cause) in try tree.node(node).status }
    }

    func change(_ changes: FileChanges) throws(FileError.Cause) {
        if changes.size != nil, !options.writes { throw .system(EINVAL) }
        try locked { tree throws(FileError.Cause) in try tree.change(node, changes) }
    }

    func volume() throws(FileError.Cause) -> VolumeStatus { try locked { tree throws(FileError.Cause) in tree.volume } }

    func isSameFile(as other: any OpenFile) -> Bool { (other as? MemoryFile)?.node == node }

    func synchronize() throws(FileError.Cause) { try locked { _ throws(FileError.Cause) in } }

    func close() throws(FileError.Cause) {
        guard !isClosed else { return }
        isClosed = true
        try files.locked { tree throws(FileError.Cause) in tree.close(node) }
    }

    private func locked<T: Sendable>(
        _ body: (inout MemoryTree) throws(FileError.Cause) -> T
    ) throws(FileError.Cause) -> T {
        guard !isClosed else { throw .system(EBADF) }
        return try files.locked(body)
    }
}

/// The entries of a directory at the moment it was opened.
private final class MemoryDirectory: OpenDirectory {
    private var entries: ArraySlice<DirectoryEntry>

    init(entries: [DirectoryEntry]) { self.entries = entries[...] }

    func next() throws(FileError.Cause) -> DirectoryEntry? { entries.popFirst() }
}
