import Files
import SFTP

/// Makes the connection of a transfer again when it was lost; the transfer goes on where it was.
///
/// Given what ended the transfer over the last connection, and whether that got on with anything. Throws when the transfer
/// is over: the same error if it was no lost connection, or one that tells more.
public typealias SFTPReconnector = @Sendable (_ loss: any Error, _ hasProgressed: Bool) async throws -> SFTPOpener

/// What is left at the target of a file whose upload was cut off.
struct PartialUpload {
    /// Bytes from the beginning on that the server has said it wrote.
    let written: Int64
    private let source: SourceMark

    init(written: Int64, of source: FileStatus) {
        self.written = written
        self.source = SourceMark(source)
    }

    /// Whether the file that is to be sent is the one of which these bytes are.
    func isOf(_ status: FileStatus) -> Bool { SourceMark(status) == source }

    private struct SourceMark: Equatable {
        let identity: FileStatus.Identity
        let size: Int64
        let modified: FileTime

        init(_ status: FileStatus) { (identity, size, modified) = (status.identity, status.size, status.modified) }
    }
}

/// Where an upload goes, as it was before the upload changed anything there.
struct UploadTarget {
    var path: [UInt8] = []
    /// The sources go into it.
    var isDirectory = false
    /// A device or the like, which has no size and keeps its mode.
    var isSpecial = false
}

/// What is left here of a file whose download was cut off.
struct PartialDownload {
    /// Bytes from the beginning on that were written.
    let written: Int64
    private let source: (size: UInt64?, modified: UInt32?)
    private let target: FileStatus

    /// - Parameter target: the file as it was left.
    init(written: Int64, of source: SFTPAttributes, at target: FileStatus) {
        self.written = written
        self.source = (source.size, source.times?.modified)
        self.target = target
    }

    /// Whether the file that is to be fetched is the one of which these bytes are, as far as its server tells.
    func isOf(_ attributes: SFTPAttributes) -> Bool {
        attributes.size != nil && attributes.size == source.size && attributes.times?.modified == source.modified
    }

    /// Whether nobody has touched the file here since it was left.
    func isAt(_ status: FileStatus) -> Bool {
        status.identity == target.identity && status.size == target.size && status.modified == target.modified
    }
}

/// What a download is to fetch, and where to.
struct DownloadTarget {
    let tree: TargetTree
    let sources: [[UInt8]]
}

typealias UploadLedger = TransferLedger<UploadTarget, PartialUpload>
typealias DownloadLedger = TransferLedger<DownloadTarget, PartialDownload>

extension TransferLedger {
    /// Runs a transfer, over one connection after another if need be.
    ///
    /// - Parameter attempt: goes on with the transfer over the connection it is given; it has told this ledger what it did if
    ///   it throws.
    static func run(
        _ open: @escaping SFTPOpener, _ reconnect: SFTPReconnector?,
        _ attempt: (@escaping SFTPOpener, TransferLedger?) async throws -> TransferSummary
    ) async throws -> TransferSummary {
        guard let reconnect else { return try await attempt(open, nil) }
        let ledger = TransferLedger()
        var open = open
        while true {
            do {
                return try await attempt(open, ledger)
            } catch {
                if ledger.isBound { throw error }
                let hasProgressed = ledger.hasProgressed
                ledger.hasProgressed = false
                open = try await reconnect(error, hasProgressed)
            }
        }
    }
}
