/// What a C or D record tells of a file or directory, with the T record before it.
public struct SCPEntry: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// A regular file of this many bytes.
        case file(size: Int64)
        case directory
    }

    public var kind: Kind
    public var name: SCPName
    /// Permission bits, at most 0o7777.
    public var mode: UInt16
    /// Set when the source preserves times.
    public var times: SCPTimes?

    public init(kind: Kind, name: SCPName, mode: UInt16, times: SCPTimes? = nil) {
        self.kind = kind
        self.name = name
        self.mode = mode
        self.times = times
    }

    /// The C or D record.
    public var record: SCPRecord {
        switch kind {
        case .file(let size): .file(mode: mode, size: size, name: name)
        case .directory: .directory(mode: mode, name: name)
        }
    }
}

/// Which end sent a record that is traced.
public enum SCPDirection: Sendable {
    case sent
    case received
}

/// Called for each record that a machine sends or has received.
public typealias SCPTrace = @Sendable (SCPDirection, SCPRecord) -> Void
