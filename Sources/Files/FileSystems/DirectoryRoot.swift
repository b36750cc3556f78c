import NIOCore
import Platform

/// A directory of this machine as the root of what is served.
///
/// No path, link or rename leads out of it, whatever other processes change at the same time: paths are resolved by the
/// kernel under the rule to stay below the directory, or a component at a time where it has no such rule. Nothing is
/// confined if the directory is `/`.
public final class DirectoryRoot: FileSystem {
    private let resolver: DirectoryResolver
    private let isReadOnly: Bool
    private let creationMask: UInt16

    /// - Parameters:
    ///   - path: the directory, by a path of the machine's.
    ///   - isReadOnly: refuses every change.
    ///   - creationMask: permission bits that new files and directories do not get, beside those that the process's own
    ///     mask takes away.
    /// - Throws: ``FileError.Cause/system(_:)`` if the directory cannot be opened.
    public convenience init(path: [UInt8], isReadOnly: Bool = false, creationMask: UInt16 = 0) throws(FileError.Cause) {
        try self.init(path: path, isReadOnly: isReadOnly, creationMask: creationMask, confinement: nil)
    }

    /// - Parameter confinement: how paths are kept inside; nil for what suits the directory and the system.
    package init(
        path: [UInt8], isReadOnly: Bool = false, creationMask: UInt16 = 0, confinement: DirectoryConfinement?
    ) throws(FileError.Cause) {
        resolver = try DirectoryResolver(path: path, confinement: confinement)
        self.isReadOnly = isReadOnly
        self.creationMask = creationMask
    }

    private init(resolver: DirectoryResolver, isReadOnly: Bool, creationMask: UInt16) {
        self.resolver = resolver
        self.isReadOnly = isReadOnly
        self.creationMask = creationMask
    }

    /// A directory below as a root of its own, under the same rules.
    ///
    /// - Throws: ``FileError.Cause`` if there is none, or it lies outside.
    public func directory(_ path: [UInt8]) throws(FileError.Cause) -> DirectoryRoot {
        let descriptor = try resolver.open(try DirectoryPath(path), O_DIRECTORY | SystemCall.placeFlags)
        return DirectoryRoot(
            resolver: DirectoryResolver(root: descriptor, confinement: nil), isReadOnly: isReadOnly,
            creationMask: creationMask)
    }

    package var confinement: DirectoryConfinement { resolver.confinement }

    private func requireWritable() throws(FileError.Cause) {
        if isReadOnly { throw .readOnly }
    }

    // MARK: Opening

    public func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> any OpenFile {
        if options.writes || options.creates || options.truncates || options.appends { try requireWritable() }
        var flags = options.writes ? (options.reads ? O_RDWR : O_WRONLY) : O_RDONLY
        if options.appends { flags |= O_APPEND }
        if options.creates { flags |= O_CREAT }
        if options.truncates { flags |= O_TRUNC }
        if options.isExclusive { flags |= O_EXCL }
        let mode = options.creates ? options.mode & 0o7777 & ~creationMask : 0
        let descriptor = try openRegular(try DirectoryPath(path), flags, mode: mode)
        return DirectoryFile(descriptor: descriptor, appends: options.appends)
    }

