import Files
import NIOCore
import SFTP

// An upload that goes on over another connection.
extension SFTPUploadSession {
    /// A file with less than this at the target is sent again; in bytes.
    static let worthGoingOn: Int64 = 64 << 10

    /// A file's handle has come: it is sent, or first it is seen how much of it is there.
    mutating func opened(_ file: OutgoingFile) {
        if let partial = file.partial, !partial.isOf(file.file.status) { file.partial = nil }
        guard file.partial != nil || options.resume, !isSpecial(file) else { return ready.append(file) }
        send(.fstat(handle: file.handle), .measured(file))
    }

    /// Sends a file from where the last connection left it, if all that was left is still there; or from where an earlier
    /// copy left it, if that is to be and its hash will be the right one.
    mutating func measured(_ file: OutgoingFile, _ target: SFTPAttributes) {
        guard let partial = file.partial else {
            if options.resume { askForRest(of: file, target) }
            return
        }
        guard let size = target.size, size >= UInt64(partial.written), target.kind == .regular || target.kind == nil
        else { return }
        goOn(file, at: partial.written)
    }

    /// So many bytes are at the target.
    mutating func goOn(_ file: OutgoingFile, at start: Int64) {
        file.begin(at: start)
        summary.bytes += start
    }

    /// Whether a directory that is there was made by this upload: over an earlier connection, or as an entry of one that was.
    func isOurs(_ directory: OutgoingDirectory) -> Bool {
        guard let ledger else { return false }
        return ledger.hasMade(directory.source.bytes) || directory.parent?.isNew ?? false
    }

    /// The connection is lost: what is known of the files under way is kept for the next one.
    mutating func leave() {
        for file in underWay.values {
            file.ranges?.abandon()
            file.stripes?.cancel()
            if file.isStarted { observer.fileInterrupted(file.transfer) }
            guard let ledger else { continue }
            if let partial = file.partial, !file.isStarted { ledger.leave(partial, of: file.file.path.bytes) }
            // What a device has got cannot be taken back, or sent once more.
            if isSpecial(file), file.counted > 0 { ledger.isBound = true }
            summary.bytes -= file.counted
            let written = file.written
            if written > file.transfer.present { ledger.hasProgressed = true }
            guard written >= Self.worthGoingOn else { continue }
            ledger.leave(PartialUpload(written: written, of: file.file.status), of: file.file.path.bytes)
        }
        underWay = [:]
        ledger?.leave(summary)
    }
}
