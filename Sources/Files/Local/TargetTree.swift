import NIOCore
import Platform

/// What a copy carries over besides contents.
package struct FileAttributes: Sendable {
    /// Permission bits.
    package var mode: UInt16
    package var modified: FileTime?
    package var accessed: FileTime?
    /// User and group, where they are known and wanted.
    package var owner: (user: UInt32, group: UInt32)?

    package init(mode: UInt16, modified: FileTime? = nil, accessed: FileTime? = nil) {
        self.mode = mode
        self.modified = modified
        self.accessed = accessed
    }
}

/// A directory below a target, made or found by the transfer that writes into it.
package final class TargetDirectory {
    let name: [UInt8]
    package let path: BytePath
    let parent: TargetDirectory?
    package let identity: FileStatus.Identity
    let followsLink: Bool
    package var isNew: Bool
    package var attributes: FileAttributes
    /// Only some are kept open.
    fileprivate var directory: LocalDirectory?

    fileprivate init(
        _ directory: LocalDirectory, name: [UInt8], parent: TargetDirectory?, followsLink: Bool, isNew: Bool,
        attributes: FileAttributes
    ) {
        self.directory = directory
        self.name = name
        self.parent = parent
        self.followsLink = followsLink
        self.isNew = isNew
        self.attributes = attributes
        path = directory.path
        identity = directory.status.identity
    }
}

