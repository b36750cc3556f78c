import SSHWire

/// A host as a copy needs it, however it is reached.
public protocol CopyHost: Sendable {
    /// What it is called in messages.
    var name: String { get }

    /// What is known of it.
    var traits: CopyHostTraits { get async }

    /// Opens a channel with the server's SFTP end behind it; where the host serves no more than one, further ones are refused.
    func openSFTP() async throws -> any ByteStream

    /// Makes one more connection for SFTP alone, for which nobody is asked anything.
    ///
    /// - Throws: where there is no way to one.
    func connectAgain() async throws -> any CopyConnection

    /// Runs a command there; what it writes to its standard error is shown to the user.
    func run(_ command: [UInt8]) async throws -> any RemoteCommand

    /// Runs a command whose standard error is nobody's business.
    func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand

    /// Whether an error means that the connection was lost, and not just that something does not work there.
    func isLoss(_ error: any Error) -> Bool

    /// Whether an error means that the server has no SFTP, and another protocol may work.
    func meansNoSFTP(_ error: any Error) -> Bool

    /// Waits until what was opened to no avail is over, so that something else can be opened.
    func settle() async

    /// Makes a lost connection again, as often as that makes sense.
    ///
    /// - Parameter hasProgressed: whether anything was copied over the connection that was lost.
    /// - Throws: `error` itself if it was no lost connection, or what kept it from being made again.
    func recover(from error: any Error, hasProgressed: Bool) async throws
}

/// One more connection to a host.
public protocol CopyConnection: Sendable {
    /// Opens a channel with the server's SFTP end behind it.
    func openSFTP() async throws -> any ByteStream
    func close() async
}

/// A host has no more than one connection.
public struct NoFurtherConnection: Error, CustomStringConvertible {
    /// Printable.
    public let description: String

    public init(_ reason: String) { description = reason }
}

extension CopyHost {
    public func connectAgain() async throws -> any CopyConnection {
        throw NoFurtherConnection("another program makes the connection")
    }
}

/// What is known of a host before anything is asked of it.
public struct CopyHostTraits: Sendable {
    /// Its SFTP server fails to open a directory for writing, so that a target can be opened while it is looked at.
    public var refusesToWriteDirectories = false
    /// It gives out handles that are still open as soon as a few are (Erlang's SSH daemon).
    public var repeatsHandles = false
    /// Its `scp -t` takes whatever it reads at a time for one record (mod_sftp), so that each answer is waited for.
    public var readsOneRecordAtATime = false
    /// Commands can be run there.
    public var runsCommands = true

    public init() {}
}

/// A command that runs on a remote host, its standard input and output.
public protocol RemoteCommand: ByteStream {
    /// Waits until the command is over.
    ///
    /// - Returns: how it ended; nil if nobody knows.
    func waitForEnd() async -> RemoteCommandEnd?

    /// Gives the command up, if it still runs.
    func close()
}

/// How a command on a remote host ended (RFC 4254 section 6.10).
public enum RemoteCommandEnd: Equatable, Sendable {
    case status(UInt32)
    case signal(String)
}
