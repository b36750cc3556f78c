import Files
import NIOCore
import SFTP

/// A directory of an upload, from its MKDIR until its attributes are set.
final class OutgoingDirectory {
    enum State {
        /// The server has not said yet whether it is there.
        case asked
        case ready
        case failed
    }

    let path: [UInt8]
    let source: BytePath
    let status: FileStatus
    let parent: OutgoingDirectory?
    var state = State.asked
    /// Whether the server made it for us.
    var isNew = false
    /// Entries that are not done, and one more until the walk has left.
    var unfinished = 1
    /// Why MKDIR failed.
    var refusal: SFTPStatus?
    /// Files that were refused before the directory was known to be there.
    var early: [OutgoingFile] = []

    init(path: [UInt8], source: BytePath, status: FileStatus, parent: OutgoingDirectory?) {
        self.path = path
        self.source = source
        self.status = status
        self.parent = parent
        parent?.unfinished += 1
    }

    /// Whether nothing below it can be sent.
    var isLost: Bool { state == .failed || parent?.isLost ?? false }
}

/// A file of an upload, from its OPEN until it is closed.
final class OutgoingFile {
    let file: LocalFile
    let path: [UInt8]
    private(set) var transfer: FileInTransfer
    let directory: OutgoingDirectory?
    /// What an earlier connection left of it at the target.
    var partial: PartialUpload?
    /// The hash of what is at the target, once it is asked for.
    var hash: HashAtServer?
    /// Whether OPEN went out before its directory was known to be there.
    var isEarly: Bool
    /// Whether OPEN cuts off what is there, so that no size needs to be set behind the last byte. Only where the directory was made
    /// for this copy: elsewhere the file may be the source itself.
    var isTruncated = false
    var handle = ByteBuffer()
    /// The next block is sent from here.
    var offset: Int64 = 0
    /// Up to here this channel sends, before it takes another range.
    var end = Int64.max
    /// Whether the observer was told of it.
    var isStarted = false
    /// What the summary has of its bytes.
    var counted: Int64 = 0
    /// Answers that are due.
    var unanswered = 0
    var isClosing = false
    /// The first thing that went wrong.
    var failure: String?
    /// Other channels that send parts of it.
    var stripes: Task<String?, Never>?
    var ranges: FileRanges?
    /// What is known to be written, unless other channels send parts of it too.
    private var prefix = WrittenPrefix()

    init(file: LocalFile, path: [UInt8], transfer: FileInTransfer, directory: OutgoingDirectory?) {
        self.file = file
        self.path = path
        self.transfer = transfer
        self.directory = directory
        isEarly = directory?.state == .asked
        directory?.unfinished += 1
    }

    var size: Int64 { file.status.size }

    /// Bytes from the beginning on that are known to be at the target.
    var written: Int64 { ranges?.written ?? prefix.end }

    /// These bytes are at the target.
    func wrote(_ part: Range<Int64>) {
        if let ranges { ranges.wrote(part) } else { prefix.add(part) }
    }

    /// This many bytes are at the target already, and are not sent.
    func begin(at start: Int64) {
        offset = start
        counted = start
        prefix = WrittenPrefix(start)
        transfer.present = start
    }
}