/// The files and directories of a transfer at their target, by the rules of OpenSSH's sink.
///
/// If the target is a directory, entries go into it under their own names, else the target is the name of each. Below
/// the target, names are resolved from one open directory to the next. They come from a peer: a symbolic link among
/// them is followed only if it was there before the transfer.
package final class TargetTree {
    package struct Options: Sendable {
        /// Sets modes as they come, and times (`-p`); else new files and directories get modes under the process's
        /// mask, without the set-id and sticky bits, and existing ones keep theirs.
        package var preserve: Bool
        /// A target that is no directory is an error.
        package var targetMustBeDirectory: Bool
        /// A file gets its name when it is whole.
        package var isAtomic = false
        /// Files and directories are on the disk before they are done.
        package var synchronizes = false

        package init(preserve: Bool = false, targetMustBeDirectory: Bool = false) {
            self.preserve = preserve
            self.targetMustBeDirectory = targetMustBeDirectory
        }
    }

    /// Directories kept open below the root.
    private static let openLimit = 64

    private let options: Options
    private let target: BytePath
    private let began = FileTime.now()
    private let mask: UInt16
    /// Where entries at the top go, and the target's own name there if it is no directory.
    private let rootPath: BytePath
    private let targetName: [UInt8]?
    private var openRoot: LocalDirectory?
    /// The open ones, the oldest first.
    private var open: [TargetDirectory] = []

    /// - Throws: ``FileError`` if the target must be a directory and is not.
    package init(target: BytePath, options: Options) throws(FileError) {
        self.options = options
        self.target = target
        mask = options.preserve ? 0 : LocalFileSystem.creationMask | 0o7000
        // An empty path is the name of nothing, and not of the working directory.
        if options.targetMustBeDirectory || target.bytes.isEmpty { try LocalFileSystem.requireDirectory(target) }
        let isDirectory = (try? LocalFileSystem.status(of: target).kind) == .directory
        rootPath = isDirectory ? target : target.parent
        targetName = isDirectory ? nil : target.lastComponent
    }

    /// A tree to look at as if the target had been made.
    package init(missingDirectory target: BytePath, options: Options) throws(FileError) {
        self.options = options
        self.target = target
        mask = 0
        (rootPath, targetName) = (target, nil)
    }

    /// Whether entries at the top go into the target, which is a directory.
    package var targetIsDirectory: Bool { targetName == nil }

    // MARK: Places

    private func root() throws(FileError) -> LocalDirectory {
        if let openRoot { return openRoot }
        do throws(FileError) {
            // Messages have the path that was typed, without `./` before it.
            let isImplied = targetName != nil && !target.bytes.contains(UInt8(ascii: "/"))
            let directory = try LocalDirectory.open(rootPath, shownAs: isImplied ? BytePath([]) : nil)
            openRoot = directory
            return directory
        } catch {
            // What the user named cannot be made, and not just its parent.
            throw targetName == nil ? error : FileError(path: target, operation: .open, cause: error.cause)
        }
    }

    /// The open directory; the root where there is none.
    ///
    /// - Throws: ``FileError`` if it had to be opened again and is not the same any more.
    package func opened(_ node: TargetDirectory?) throws(FileError) -> LocalDirectory {
        guard let node else { return try root() }
        if let directory = node.directory { return directory }
        var closed = [node]
        while let parent = closed[closed.count - 1].parent, parent.directory == nil { closed.append(parent) }
        var directory: LocalDirectory
        if let above = closed[closed.count - 1].parent?.directory { directory = above } else { directory = try root() }
        for level in closed.reversed() {
            directory = try directory.openDirectory(level.name, followingLinks: level.followsLink)
            guard directory.status.identity == level.identity else {
                throw FileError(path: level.path, operation: .open, cause: .directoryReplaced)
            }
        }
        keep(directory, of: node)
        return directory
    }

    private func keep(_ directory: LocalDirectory, of node: TargetDirectory) {
        node.directory = directory
        open.append(node)
        if open.count > Self.openLimit { open.removeFirst().directory = nil }
    }

    /// Where an entry goes, and whether its name is the user's own choice.
    private func place(
        _ name: [UInt8], in parent: TargetDirectory?
    ) throws(FileError) -> (LocalDirectory, name: [UInt8], isTrusted: Bool) {
        let directory = try opened(parent)
        if parent == nil, let targetName { return (directory, targetName, true) }
        return (directory, name, false)
    }

    /// The path an entry of this name gets.
    package func path(of name: [UInt8], in parent: TargetDirectory?) -> BytePath {
        if let parent { return parent.path.appending(name) }
        return targetName == nil ? target.appending(name) : target
    }

    // MARK: Entries

    /// Opens a file to be written: a new one, or one that is there, whose contents are overwritten.
    ///
    /// - Parameters:
    ///   - mustBeNew: one that is there is an error.
    ///   - isResumed: what an earlier attempt has left of it beside its name is used.
    package func createFile(
        _ name: [UInt8], mode: UInt16, in parent: TargetDirectory?, mustBeNew: Bool = false, isResumed: Bool = false
    ) throws(FileError) -> NewFile {
        let (directory, name, isTrusted) = try place(name, in: parent)
        if parent == nil, targetName != nil, target.bytes.last == UInt8(ascii: "/") {
            // The user meant a directory; a file must not take its name.
            throw FileError(path: target, operation: .open, errno: EISDIR)
        }
        let creationMode = mode & 0o777 | 0o200
        if options.isAtomic, isReplaceable(name, in: directory) {
            let place = NewFile.Place(directory: directory, name: name, mustBeNew: mustBeNew)
            if !isResumed { place.discard() }
            let file = try place.open(mode: creationMode)
            return NewFile(file: file, isNew: true, mode: mode, mask: mask, options: options, place: place)
        }
        if let file = try directory.createFile(name, mode: creationMode) {
            return NewFile(file: file, isNew: true, mode: mode, mask: mask, options: options)
        }
        if mustBeNew { throw FileError(path: directory.path.appending(name), operation: .open, errno: EEXIST) }
        let follows = isTrusted ? true : try followsLink(name, in: directory)
        let file = try directory.openForWriting(name, mode: creationMode, isTrusted: follows)
        guard isTrusted || file.status.kind == .regular else {
            throw FileError(path: file.path, operation: .open, cause: .notRegular)
        }
        return NewFile(file: file, isNew: false, mode: mode, mask: mask, options: options)
    }

    /// Whether another file may take the name: a device or FIFO is written to.
    private func isReplaceable(_ name: [UInt8], in directory: LocalDirectory) -> Bool {
        guard let status = try? directory.status(of: name, followingLinks: true) else { return true }
        return status.kind == .regular
    }

    /// Opens a regular file that is there, for reading.
    ///
    /// - Throws: ``FileError``, also where something else is, or a link that is not to be followed.
    package func openAgain(_ name: [UInt8], in parent: TargetDirectory?) throws(FileError) -> LocalFile {
        let (directory, name, isTrusted) = try place(name, in: parent)
        let follows = isTrusted ? true : try followsLink(name, in: directory)
        let status = try directory.status(of: name, followingLinks: follows)
        let file = try directory.openForReading(name)
        guard file.status.kind == .regular, file.status.identity == status.identity else {
            throw FileError(path: file.path, operation: .open, cause: .notRegular)
        }
        return file
    }

    /// What is there, or behind a link that is there; nil if nothing is.
    package func status(of name: [UInt8], in parent: TargetDirectory?) -> FileStatus? {
        guard let (directory, name, _) = try? place(name, in: parent),
            let own = try? directory.status(of: name, followingLinks: false)
        else { return nil }
        return own.kind == .symbolicLink ? (try? directory.status(of: name, followingLinks: true)) ?? own : own
    }

    /// A regular file that is there, open for reading; nil if there is none that may be read.
    package func existingFile(_ name: [UInt8], in parent: TargetDirectory?) -> LocalFile? {
        try? openAgain(name, in: parent)
    }

    /// What an earlier attempt has left of a file, open for reading; nil if nothing is.
    package func partialFile(_ name: [UInt8], in parent: TargetDirectory?) -> LocalFile? {
        guard options.isAtomic, let (directory, name, _) = try? place(name, in: parent) else {
            return existingFile(name, in: parent)
        }
        let part = PartialName.of(name)
        guard (try? directory.status(of: part, followingLinks: false))?.kind == .regular else { return nil }
        return try? directory.openForReading(part)
    }

    /// Whether the name is a link that was there when the transfer began.
    private func followsLink(_ name: [UInt8], in directory: LocalDirectory) throws(FileError) -> Bool {
        let status = try directory.status(of: name, followingLinks: false)
        guard status.kind == .symbolicLink else { return false }
        guard status.changed <= began else {
            throw FileError(path: directory.path.appending(name), operation: .open, cause: .linkAppeared)
        }
        return true
    }

    /// Makes a directory, or takes the one that is there.
    package func enterDirectory(
        _ name: [UInt8], attributes: FileAttributes, in parent: TargetDirectory?
    ) throws(FileError) -> TargetDirectory {
        let (directory, name, isTrusted) = try place(name, in: parent)
        let mode = attributes.mode & ~mask
        let isNew = try directory.makeDirectory(name, mode: mode & 0o777 | 0o700)
        var follows = false
        if !isNew { follows = isTrusted ? true : try followsLink(name, in: directory) }
        let child = try directory.openDirectory(name, followingLinks: follows)
        // A directory that lets nobody write is filled before it gets its mode.
        if !isNew, options.preserve, child.status.mode & 0o700 != 0o700 { try? child.setMode(mode | 0o700) }
        let node = TargetDirectory(
            child, name: name, parent: parent, followsLink: follows, isNew: isNew, attributes: attributes)
        keep(child, of: node)
        return node
    }

    /// The directory that is there, or behind a link that is there; nil if nothing is.
    package func findDirectory(
        _ name: [UInt8], attributes: FileAttributes, in parent: TargetDirectory?
    ) throws(FileError) -> TargetDirectory? {
        guard status(of: name, in: parent) != nil else { return nil }
        let (directory, name, isTrusted) = try place(name, in: parent)
        let follows = isTrusted ? true : try followsLink(name, in: directory)
        let child = try directory.openDirectory(name, followingLinks: follows)
        let node = TargetDirectory(
            child, name: name, parent: parent, followsLink: follows, isNew: false, attributes: attributes)
        keep(child, of: node)
        return node
    }

    /// Sets the attributes of a directory in which all is done.
    package func finish(_ node: TargetDirectory) throws(FileError) {
        let attributes = node.attributes
        let mode = attributes.mode & ~mask
        let needsMode = options.preserve || (node.isNew && mode & 0o700 != 0o700)
        let hasTimes = options.preserve && attributes.modified != nil
        guard needsMode || hasTimes || attributes.owner != nil || options.synchronizes else { return }
        let directory = try opened(node)
        if let owner = attributes.owner { directory.setOwner(owner.user, group: owner.group) }
        if needsMode { try directory.setMode(mode) }
        if options.preserve, let modified = attributes.modified {
            try directory.setTimes(accessed: attributes.accessed ?? modified, modified: modified)
        }
        if options.synchronizes { try directory.synchronize() }
    }
}
