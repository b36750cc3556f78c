import Files
import NIOCore
import SFTP

/// A file of a copy, from the moment it is met until nothing more is to be done of it:
/// open → compare → copy → finish → verify.
final class FileJob {
    let number: Int
    let name: [UInt8]
    /// Where it is at the source.
    let source: BytePath
    /// The directory it goes into; nil for a source named by the user.
    var directory: DirectoryJob?
    let attributes: FileAttributes
    /// In bytes, as the source told before the copy began.
    let size: Int64
    /// What events call it, once its contents are about to be copied.
    var file: CopyFile?

    // The source's end.
    /// Open for reading on this machine.
    var local: LocalFile?
    /// Open for reading at a server.
    var reading: SFTPPart?

    // The target's end.
    /// Where it goes at a server.
    var path = BytePath([])
    /// Where it is there until it is whole, if that is not its path.
    var beside: BytePath?
    var writtenPath: BytePath { beside ?? path }
    /// Open for writing on this machine.
    var new: NewFile?
    /// Open for writing at a server.
    var writing: SFTPPart?
    /// What is at the target on this machine, open for reading.
    var present: LocalFile?
    /// Whether OPEN went out before its directory was known to be there.
    var isEarly = false
    /// Whether opening cuts off what is there, so that no size needs to be set behind the last byte.
    var isTruncated = false

    /// Nothing may be there: what is stays.
    var isExclusive = false
    /// What is there has its size, and the hashes decide whether it stays.
    var mayBeSame = false
    /// What is there stays.
    var isSkipped = false

    // Its contents.
    /// What a lost connection left of it at the target.
    var partial: PartialFile?
    /// What several channels share out among themselves.
    var ranges: FileRanges?
    /// Further channels that have a part of it, and whether the first has sent all of its own.
    var furtherParts = 0
    var isMainSent = false
    /// Where the file ends, once that is known.
    var end: Int64?
    /// What is known to be at the target.
    var written = WrittenPrefix()
    /// What the summary has of its bytes.
    var counted: Int64 = 0
    /// Operations at the target that are not completed.
    var unanswered = 0
    /// Nothing more is written; the size and the attributes are being set.
    var isFinishing = false
    /// Whether contents are being copied.
    var isStarted: Bool { file != nil }
    /// The first thing that went wrong.
    var failure: CopyError?

    init(
        number: Int, name: [UInt8], source: BytePath, directory: DirectoryJob?, attributes: FileAttributes, size: Int64
    ) {
        self.number = number
        self.name = name
        self.source = source
        self.directory = directory
        self.attributes = attributes
        self.size = size
        directory?.unfinished += 1
    }

    func fail(_ error: CopyError) { failure = failure ?? error }

    /// Whether the target's directory can no longer be written in.
    var isLost: Bool { directory?.isLost ?? false }

    /// Lets go of what is open: nothing more is done over the connection it was begun on.
    func release() { (local, present, reading, writing) = (nil, nil, nil, nil) }

    /// This many bytes are at the target already, and are not copied.
    func begin(at start: Int64) {
        counted = start
        written = WrittenPrefix(start)
        reading?.offset = start
        writing?.offset = start
    }
}

/// A file that is open on one channel of a server, and the part of it that this channel copies.
final class SFTPPart {
    let job: FileJob
    let lane: SFTPLane
    var handle = ByteBuffer()
    /// The next block begins here.
    var offset: Int64 = 0
    /// Up to here this channel copies, before it takes another range.
    var end = Int64.max
    /// READs or WRITEs that are unanswered.
    var unanswered = 0
    /// Nothing more is asked for.
    var isAsked = false

    /// Whether it is the lane on which the file was opened first.
    var isFirst: Bool { job.reading === self || job.writing === self }

    init(_ job: FileJob, _ lane: SFTPLane) {
        self.job = job
        self.lane = lane
    }
}

/// Parts of a file that several channels share out among themselves.
final class FileRanges {
    /// Bytes a channel takes at a time.
    private static let unit: Int64 = 1 << 20

    private let size: Int64
    private var taken: Int64

    /// - Parameter part: what is to be copied, up to the file's end; what is before it is there.
    init(_ part: Range<Int64>) {
        size = part.upperBound
        taken = part.lowerBound
    }

    /// The next part nobody has taken; nil when all are taken.
    func next() -> Range<Int64>? {
        guard taken < size else { return nil }
        let start = taken
        taken = min(size, start + Self.unit)
        return start..<taken
    }

    /// Leaves the rest to nobody: the file is lost.
    func abandon() { taken = size }
}
