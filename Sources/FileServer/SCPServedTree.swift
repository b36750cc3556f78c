import Files
import NIOCore
import Platform

/// Puts what `scp -t` receives where it belongs among the files that are served, by the rules of OpenSSH's sink.
///
/// If the target is a directory, entries go into it under their own names, else the target is the name of each. With
/// `-p` modes are set as they come; else new files and directories get modes under the server's mask, without the set-id
/// and sticky bits, and existing ones keep theirs. Times are set if they come, and some clients send them without `-p`.
final class ServedTreeWriter: SCPTargetWriter {
    private struct Level {
        let path: BytePath
        let attributes: FileAttributes
        /// The mode a new directory got when it was made; nil for one that was there.
        let newMode: UInt16?
    }

    private let places: ServedPlaces
    private let preserve: Bool
    private let target: BytePath
    private let targetIsDirectory: Bool
    private var levels: [Level] = []

    /// - Throws: ``FileError`` if the target must be a directory and is not.
    init(
        places: ServedPlaces, target: BytePath, preserve: Bool, targetMustBeDirectory: Bool
    ) throws(FileError) {
        self.places = places
        self.preserve = preserve
        self.target = target
        // An empty path is the name of nothing, and not of the home directory.
        guard !target.bytes.isEmpty else { throw FileError(path: target, operation: .open, errno: ENOENT) }
        var isDirectory = false
        do throws(FileError.Cause) {
            isDirectory = try places.files.status(of: places.absolute(target), followingLinks: true).kind == .directory
            if targetMustBeDirectory, !isDirectory { throw .system(ENOTDIR) }
        } catch {
            guard error == .system(ENOENT), !targetMustBeDirectory else { throw places.failure(error, target, .open) }
        }
        targetIsDirectory = isDirectory
    }

    func path(of name: [UInt8]) -> BytePath {
        if let level = levels.last { return level.path.appending(name) }
        return targetIsDirectory ? target.appending(name) : target
    }

    func createFile(_ name: [UInt8], mode: UInt16) throws(FileError) -> ServedTarget {
        let path = path(of: name)
        // Its user meant a directory; a file must not take its name.
        guard path.bytes.last != UInt8(ascii: "/") else { throw FileError(path: path, operation: .open, errno: EISDIR) }
        var options = OpenOptions()
        (options.writes, options.creates) = (true, true)
        options.mode = mode & 0o777
        do throws(FileError.Cause) {
            let file = try places.files.open(places.absolute(path), options)
            return ServedTarget(file: file, path: path, mode: mode, preserve: preserve)
        } catch {
            throw places.failure(error, path, .open)
        }
    }

    func enterDirectory(_ name: [UInt8], attributes: FileAttributes) throws(FileError) {
        let path = path(of: name)
        do throws(FileError.Cause) {
            let isNew = try makeDirectory(path, mode: attributes.mode & 0o777 | 0o700)
            let status = try places.files.status(of: places.absolute(path), followingLinks: true)
            guard status.kind == .directory else { throw .system(ENOTDIR) }
            // A directory that lets nobody write is filled before it gets its mode.
            if !isNew, preserve, status.mode & 0o700 != 0o700 {
                var changes = FileChanges()
                changes.mode = attributes.mode | 0o700
                try? places.files.change(places.absolute(path), changes, followingLinks: true)
            }
            levels.append(Level(path: path, attributes: attributes, newMode: isNew ? status.mode : nil))
        } catch {
            throw places.failure(error, path, .makeDirectory)
        }
    }

    /// - Returns: whether it was not there before.
    private func makeDirectory(_ path: BytePath, mode: UInt16) throws(FileError.Cause) -> Bool {
        do throws(FileError.Cause) {
            try places.files.makeDirectory(places.absolute(path.trimmed), mode: mode)
            places.observer.changed(ServedChange("mkdir", places.absolute(path.trimmed)))
            return true
        } catch {
            guard error == .system(EEXIST) else { throw error }
            return false
        }
    }

    func leaveDirectory() throws(FileError) {
        guard let level = levels.popLast() else { return }
        var changes = FileChanges()
        changes.times = level.attributes.times
        if preserve {
            changes.mode = level.attributes.mode
        } else if let newMode = level.newMode, level.attributes.mode & 0o700 != 0o700 {
            // What the mask left of it, without what was lent for the time of the transfer.
            changes.mode = newMode & level.attributes.mode
        }
        guard changes != FileChanges() else { return }
        do throws(FileError.Cause) {
            try places.files.change(places.absolute(level.path), changes, followingLinks: true)
            guard level.newMode == nil else { return }
            places.observer.changed(ServedChange("setstat", places.absolute(level.path), attributes: changes))
        } catch {
            throw FileError(
                path: level.path, operation: changes.mode == nil ? .setTimes : .setMode, cause: error)
        }
    }
}

/// A served file that is being received.
struct ServedTarget: SCPTargetFile {
    let file: any OpenFile
    let path: BytePath
    let mode: UInt16
    let preserve: Bool

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError) {
        do throws(FileError.Cause) {
            try file.write(bytes, at: offset)
        } catch {
            throw FileError(path: path, operation: .write, cause: error)
        }
    }

    func finish(size: Int64, attributes: FileAttributes) throws(FileError) {
        var failure: FileError?
        func attempt(_ operation: FileError.Operation, _ body: () throws(FileError.Cause) -> Void) {
            do throws(FileError.Cause) {
                try body()
            } catch {
                failure = failure ?? FileError(path: path, operation: operation, cause: error)
            }
        }
        attempt(.truncate) { () throws(FileError.Cause) in
            guard try file.status().size != size else { return }
            try file.change(FileChanges(size: size))
        }
        if preserve {
            attempt(.setMode) { () throws(FileError.Cause) in try file.change(FileChanges(mode: mode)) }
        }
        if let times = attributes.times {
            attempt(.setTimes) { () throws(FileError.Cause) in try file.change(FileChanges(times: times)) }
        }
        attempt(.close) { () throws(FileError.Cause) in try file.close() }
        if let failure { throw failure }
    }
}

extension FileAttributes {
    fileprivate var times: (accessed: FileTime, modified: FileTime)? {
        modified.map { (accessed ?? $0, $0) }
    }
}
