/// How a file is opened.
public struct OpenOptions: Equatable, Sendable {
    public var reads = false
    public var writes = false
    /// Writes go to the end, wherever they are asked to.
    public var appends = false
    public var creates = false
    public var truncates = false
    /// With ``creates``: what exists already is an error.
    public var isExclusive = false
    /// Permission bits of a new file, of which the server's mask takes some away.
    public var mode: UInt16 = 0o666

    public init() {}
}
