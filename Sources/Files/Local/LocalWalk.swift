import Platform

/// What a walk meets, in the order a source sends it.
package enum WalkItem<File> {
    /// A regular file, open for reading.
    case file(name: [UInt8], File)
    /// A directory whose entries come next, up to its ``leaveDirectory``.
    case enterDirectory(name: [UInt8], path: BytePath, FileStatus)
    case leaveDirectory
    /// Something that cannot be read; the walk goes on.
    case failure(FileError)
    /// An entry that nobody wants to have opened.
    case passedBy
}

/// Goes through files and directory trees, one entry at a time: neither the entries of a large directory nor the
/// directories of a deep tree are held in memory or open all at once.
///
/// Symbolic links are followed, as scp does. A directory met again inside itself is a failure, not a cycle.
package final class LocalWalk {
    package struct Options: Sendable {
        /// Whether directories are entered.
        package var recursive: Bool
        /// Directories nested deeper than this are a failure.
        package var maximumDepth: Int
        /// A directory that is not entered: the target of a copy into itself.
        package var excluded: FileStatus.Identity?
        package var unnamed = Unnamed.entered

        package init(recursive: Bool, maximumDepth: Int = 1_000, excluded: FileStatus.Identity? = nil) {
            self.recursive = recursive
            self.maximumDepth = maximumDepth
            self.excluded = excluded
        }
    }

    /// What becomes of a source without a name of its own: `.`, `..`, `/`.
    package enum Unnamed: Sendable {
        /// It is a directory of the name `.`.
        case entered
        /// Its entries stand for it: a record cannot name it.
        case replacedByEntries
        /// It is a failure.
        case refused
    }

    /// Whether an entry need not be opened: its name, its path, whether it is a directory, as far as that is known, and what says
    /// the rest of it.
    package typealias Chooser = (
        _ name: [UInt8], _ path: BytePath, _ isDirectory: Bool?, _ status: () throws(FileError) -> FileStatus
    ) throws(FileError) -> Bool

    private var options: Options
    /// Asked about every file of the sources, and every directory below them, before it is looked at.
    package var passesBy: Chooser?
    private var sources: ArraySlice<BytePath>
    /// The tree of the source at hand.
    private var stack: DirectoryStack?
    private var listings: [DirectoryListing] = []
    /// The directory named `.` or `..` or the root has no name to send: its entries stand for it.
    private var rootIsNamed = true

    package init(sources: [BytePath], options: Options) {
        self.sources = sources[...]
        self.options = options
    }

    /// The next item; nil after the last.
    package func next() -> WalkItem<LocalFile>? {
        while true {
            if let stack, !listings.isEmpty {
                if let item = nextEntry(of: stack) { return item }
            } else if let source = sources.popFirst() {
                if let item = begin(source) { return item }
            } else {
                return nil
            }
        }
    }

    /// Leaves out the entries of the directory just entered, and its ``WalkItem/leaveDirectory``.
    package func skipDirectory() {
        guard !listings.isEmpty else { return }
        leave()
    }

    /// Sets the directory that is not entered.
    package func exclude(_ identity: FileStatus.Identity?) { options.excluded = identity }

    /// Whether it goes through a source that has no name, for which its entries stand.
    package var isInUnnamed: Bool { !rootIsNamed }

    private func begin(_ source: BytePath) -> WalkItem<LocalFile>? {
        let path = source.trimmed
        rootIsNamed = true
        do throws(FileError) {
            let status = try LocalFileSystem.status(of: path)
            if status.kind != .directory, let passesBy,
                try passesBy(path.lastComponent, path, false, { () throws(FileError) in status })
            {
                return .passedBy
            }
            switch status.kind {
            case .directory where options.recursive:
                if !path.hasName, options.unnamed == .refused {
                    throw FileError(path: path, operation: .open, cause: .unnamed)
                }
                let directory = try LocalDirectory.open(path)
                try checkExclusion(directory)
                listings.append(try DirectoryListing(directory))
                stack = DirectoryStack(root: directory)
                rootIsNamed = path.hasName || options.unnamed != .replacedByEntries
                let name = path.hasName ? path.lastComponent : [UInt8(ascii: ".")]
                return rootIsNamed ? .enterDirectory(name: name, path: path, directory.status) : nil
            case .regular:
                let file = try LocalDirectory.openForReading(path)
                return try regular(file, name: path.lastComponent)
            default:
                throw FileError(path: path, operation: .open, cause: .notRegular)
            }
        } catch {
            return .failure(error)
        }
    }

    private func regular(_ file: LocalFile, name: [UInt8]) throws(FileError) -> WalkItem<LocalFile> {
        guard file.status.kind == .regular else {
            throw FileError(path: file.path, operation: .open, cause: .notRegular)
        }
        return .file(name: name, file)
    }

    /// The next item of the current directory; nil when a directory without a name has ended.
    private func nextEntry(of stack: DirectoryStack) -> WalkItem<LocalFile>? {
        do throws(FileError) {
            guard let listing = listings.last, let entry = try listing.next() else {
                let wasRoot = listings.count == 1
                leave()
                return wasRoot && !rootIsNamed ? nil : .leaveDirectory
            }
            return try item(entry, in: try stack.current(), of: stack)
        } catch {
            return .failure(error)
        }
    }

    private func item(
        _ entry: ListedEntry, in directory: LocalDirectory, of stack: DirectoryStack
    ) throws(FileError) -> WalkItem<LocalFile> {
        let path = directory.path.appending(entry.name)
        let notRegular = FileError(path: path, operation: .open, cause: .notRegular)
        if let passesBy,
            try passesBy(
                entry.name, path, entry.isDirectory,
                { () throws(FileError) in try directory.status(of: entry.name, followingLinks: true) })
        {
            return .passedBy
        }
        if entry.isSpecial { throw notRegular }
        // What a link leads to may be a device, and opening one can be an act.
        if !entry.isPlain, try directory.status(of: entry.name, followingLinks: true).kind.isSpecial {
            throw notRegular
        }
        let file = try directory.openForReading(entry.name)
        guard file.status.kind == .directory else { return try regular(file, name: entry.name) }
        guard options.recursive else { throw notRegular }
        let child = try directory.openDirectory(entry.name, followingLinks: true)
        if stack.contains(child.status.identity) {
            throw FileError(path: path, operation: .open, cause: .system(ELOOP))
        }
        try checkExclusion(child)
        guard stack.depth + 1 < options.maximumDepth else {
            throw FileError(path: path, operation: .open, cause: .tooDeep(limit: options.maximumDepth))
        }
        listings.append(try DirectoryListing(child))
        stack.push(child, name: entry.name, followsLink: !entry.isPlain)
        let old = listings.count - 1 - DirectoryStack.openLevels
        if old >= 0 { listings[old].loadRest() }
        return .enterDirectory(name: entry.name, path: path, child.status)
    }

    private func checkExclusion(_ directory: LocalDirectory) throws(FileError) {
        guard let excluded = options.excluded, excluded == directory.status.identity else { return }
        throw FileError(path: directory.path, operation: .open, cause: .intoItself(directory.path))
    }

    private func leave() {
        listings.removeLast()
        if listings.isEmpty {
            stack = nil
        } else {
            stack?.pop()
        }
    }
}
