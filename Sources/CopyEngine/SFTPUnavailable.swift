/// A server has no SFTP, so that another protocol may be tried.
public struct SFTPUnavailable: Error, Sendable {
    /// What the host is called.
    public let host: String
    public let end: CopyError.End
    /// What showed it.
    public let reason: any Error
}

extension SFTPUnavailable: CustomStringConvertible {
    public var description: String { "\(host): \(reason)" }
}
