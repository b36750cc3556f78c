import Files
import NIOCore
import SFTP
import SSHWire

// The directories of an upload: made, waited for, finished.
extension SFTPUploadSession {
    mutating func isReady(_ directory: OutgoingDirectory) {
        directory.state = .ready
        let early = directory.early
        directory.early = []
        for file in early { open(file) }
        if directory.unfinished == 0 { finish(directory) }
    }

    mutating func lose(_ directory: OutgoingDirectory, _ reason: String) {
        // One word about the outermost is enough.
        if !directory.isLost { warn("\(Printable.text(directory.path)): \(reason)") }
        directory.state = .failed
        // With files that are still to be refused, the last of them finishes it.
        if directory.unfinished == 0 { done(directory) }
        let early = directory.early
        directory.early = []
        for file in early { refused(file, SFTPStatus(.noSuchFile)) }
    }

    mutating func childFinished(of directory: OutgoingDirectory) {
        directory.unfinished -= 1
        guard directory.unfinished == 0 else { return }
        switch directory.state {
        case .asked: break
        case .ready: finish(directory)
        case .failed: done(directory)
        }
    }

    /// Sets the attributes of a directory in which all is done.
    mutating func finish(_ directory: OutgoingDirectory) {
        guard directory.isNew || options.preserve else { return done(directory) }
        var attributes = SFTPAttributes(permissions: UInt32(directory.status.mode & 0o1777))
        if options.preserve { attributes.times = Self.times(directory.status) }
        send(.setstat(path: ByteBuffer(bytes: directory.path), attributes), .finishedDirectory(directory))
    }

    mutating func done(_ directory: OutgoingDirectory) {
        unfinished -= 1
        if directory.state == .ready { summary.directories += 1 }
        ledger?.settle(directory.source.bytes)
        if let parent = directory.parent { childFinished(of: parent) }
    }
}
