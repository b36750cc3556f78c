import Files
import NIOCore
import SFTP

// A download that goes on over another connection.
extension SFTPDownloadSession {
    /// A file with less than this here is fetched again; in bytes.
    static let worthGoingOn: Int64 = 64 << 10

    /// A file's handle has come: it is asked for, from where the last connection left it.
    mutating func opened(_ file: IncomingFile, _ tree: TargetTree) {
        file.partial = ledger?.take(file.path)
        if file.partial == nil, options.resume { askForRest(of: file, tree) }
        if file.partial != nil { create(file, tree) }
        if file.failure == nil { return reading.append(file) }
        close(file.handle)
        finished(file, tree)
    }

    /// Goes on behind what the last connection left of a file that has just been opened here, if all of that is still there.
    mutating func goOn(_ file: IncomingFile) {
        guard let partial = file.partial, let new = file.new, partial.isOf(file.attributes),
            partial.isAt(new.file.status)
        else { return }
        file.offset = partial.written
        file.written = WrittenPrefix(partial.written)
        file.counted = partial.written
        summary.bytes += partial.written
    }

    /// Remembers that a directory is this download's own, so that it gets its mode in the end over whichever connection.
    func noteMade(_ directory: IncomingDirectory) {
        guard let ledger, let node = directory.node else { return }
        if node.isNew { ledger.note(made: directory.path) } else { node.isNew = ledger.hasMade(directory.path) }
    }

    /// The connection is lost: what is known of the files under way is kept for the next one.
    mutating func leave() {
        for file in underWay.values {
            if let present = file.present { leave(file, verifying: present) }
            if let transfer = file.transfer { observer.fileInterrupted(transfer) }
            if let ledger, let new = file.new { leave(file, new, ledger) } else { summary.bytes -= file.counted }
            file.new = nil
        }
        underWay = [:]
        ledger?.leave(summary)
    }

    /// All of a file is here, and the hash of its source has not come.
    private func leave(_ file: IncomingFile, verifying present: LocalFile) {
        file.present = nil
        guard let ledger, let size = file.end, size >= Self.worthGoingOn, let status = try? present.currentStatus()
        else { return }
        ledger.leave(PartialDownload(written: size, of: file.attributes, at: status), of: file.path)
    }

    private mutating func leave(_ file: IncomingFile, _ new: NewFile, _ ledger: DownloadLedger) {
        summary.bytes -= file.counted
        let written = file.written.end
        if written > file.transfer?.present ?? 0 { ledger.hasProgressed = true }
        guard new.file.status.kind == .regular else {
            // What a device has got cannot be taken back, or sent once more.
            if file.counted > 0 { ledger.isBound = true }
            return
        }
        // A file whose last writes are lost in closing it is fetched again.
        guard written >= Self.worthGoingOn, let status = try? new.file.currentStatus(), (try? new.file.close()) != nil
        else { return }
        ledger.leave(PartialDownload(written: written, of: file.attributes, at: status), of: file.path)
    }
}
