import Files
import NIOCore
import SFTP
import SSHWire

/// Receives files and directory trees from an SFTP server.
///
/// ```swift
/// let download = SFTPDownload(open: { try await client.subsystem("sftp") }, options: .init(recursive: true))
/// let summary = try await download.run([Array("photos".utf8)], into: "backup")
/// ```
///
/// Hundreds of files are under way at once, and directories are listed ahead of them, so that a round trip is paid once
/// for all of them. The server is not trusted: what it lists is written below the target and nowhere else. Existing
/// files are overwritten in place; runs of zeros become holes. Symbolic links are followed.
public struct SFTPDownload: Sendable {
    private let open: SFTPOpener
    private let options: SFTPOptions
    private let observer: any TransferObserver
    private let hashing: RemoteHashing?
    private let reconnect: SFTPReconnector?

    /// - Parameters:
    ///   - hashing: how files are hashed on the server, for ``SFTPOptions/resume`` and ``SFTPOptions/verify``.
    ///   - reconnect: makes a lost connection again; the download then goes on with what had not come. Without it, a lost
    ///     connection ends the download.
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

    /// Takes the sources one after another.
    ///
    /// - Parameter sources: paths on the server, relative to the user's home directory there; `~` and the wildcards of a
    ///   shell are understood.
    /// - Returns: what was received. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``FileError`` if the target is not as it must be, `SFTPError` or the stream's error if the session
    ///   ended before its time.
    public func run(_ sources: [[UInt8]], into target: BytePath) async throws -> TransferSummary {
        let (open, options, observer, hashing, reconnect) = (open, options, observer, hashing, reconnect)
        return try await DiskExecutor.run {
            try await DownloadLedger.run(open, reconnect) { open, ledger in
                var session = SFTPDownloadSession(
                    link: SFTPLink(stream: try await open(), observer: observer), options: options, observer: observer,
                    ledger: ledger, hasher: hashing.map { RemoteHasher($0) })
                do {
                    return try await session.run(sources, into: target)
                } catch {
                    session.leave()
                    throw error
                }
            }
        }
    }
}
