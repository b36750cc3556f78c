import Platform

/// What could not be done with a local file or directory, and why.
public struct FileError: Error, Equatable, Sendable {
    public enum Operation: String, Sendable {
        case open, list, status, read, write, truncate, makeDirectory, setMode, setTimes, close, synchronize, rename,
            remove
    }

    public enum Cause: Error, Equatable, Sendable {
        /// The value of errno.
        case system(Int32)
        /// A FIFO, device, socket, or a directory without `-r`.
        case notRegular
        /// The file ended after this many bytes, of those it had at first.
        case shrank(bytes: Int64, of: Int64)
        /// The file had more bytes at the end than at first; those were not copied.
        case grew(bytes: Int64, now: Int64)
        /// A symbolic link stands where the peer's file goes, and was not there when the transfer began.
        case linkAppeared
        /// A directory to be sent has no name that could be given to its copy: `.`, `..` or the root.
        case unnamed
        /// Source and target are one file.
        case sameFile(BytePath)
        /// The target lies in the directory that is copied.
        case intoItself(BytePath)
        /// Another directory stands where this one did a moment ago.
        case directoryReplaced
        /// Another file stands where this one did a moment ago.
        case fileReplaced
        /// Directories are nested deeper than this.
        case tooDeep(limit: Int)
        /// The peer's data ended before this file's did.
        case incomplete(bytes: Int64, of: Int64)
        /// The path, or a link on it, leads out of the directory that is served.
        case leadsOut
        /// The files are served for reading only.
        case readOnly
    }

    public var path: BytePath
    public var operation: Operation
    public var cause: Cause

    public init(path: BytePath, operation: Operation, cause: Cause) {
        self.path = path
        self.operation = operation
        self.cause = cause
    }

    public init(path: BytePath, operation: Operation, errno: Int32) {
        self.init(path: path, operation: operation, cause: .system(errno))
    }
}

extension FileError: CustomStringConvertible {
    /// `path: reason`, as OpenSSH words it.
    public var description: String {
        switch operation {
        case .setMode: "\(path): set mode: \(cause)"
        case .setTimes: "\(path): set times: \(cause)"
        case .truncate: "\(path): truncate: \(cause)"
        case .close: "\(path): close: \(cause)"
        case .synchronize: "\(path): fsync: \(cause)"
        case .rename: "\(path): rename: \(cause)"
        default: "\(path): \(cause)"
        }
    }
}

extension FileError.Cause {
    /// Whether something is there already.
    package var isPresence: Bool { self == .system(EEXIST) }
}

extension FileError.Cause: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let number): String(cString: strerror(number))
        case .notRegular: "not a regular file"
        case .shrank(let bytes, let size): "file shrank while it was copied: \(bytes) of \(size) bytes read"
        case .grew(let bytes, let now): "file grew while it was copied: \(bytes) of \(now) bytes copied"
        case .linkAppeared: "symbolic link appeared during the transfer"
        case .unnamed: "a directory without a name of its own cannot be sent"
        case .sameFile(let other): "and \(other) are the same file"
        case .intoItself(let other): "cannot copy a directory into itself, \(other)"
        case .directoryReplaced: "directory was replaced during the transfer"
        case .fileReplaced: "file was replaced during the transfer"
        case .tooDeep(let limit): "directories nested deeper than \(limit)"
        case .incomplete(let bytes, let size): "\(bytes) of \(size) bytes received"
        case .leadsOut: "leads out of the directory that is served"
        case .readOnly: String(cString: strerror(EROFS))
        }
    }
}
