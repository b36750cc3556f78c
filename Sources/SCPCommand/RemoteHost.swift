import FileTransfer
import SSHWire

/// A remote host as a copy sees it, however it is reached.
protocol RemoteHost: Sendable {
    /// Runs a command there.
    ///
    /// - Throws: whatever kept it from being run.
    func exec(_ command: [UInt8]) async throws -> any RemoteSession

    /// How one copy opens SFTP there; where the host can serve no more than one session, further ones are refused.
    func sftp() -> SFTPOpener

    /// Whether its SFTP server is known to be one that fails to open a directory for writing.
    var refusesToWriteDirectories: Bool { get }

    /// Ends what was begun there.
    ///
    /// - Returns: false if something there failed that nobody was told of.
    func close() async -> Bool
}

extension RemoteHost {
    var refusesToWriteDirectories: Bool { false }
}

/// A command that runs on a remote host, its standard input and output.
protocol RemoteSession: ByteStream {
    /// Waits until the command is over.
    ///
    /// - Returns: whether it ended well, as far as that is known.
    func waitForEnd() async -> Bool

    /// Gives the command up, if it still runs.
    func close()
}
