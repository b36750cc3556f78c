import Files
import NIOCore
import Platform

/// Goes through the files and directories that `scp -f` was asked for, one entry at a time.
///
/// Links are followed as far as the file system that is served allows. A directory met again inside itself is a failure.
final class ServedWalk: SCPSourceWalk {
    private struct Level {
        let path: BytePath
        /// Without links, to know it again.
        let realPath: [UInt8]
        var entries: ServedEntries
    }

    /// Directories nested deeper than this are a failure.
    static let maximumDepth = 1_000
    /// Directories that stay open while those below them are listed.
    private static let openLevels = 16

    private let places: ServedPlaces
    private let recursive: Bool
    private var sources: ArraySlice<BytePath>
    private var levels: [Level] = []

    init(places: ServedPlaces, sources: [BytePath], recursive: Bool) {
        self.places = places
        self.recursive = recursive
        self.sources = sources[...]
    }

    func next() -> WalkItem<ServedSource>? {
        do throws(FileError) {
            if !levels.isEmpty { return try nextEntry() }
            guard let source = sources.first else { return nil }
            sources = sources.dropFirst()
            return try begin(source)
        } catch {
            return .failure(error)
        }
    }

    func skipDirectory() { _ = levels.popLast() }

    private func begin(_ source: BytePath) throws(FileError) -> WalkItem<ServedSource> {
        // An empty path is the name of nothing, and not of the home directory.
        guard !source.bytes.isEmpty else { throw FileError(path: source, operation: .open, errno: ENOENT) }
        // With its slash: that says a directory is meant.
        let status = try look(at: source)
        let path = source.trimmed
        guard status.kind == .directory else { return try open(path, kind: status.kind) }
        guard recursive else { throw FileError(path: path, operation: .open, cause: .notRegular) }
        guard path.hasName else { throw FileError(path: path, operation: .open, cause: .unnamed) }
        return try enter(path, status, realPath: try real(path))
    }

    private func nextEntry() throws(FileError) -> WalkItem<ServedSource> {
        guard let level = levels.last, let entry = try level.entries.next() else {
            levels.removeLast()
            return .leaveDirectory
        }
        let path = level.path.appending(entry.name)
        let isLink = entry.status.map { $0.kind == .symbolicLink } ?? true
        guard let status = isLink ? try look(at: path) : entry.status, status.kind == .directory else {
            return try open(path, kind: entry.status?.kind ?? .regular)
        }
        guard levels.count < Self.maximumDepth else {
            throw FileError(path: path, operation: .open, cause: .tooDeep(limit: Self.maximumDepth))
        }
        let realPath = isLink ? try real(path) : BytePath(level.realPath).appending(entry.name).bytes
        if levels.contains(where: { $0.realPath == realPath }) {
            throw FileError(path: path, operation: .open, errno: ELOOP)
        }
        return try enter(path, status, realPath: realPath)
    }

    private func look(at path: BytePath) throws(FileError) -> FileStatus {
        do throws(FileError.Cause) {
            return try places.files.status(of: places.absolute(path), followingLinks: true)
        } catch {
            throw places.failure(error, path, .open)
        }
    }

    private func real(_ path: BytePath) throws(FileError) -> [UInt8] {
        do throws(FileError.Cause) {
            return try places.files.realPath(places.absolute(path))
        } catch {
            throw places.failure(error, path, .open)
        }
    }

    private func enter(
        _ path: BytePath, _ status: FileStatus, realPath: [UInt8]
    ) throws(FileError) -> WalkItem<ServedSource> {
        do throws(FileError.Cause) {
            let directory = try places.files.openDirectory(places.absolute(path))
            levels.append(Level(path: path, realPath: realPath, entries: ServedEntries(directory, path: path)))
        } catch {
            throw places.failure(error, path, .open)
        }
        let old = levels.count - 1 - Self.openLevels
        if old >= 0 { levels[old].entries.loadRest() }
        return .enterDirectory(name: path.lastComponent, path: path, status)
    }

    /// - Parameter kind: what it is, or was a moment ago.
    private func open(_ path: BytePath, kind: FileStatus.Kind) throws(FileError) -> WalkItem<ServedSource> {
        guard kind == .regular || kind == .symbolicLink else {
            throw FileError(path: path, operation: .open, cause: .notRegular)
        }
        var options = OpenOptions()
        options.reads = true
        do throws(FileError.Cause) {
            let file = try places.files.open(places.absolute(path), options)
            let status = try file.status()
            guard status.kind == .regular else { throw .notRegular }
            return .file(
                name: path.lastComponent, ServedSource(file: file, path: path, status: status))
        } catch {
            throw places.failure(error, path, .open)
        }
    }
}

/// What is left of a directory's entries, `.` and `..` aside.
private final class ServedEntries {
    private let path: BytePath
    private var directory: (any OpenDirectory)?
    private var rest: [DirectoryEntry] = []
    private var failure: FileError?

    init(_ directory: any OpenDirectory, path: BytePath) {
        self.directory = directory
        self.path = path
    }

    func next() throws(FileError) -> DirectoryEntry? {
        if let entry = rest.popLast() { return entry }
        if let failure {
            self.failure = nil
            throw failure
        }
        do throws(FileError.Cause) {
            while let entry = try directory?.next() {
                if entry.name != Array(".".utf8), entry.name != Array("..".utf8) { return entry }
            }
        } catch {
            // What cannot be listed any further ends here.
            directory = nil
            throw FileError(path: path, operation: .list, cause: error)
        }
        directory = nil
        return nil
    }

    /// Reads what is left into memory and closes the directory. What goes wrong is thrown by the last ``next()``.
    func loadRest() {
        guard directory != nil else { return }
        var entries: [DirectoryEntry] = []
        var met: FileError?
        do throws(FileError) {
            while let entry = try next() { entries.append(entry) }
        } catch {
            met = error
        }
        rest = entries.reversed()
        failure = met
    }
}

/// A served file that is being sent.
struct ServedSource: SCPSourceFile {
    let file: any OpenFile
    let path: BytePath
    let status: FileStatus

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError) -> Int {
        do throws(FileError.Cause) {
            return try file.read(into: &buffer, count: count, at: offset)
        } catch {
            throw FileError(path: path, operation: .read, cause: error)
        }
    }

    func growth() -> FileError? {
        do throws(FileError.Cause) {
            let now = try file.status().size
            guard now > status.size else { return nil }
            return FileError(path: path, operation: .read, cause: .grew(bytes: status.size, now: now))
        } catch {
            return FileError(path: path, operation: .status, cause: error)
        }
    }
}
