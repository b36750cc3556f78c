/// The directories from a root down to the current one, of which only the last few are kept open.
final class DirectoryStack {
    private struct Level {
        var name: [UInt8]
        var path: BytePath
        var identity: FileStatus.Identity
        var followsLink: Bool
        var directory: LocalDirectory?
    }

    /// Levels whose descriptors stay open, below the root.
    static let openLevels = 16

    private let root: LocalDirectory
    private var levels: [Level] = []

    init(root: LocalDirectory) { self.root = root }

    /// How many directories lie below the root.
    var depth: Int { levels.count }

    /// The path of the current directory.
    var path: BytePath { levels.last?.path ?? root.path }

    /// Whether the directory is the current one or one of those it lies in.
    func contains(_ identity: FileStatus.Identity) -> Bool {
        root.status.identity == identity || levels.contains { $0.identity == identity }
    }

    /// The current directory.
    ///
    /// - Throws: ``FileError`` if it had to be opened again and is not the same any more.
    func current() throws(FileError) -> LocalDirectory {
        guard let level = levels.last else { return root }
        if let directory = level.directory { return directory }
        let directory = try reopenTop()
        levels[levels.count - 1].directory = directory
        return directory
    }

    /// Goes down into a directory of the current one.
    func push(_ directory: LocalDirectory, name: [UInt8], followsLink: Bool) {
        levels.append(
            Level(
                name: name, path: directory.path, identity: directory.status.identity, followsLink: followsLink,
                directory: directory))
        let index = levels.count - 1 - Self.openLevels
        if index >= 0 { levels[index].directory = nil }
    }

    /// Goes up.
    func pop() {
        guard let level = levels.popLast(), let top = levels.last, top.directory == nil else { return }
        // The way up is short unless a link led down.
        guard let child = level.directory, !level.followsLink,
            let parent = try? child.openDirectory(Array("..".utf8), followingLinks: false),
            parent.status.identity == top.identity
        else { return }
        levels[levels.count - 1].directory = parent.renamed(top.path)
    }

    /// Goes all the way down again, from the lowest directory that is open.
    private func reopenTop() throws(FileError) -> LocalDirectory {
        var start = levels.count - 1
        while start > 0, levels[start - 1].directory == nil { start -= 1 }
        var directory = start > 0 ? levels[start - 1].directory ?? root : root
        for level in levels[start...] {
            directory = try directory.openDirectory(level.name, followingLinks: level.followsLink)
            guard directory.status.identity == level.identity else {
                throw FileError(path: level.path, operation: .open, cause: .directoryReplaced)
            }
        }
        return directory
    }
}
