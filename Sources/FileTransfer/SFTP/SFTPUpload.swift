import Files
import SSHWire

/// Opens a channel of a connection with the server's SFTP end behind it.
public typealias SFTPOpener = @Sendable () async throws -> any ByteStream

/// Sends local files and directory trees to an SFTP server.
///
/// ```swift
/// let upload = SFTPUpload(open: { try await client.subsystem("sftp") }, options: .init(recursive: true))
/// let summary = try await upload.run(["photos"], to: Array("backup".utf8))
/// ```
///
/// Hundreds of files are under way at once, so that a round trip is paid once for all of them. A large file over a long
/// link is sent through several channels of the same connection: a server gives each a window, and a window is all that
/// may be on the way at a time. Files that exist are overwritten in place, as OpenSSH does. Symbolic links are
/// followed.
public struct SFTPUpload: Sendable {
    private let open: SFTPOpener
    private let options: SFTPOptions
    private let observer: any TransferObserver
    private let hashing: RemoteHashing?
    private let reconnect: SFTPReconnector?

    /// - Parameters:
    ///   - hashing: how files are hashed on the server, for ``SFTPOptions/resume`` and ``SFTPOptions/verify``.
    ///   - reconnect: makes a lost connection again; the upload then goes on with what the server had not confirmed. Without
    ///     it, a lost connection ends the upload.
    public init(
        open: @escaping SFTPOpener, options: SFTPOptions = SFTPOptions(),
        observer: any TransferObserver = SilentObserver(), hashing: RemoteHashing? = nil,
        reconnect: SFTPReconnector? = nil
    ) {
        self.open = open
        self.options = options
        self.observer = observer
        self.hashing = options.resume || options.verify ? hashing : nil
        self.reconnect = reconnect
    }

    /// Sends the sources one after another.
    ///
    /// - Parameter target: a path on the server, relative to the user's home directory there; `~` is understood.
    /// - Returns: what was sent. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``RemoteError`` if the target is not as it must be, `SFTPError` or the stream's error if the session
    ///   ended before its time.
    public func run(_ sources: [BytePath], to target: [UInt8]) async throws -> TransferSummary {
        let (open, options, observer, hashing, reconnect) = (open, options, observer, hashing, reconnect)
        let executor = DiskExecutor()
        defer { executor.stop() }
        return try await withTaskExecutorPreference(executor) {
            try await UploadLedger.run(open, reconnect) { open, ledger in
                var session = SFTPUploadSession(
                    link: SFTPLink(stream: try await open(), observer: observer), options: options, observer: observer,
                    stripes: Stripes(open: open, executor: executor), ledger: ledger,
                    hasher: hashing.map { RemoteHasher($0) })
                do {
                    return try await session.run(sources, to: target)
                } catch {
                    session.leave()
                    throw error
                }
            }
        }
    }
}
