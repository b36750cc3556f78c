import Files

/// Is told what a server's client does with files, for a log: once for each file, not for each block.
public protocol ServedTransferObserver: Sendable {
    /// A file was opened; ``closed(_:)`` follows.
    func opened(_ path: [UInt8], forWriting: Bool)
    func closed(_ transfer: ServedTransfer)
    /// Something else was changed: a directory made, a file removed or renamed, attributes set.
    func changed(_ change: ServedChange)
    /// Something was refused for what it is, not for what was missing.
    func refused(_ refusal: ServedRefusal)
}

extension ServedTransferObserver {
    public func opened(_ path: [UInt8], forWriting: Bool) {}
    public func closed(_ transfer: ServedTransfer) {}
    public func changed(_ change: ServedChange) {}
    public func refused(_ refusal: ServedRefusal) {}
}

/// Wants to know nothing.
public struct SilentServedTransferObserver: ServedTransferObserver {
    public init() {}
}

/// What was done with a file while it was open.
public struct ServedTransfer: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        /// The client closed the file, and nothing went wrong before.
        case complete
        /// What went wrong first.
        case failed(String)
        /// The session ended with the file open.
        case interrupted
    }

    public var path: [UInt8]
    public var bytesRead: UInt64
    public var bytesWritten: UInt64
    /// Bytes of it that were hashed for the client.
    public var bytesHashed: UInt64 = 0
    /// What was set of its attributes.
    public var attributes = FileChanges()
    /// From the opening to the end.
    public var duration: Duration
    public var outcome: Outcome

    public init(path: [UInt8], bytesRead: UInt64, bytesWritten: UInt64, duration: Duration, outcome: Outcome) {
        self.path = path
        self.bytesRead = bytesRead
        self.bytesWritten = bytesWritten
        self.duration = duration
        self.outcome = outcome
    }
}

/// Something that was changed by its name.
public struct ServedChange: Equatable, Sendable {
    /// `mkdir`, `rename`, `setstat`, …
    public var operation: String
    /// From the root that the client is shown, as all paths here.
    public var path: [UInt8]
    /// The new name of what was renamed or linked.
    public var newPath: [UInt8]?
    /// What a new symbolic link holds.
    public var linkText: [UInt8]?
    /// What was set of its attributes.
    public var attributes: FileChanges

    public init(
        _ operation: String, _ path: [UInt8], newPath: [UInt8]? = nil, linkText: [UInt8]? = nil,
        attributes: FileChanges = FileChanges()
    ) {
        self.operation = operation
        self.path = path
        self.newPath = newPath
        self.linkText = linkText
        self.attributes = attributes
    }
}

public struct ServedRefusal: Equatable, Sendable {
    /// `open`, `remove`, …
    public var operation: String
    /// As the client gave it.
    public var path: [UInt8]
    public var reason: String

    public init(operation: String, path: [UInt8], reason: String) {
        self.operation = operation
        self.path = path
        self.reason = reason
    }
}
