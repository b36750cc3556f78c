import Files

/// A file that is being copied, perhaps one of many.
public struct FileInTransfer: Hashable, Sendable {
    /// Tells files of one transfer apart.
    public let number: Int
    /// Where it comes from or goes to on this machine; a remote path between two others.
    public let path: BytePath
    /// In bytes; what its source said when the copy began.
    public let size: Int64
    /// Bytes from the beginning on that were at the target before, and are not copied again.
    public internal(set) var present: Int64 = 0
}

/// Told what a transfer does, on the transfer's thread: return soon.
public protocol TransferObserver: Sendable {
    /// A file's contents are about to be copied. Others may be under way.
    func fileStarted(_ file: FileInTransfer)
    /// This many bytes more of the file were read or written.
    func bytesTransferred(_ count: Int, of file: FileInTransfer)
    /// Nothing more comes of the file. `isComplete` is false if it was not copied whole; a warning tells why.
    func fileFinished(_ file: FileInTransfer, isComplete: Bool)
    /// The connection was lost; nothing more comes of the file under this number.
    func fileInterrupted(_ file: FileInTransfer)
    /// A line for a person: something was not copied, or not as it should be. Printable.
    func warning(_ text: String)
    /// Whether ``trace(_:)`` is to be called at all.
    var wantsTrace: Bool { get }
    /// A line for each record of the protocol. Printable.
    func trace(_ text: String)
}

extension TransferObserver {
    public func fileStarted(_ file: FileInTransfer) {}
    public func bytesTransferred(_ count: Int, of file: FileInTransfer) {}
    public func fileFinished(_ file: FileInTransfer, isComplete: Bool) {}
    public func fileInterrupted(_ file: FileInTransfer) {}
    public func warning(_ text: String) {}
    public var wantsTrace: Bool { false }
    public func trace(_ text: String) {}
}

/// An observer that nothing interests.
public struct SilentObserver: TransferObserver {
    public init() {}
}

/// What a transfer has done.
public struct TransferSummary: Equatable, Sendable {
    /// Files copied whole.
    public var files = 0
    /// Directories made or found.
    public var directories = 0
    /// Bytes of files' contents, those of unfinished files included.
    public var bytes: Int64 = 0
    /// Things that were not copied, or not as they should be; each was a warning. 0 means that all is well.
    public var errors = 0

    public init() {}
}
