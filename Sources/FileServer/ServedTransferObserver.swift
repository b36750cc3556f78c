/// Is told what a server's client does with files, for a log: once for each file, not for each block.
public protocol ServedTransferObserver: Sendable {
    /// A file was opened; ``closed(_:)`` follows.
    func opened(_ path: [UInt8], forWriting: Bool)
    func closed(_ transfer: ServedTransfer)
    /// Something else was changed: a directory made, a file removed or renamed.
    func changed(_ operation: String, _ path: [UInt8])
    /// Something was refused for what it is, not for what was missing.
    func refused(_ refusal: ServedRefusal)
}

extension ServedTransferObserver {
    public func opened(_ path: [UInt8], forWriting: Bool) {}
    public func closed(_ transfer: ServedTransfer) {}
    public func changed(_ operation: String, _ path: [UInt8]) {}
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