    /// Opens a regular file; what is something else is not waited for, and closed again.
    ///
    /// Files of procfs count as something else: `/proc/self/mem` is this process's memory, with its keys and the
    /// passwords of others. What links there lead to is on other file systems, and is a file like any.
    private func openRegular(_ path: DirectoryPath, _ flags: Int32, mode: UInt16 = 0) throws(FileError.Cause) -> Int32 {
        let descriptor = try resolver.open(path, flags | O_NONBLOCK | O_NOCTTY, mode: mode)
        var status = stat()
        let error: FileError.Cause? =
            if fstat(descriptor, &status) != 0 {
                .system(errno)
            } else if status.st_mode & S_IFMT == S_IFREG {
                // Those of procfs take up no blocks. To ask for the file system may take a round trip to its server.
                status.st_blocks > 0 ? nil : Self.refusalOfProcessFile(descriptor)
            } else {
                status.st_mode & S_IFMT == S_IFDIR ? .system(EISDIR) : .notRegular
            }
        if let error {
            _ = SystemCall.close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func refusalOfProcessFile(_ descriptor: Int32) -> FileError.Cause? {
        do throws(SystemCall.Failure) {
            return try SystemCall.isOfProcessFileSystem(descriptor) ? .notRegular : nil
        } catch {
            return .system(error.number)
        }
    }

    public func openDirectory(_ path: [UInt8]) throws(FileError.Cause) -> any OpenDirectory {
        let descriptor = try resolver.open(try DirectoryPath(path), O_RDONLY | O_DIRECTORY)
        let isRoot = resolver.confinement != .none && isSame(descriptor, resolver.root)
        return try DirectoryEntries(descriptor: descriptor, isRoot: isRoot)
    }

    private func isSame(_ a: Int32, _ b: Int32) -> Bool {
        var (first, second) = (stat(), stat())
        return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }

    // MARK: Attributes

    public func status(of path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> FileStatus {
        let path = try DirectoryPath(path)
        // A link that is named with a slash behind it stands for what it points to.
        guard !followingLinks, !path.endsInSlash, let last = path.names.last, last != [dot], last != [dot, dot] else {
            return FileStatus(try resolver.status(of: path))
        }
        return FileStatus(
            try resolver.withParent(of: path, rootError: EINVAL) { directory, name throws(SystemCall.Failure) in
                try Self.status(of: (directory, name))
            })
    }

    /// What an entry is; a link is not followed.
    private static func status(of entry: Entry) throws(SystemCall.Failure) -> stat {
        try SystemCall.status(at: entry.directory, entry.name, followingLinks: false)
    }

    public func change(_ path: [UInt8], _ changes: FileChanges, followingLinks: Bool) throws(FileError.Cause) {
        try requireWritable()
        let path = try DirectoryPath(path)
        guard followingLinks || path.endsInSlash else {
            var failure: FileError.Cause?
            try resolver.withParent(of: path, rootError: EINVAL) { directory, name in
                do throws(FileError.Cause) {
                    // A link has no size to be set.
                    try ChangeOfFile(.entry(directory, name)).apply(changes) { _ throws(SystemCall.Failure) in
                        throw SystemCall.Failure(number: EINVAL)
                    }
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            return
        }
        try withTarget(path) { target throws(FileError.Cause) in
            try ChangeOfFile(target).apply(changes) { size throws(SystemCall.Failure) in
                try truncate(path, size)
            }
        }
    }

    private func truncate(_ path: DirectoryPath, _ size: off_t) throws(SystemCall.Failure) {
        do throws(FileError.Cause) {
            let descriptor = try openRegular(path, O_WRONLY)
            defer { _ = SystemCall.close(descriptor) }
            try served { () throws(SystemCall.Failure) in _ = try SystemCall.run { ftruncate(descriptor, size) } }
        } catch {
            if case .system(let number) = error { throw SystemCall.Failure(number: number) }
            throw SystemCall.Failure(number: EINVAL)
        }
    }

    /// Finds what a path stands for, links followed, for calls that need no right to read it.
    private func withTarget(
        _ path: DirectoryPath, _ body: (ChangeOfFile.Target) throws(FileError.Cause) -> Void
    ) throws(FileError.Cause) {
        if resolver.confinement == .none { return try body(.path(resolver.root, path.joined)) }
        let descriptor = try resolver.open(path, SystemCall.lookFlags)
        defer { _ = SystemCall.close(descriptor) }
        if let path = SystemCall.path(of: descriptor) { return try body(.path(AT_FDCWD, path)) }
        let file = try resolver.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        defer { _ = SystemCall.close(file) }
        try body(.descriptor(file))
    }

    public func volume(of path: [UInt8]) throws(FileError.Cause) -> VolumeStatus {
        let descriptor = try resolver.open(try DirectoryPath(path), SystemCall.lookFlags)
        defer { _ = SystemCall.close(descriptor) }
        return try VolumeStatus(descriptor: descriptor)
    }

    // MARK: Names

    public func makeDirectory(_ path: [UInt8], mode: UInt16) throws(FileError.Cause) {
        try requireWritable()
        let mode = mode_t(mode & 0o7777 & ~creationMask)
        try onEntry(try DirectoryPath(path), rootError: EEXIST) { mkdirat($0, $1, mode) }
    }

    public func removeDirectory(_ path: [UInt8]) throws(FileError.Cause) {
        try requireWritable()
        try onEntry(try DirectoryPath(path), rootError: EBUSY) { unlinkat($0, $1, AT_REMOVEDIR) }
    }

    public func remove(_ path: [UInt8]) throws(FileError.Cause) {
        try requireWritable()
        let path = try DirectoryPath(path)
        if path.endsInSlash { throw .system(try isDirectory(path) ? EISDIR : ENOTDIR) }
        try onEntry(path, rootError: EISDIR) { unlinkat($0, $1, 0) }
    }

    /// Whether what has a name is a directory, a slash behind the name aside.
    ///
    /// - Throws: `FileError.Cause`, as for a name that nothing has.
    private func isDirectory(_ path: DirectoryPath) throws(FileError.Cause) -> Bool {
        try resolver.withParent(of: path, rootError: EBUSY) { directory, name throws(SystemCall.Failure) in
            try Self.status(of: (directory, name)).st_mode & S_IFMT == S_IFDIR
        }
    }

    /// Refuses a name for what is no directory if a slash is behind it.
    private func refuseSlash(behind path: DirectoryPath) throws(FileError.Cause) {
        guard path.endsInSlash else { return }
        _ = try isDirectory(path)
        throw .system(EEXIST)
    }

    /// Runs a call on an entry of a directory.
    private func onEntry(
        _ path: DirectoryPath, rootError: Int32, _ body: (Int32, UnsafePointer<CChar>) -> Int32
    ) throws(FileError.Cause) {
        try resolver.withParent(of: path, rootError: rootError) { directory, name throws(SystemCall.Failure) in
            try SystemCall.withPath(name) { name throws(SystemCall.Failure) in
                _ = try SystemCall.run { body(directory, name) }
            }
        }
    }

    public func readLink(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        let path = try DirectoryPath(path)
        if path.endsInSlash {
            // It stands for what the link points to, which is a directory then, and no link.
            _ = try resolver.status(of: path)
            throw .system(EINVAL)
        }
        return try resolver.withParent(of: path, rootError: EINVAL) {
            directory, name throws(SystemCall.Failure) in
            try Files.readLink(at: directory, name)
        }
    }

    public func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(FileError.Cause) {
        try requireWritable()
        let path = try DirectoryPath(path)
        try refuseSlash(behind: path)
        if resolver.confinement != .none { try checkLink(at: path, holding: target) }
        try resolver.withParent(of: path, rootError: EEXIST) { directory, name throws(SystemCall.Failure) in
            try SystemCall.withPath(target) { target throws(SystemCall.Failure) in
                try SystemCall.withPath(name) { name throws(SystemCall.Failure) in
                    _ = try SystemCall.run { symlinkat(target, directory, name) }
                }
            }
        }
    }

    /// Refuses a link whose text is absolute or climbs above the root: no resolution here would follow it, but programs
    /// outside would. A `..` behind a name is refused too, as the name may be a link, now or later.
    private func checkLink(at path: DirectoryPath, holding target: [UInt8]) throws(FileError.Cause) {
        guard target.first != slash else { throw .leadsOut }
        let names = Files.components(of: target).filter { $0 != [dot] }
        let climbs = names.prefix { $0 == [dot, dot] }.count
        guard !names.dropFirst(climbs).contains([dot, dot]) else { throw .leadsOut }
        let depth = try resolver.walk(path.parent).realNames().count
        guard climbs <= depth else { throw .leadsOut }
    }

    public func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(FileError.Cause) {
        try requireWritable()
        let (old, new) = (try DirectoryPath(existing), try DirectoryPath(path))
        if old.endsInSlash {
            // What is no directory is not there under that name, and a directory gets no second one.
            _ = try resolver.status(of: old)
            throw .system(EPERM)
        }
        try refuseSlash(behind: new)
        try bring(old, to: new, newRootError: EEXIST) { old, new throws(SystemCall.Failure) in
            try Self.link(old, new)
        }
    }

    public func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause) {
        try requireWritable()
        let (old, new) = (try DirectoryPath(old), try DirectoryPath(new))
        let needsDirectory = old.endsInSlash || new.endsInSlash
        try bring(old, to: new, newRootError: replacing ? EBUSY : EEXIST) { old, new throws(SystemCall.Failure) in
            if needsDirectory, try Self.status(of: old).st_mode & S_IFMT != S_IFDIR {
                throw SystemCall.Failure(number: ENOTDIR)
            }
            if replacing { try Self.rename(old, new) } else { try Self.renameExclusively(old, new) }
        }
    }

    /// Runs a call that gives a file a new name. A symbolic link that gets to another directory must be one that could be
    /// made there.
    private func bring(
        _ old: DirectoryPath, to new: DirectoryPath, newRootError: Int32,
        _ body: (Entry, Entry) throws(SystemCall.Failure) -> Void
    ) throws(FileError.Cause) {
        var refusal: FileError.Cause?
        try resolver.withParents(of: old, new, newRootError: newRootError) {
            oldEntry, newEntry throws(SystemCall.Failure) in
            if resolver.confinement != .none, !isSame(oldEntry.directory, newEntry.directory),
                let target = try linkTarget(oldEntry)
            {
                do throws(FileError.Cause) {
                    try checkLink(at: new, holding: target)
                } catch {
                    refusal = error
                    return
                }
            }
            try body(oldEntry, newEntry)
        }
        if let refusal { throw refusal }
    }

    /// What a symbolic link holds; nil for anything else.
    private func linkTarget(_ entry: Entry) throws(SystemCall.Failure) -> [UInt8]? {
        do throws(SystemCall.Failure) {
            return try Files.readLink(at: entry.directory, entry.name)
        } catch {
            guard error.number == EINVAL else { throw error }
            return nil
        }
    }

    public func realPath(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        let names = try resolver.walk(try DirectoryPath(path)).realNames()
        return [slash] + names.joined(separator: [slash])
    }
}
