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
        do throws(ServedError) {
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
        var options = ServedOpenOptions()
        (options.writes, options.creates) = (true, true)
        options.mode = mode & 0o777
        do throws(ServedError) {
            let file = try places.files.open(places.absolute(path), options)
            return ServedTarget(file: file, path: path, mode: mode, preserve: preserve)
        } catch {
            throw places.failure(error, path, .open)
        }
    }

    func enterDirectory(_ name: [UInt8], attributes: FileAttributes) throws(FileError) {
        let path = path(of: name)
        do throws(ServedError) {
            let isNew = try makeDirectory(path, mode: attributes.mode & 0o777 | 0o700)
            let status = try places.files.status(of: places.absolute(path), followingLinks: true)
            guard status.kind == .directory else { throw .system(ENOTDIR) }
            // A directory that lets nobody write is filled before it gets its mode.
            if !isNew, preserve, status.mode & 0o700 != 0o700 {
                var changes = ServedChanges()
                changes.mode = attributes.mode | 0o700
                try? places.files.change(places.absolute(path), changes, followingLinks: true)
            }
            levels.append(Level(path: path, attributes: attributes, newMode: isNew ? status.mode : nil))
        } catch {
            throw places.failure(error, path, .makeDirectory)
        }
    }

    /// - Returns: whether it was not there before.
    private func makeDirectory(_ path: BytePath, mode: UInt16) throws(ServedError) -> Bool {
        do throws(ServedError) {
            try places.files.makeDirectory(places.absolute(path.trimmed), mode: mode)
            places.observer.changed("mkdir", places.absolute(path.trimmed))
            return true
        } catch {
            guard error == .system(EEXIST) else { throw error }
            return false
        }
    }

    func leaveDirectory() throws(FileError) {
        guard let level = levels.popLast() else { return }
        var changes = ServedChanges()
        changes.times = level.attributes.servedTimes
        if preserve {
            changes.mode = level.attributes.mode
        } else if let newMode = level.newMode, level.attributes.mode & 0o700 != 0o700 {
            // What the mask left of it, without what was lent for the time of the transfer.
            changes.mode = newMode & level.attributes.mode
        }
        guard changes != ServedChanges() else { return }
        do throws(ServedError) {
            try places.files.change(places.absolute(level.path), changes, followingLinks: true)
        } catch {
            throw error.on(level.path, changes.mode == nil ? .setTimes : .setMode)
        }
    }
}

/// A served file that is being received.
struct ServedTarget: SCPTargetFile {
    let file: any ServedFile
    let path: BytePath
    let mode: UInt16
    let preserve: Bool

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError) {
        do throws(ServedError) {
            try file.write(bytes, at: offset)
        } catch {
            throw error.on(path, .write)
        }
    }

    func finish(size: Int64, attributes: FileAttributes) throws(FileError) {
        var failure: FileError?
        func attempt(_ operation: FileError.Operation, _ body: () throws(ServedError) -> Void) {
            do throws(ServedError) {
                try body()
            } catch {
                failure = failure ?? error.on(path, operation)
            }
        }
        attempt(.truncate) { () throws(ServedError) in
            guard try file.status().size != UInt64(clamping: size) else { return }
            try file.change(ServedChanges(size: UInt64(clamping: size)))
        }
        if preserve {
            attempt(.setMode) { () throws(ServedError) in try file.change(ServedChanges(mode: mode)) }
        }
        if let times = attributes.servedTimes {
            attempt(.setTimes) { () throws(ServedError) in try file.change(ServedChanges(times: times)) }
        }
        attempt(.close) { () throws(ServedError) in try file.close() }
        if let failure { throw failure }
    }
}

extension FileAttributes {
    fileprivate var servedTimes: (accessed: ServedTime, modified: ServedTime)? {
        guard let modified else { return nil }
        return (ServedTime(accessed ?? modified), ServedTime(modified))
    }
}

extension ServedTime {
    fileprivate init(_ time: FileTime) { self.init(seconds: time.seconds, nanoseconds: time.nanoseconds) }
}

extension ServedChanges {
    fileprivate init(
        size: UInt64? = nil, mode: UInt16? = nil, times: (accessed: ServedTime, modified: ServedTime)? = nil
    ) {
        self.init()
        (self.size, self.mode, self.times) = (size, mode, times)
    }
}
