import Files

/// A file that is being copied, perhaps one of many.
public struct CopyFile: Hashable, Sendable {
    /// Tells files of one copy apart.
    public let number: Int
    /// Where it goes on this machine, or else where it comes from.
    public let path: BytePath
    /// In bytes; what its source said when the copy began.
    public let size: Int64
    /// Bytes from the beginning on that were at the target before, and are not copied again.
    public internal(set) var present: Int64 = 0
}

/// What happens in a copy, in the order in which it does. No text is made before somebody shows it.
public enum CopyEvent: Sendable {
    /// A file would be copied.
    case planned(CopyFile)
    /// A file's contents are about to be copied. Others may be under way.
    case started(CopyFile)
    /// This many bytes more of the file were read or written.
    case bytes(Int, of: CopyFile)
    /// The connection was lost; nothing more comes of the file under this number.
    case interrupted(CopyFile)
    /// Nothing more comes of the file. Why it was not copied whole is told as a ``problem(_:)``.
    case finished(CopyFile, isComplete: Bool)
    /// The file is the same at both ends.
    case verified(CopyFile)
    /// So many connections to a host are in use.
    case connections(Int, host: String)
    /// Something was not copied, or not as it should be.
    case problem(CopyError)
    /// What is done, for a person who wants to know.
    case note(CopyNote)
    /// A line for each message of the protocol. Printable.
    case trace(String)
}

/// Told what a copy does, on the copy's thread: return soon.
public protocol CopyObserver: Sendable {
    func receive(_ event: CopyEvent)
    /// Whether ``CopyEvent/trace(_:)`` is to be made at all.
    var wantsTrace: Bool { get }
    /// Whether ``CopyEvent/note(_:)`` is.
    var wantsNotes: Bool { get }
}

extension CopyObserver {
    public var wantsNotes: Bool { false }
    public var wantsTrace: Bool { false }
}

/// An observer that nothing interests.
public struct SilentObserver: CopyObserver {
    public init() {}
    public func receive(_ event: CopyEvent) {}
}

/// What a copy has done.
public struct CopySummary: Equatable, Sendable {
    /// Files copied whole.
    public var files = 0
    /// Directories made or found.
    public var directories = 0
    /// Bytes of files' contents, those of unfinished files included.
    public var bytes: Int64 = 0
    /// Files whose hashes were compared and found the same.
    public var verified = 0
    /// Files and directories that ``CopyRequest/filter`` left out; what is in such a directory is not counted.
    public var leftOut = 0
    /// Files of which what is at the target stays, as ``CopyRequest/update`` has it.
    public var skipped = 0
    /// Things that were not copied, or not as they should be; each was a ``CopyEvent/problem(_:)``. 0 means that all is well.
    public var errors = 0

    public init() {}

    package static func += (sum: inout CopySummary, more: CopySummary) {
        sum.files += more.files
        sum.directories += more.directories
        sum.bytes += more.bytes
        sum.verified += more.verified
        sum.leftOut += more.leftOut
        sum.skipped += more.skipped
        sum.errors += more.errors
    }
}
