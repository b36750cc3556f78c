/// Told what a transfer does, on the transfer's thread: return soon.
public protocol TransferObserver: Sendable {
    /// A file's contents are about to be copied; `size` is in bytes.
    func fileStarted(_ path: LocalPath, size: Int64)
    /// This many bytes more of the current file were read or written.
    func bytesTransferred(_ count: Int)
    /// Nothing more comes of the file. `isComplete` is false if it was not copied whole; a warning tells why.
    func fileFinished(_ path: LocalPath, isComplete: Bool)
    /// A line for a person: something was not copied, or not as it should be. Printable.
    func warning(_ text: String)
    /// Whether ``trace(_:)`` is to be called at all.
    var wantsTrace: Bool { get }
    /// A line for each record of the protocol. Printable.
    func trace(_ text: String)
}

extension TransferObserver {
    public func fileStarted(_ path: LocalPath, size: Int64) {}
    public func bytesTransferred(_ count: Int) {}
    public func fileFinished(_ path: LocalPath, isComplete: Bool) {}
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
