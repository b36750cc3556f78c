import Files
import NIOCore
import SFTP

/// A directory of a download, from its listing until its attributes are set.
final class IncomingDirectory {
    let path: [UInt8]
    let parent: IncomingDirectory?
    let attributes: SFTPAttributes
    let depth: Int
    /// Its name at the target; nil if its entries go into the target itself.
    let name: [UInt8]?
    /// Where it really is, if a link led to it or it is where the download begins.
    var realPath: [UInt8]?
    var node: TargetDirectory?
    var handle: ByteBuffer?
    /// READDIRs that are unanswered.
    var asked = 0
    var isListed = false
    /// Entries that are not done, and one more until it is listed.
    var unfinished = 1

    init(
        path: [UInt8], name: [UInt8]?, attributes: SFTPAttributes, parent: IncomingDirectory?,
        realPath: [UInt8]? = nil
    ) {
        self.path = path
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.realPath = realPath
        depth = (parent?.depth ?? 0) + 1
        parent?.unfinished += 1
    }

    /// Where it really is, as far as that is known.
    var resolvedPath: [UInt8]? {
        if let realPath { return realPath }
        guard let above = parent?.resolvedPath, let name else { return nil }
        return RemotePath.appending(name, to: above)
    }

    /// Whether the real path is that of this directory or of one it lies in.
    func isInside(_ realPath: [UInt8]) -> Bool {
        var directory: IncomingDirectory? = self
        while let level = directory {
            if level.resolvedPath == realPath { return true }
            directory = level.parent
        }
        return false
    }

    /// The directory where the download begins.
    var root: IncomingDirectory { parent?.root ?? self }
}

/// A file of a download, from its OPEN until all of it has come.
final class IncomingFile {
    let path: [UInt8]
    let name: [UInt8]
    let directory: IncomingDirectory?
    let attributes: SFTPAttributes
    var handle = ByteBuffer()
    var new: NewFile?
    var transfer: FileInTransfer?
    /// What an earlier connection left of it at the target.
    var partial: PartialDownload?
    /// The hash of as much of its source as is here, once it is asked for.
    var hash: HashAtServer?
    /// What is here, open for reading.
    var present: LocalFile?
    /// What is written at the target.
    var written = WrittenPrefix()
    /// What the summary has of its bytes.
    var counted: Int64 = 0
    /// The next READ begins here.
    var offset: Int64 = 0
    /// READs that are unanswered.
    var unanswered = 0
    /// Where the file ends, once a READ has met it.
    var end: Int64?
    var failure: String?

    init(path: [UInt8], name: [UInt8], attributes: SFTPAttributes, directory: IncomingDirectory?) {
        self.path = path
        self.name = name
        self.attributes = attributes
        self.directory = directory
        directory?.unfinished += 1
    }

    /// In bytes, as the server said before the copy began.
    var size: Int64 { Int64(clamping: attributes.size ?? 0) }

    /// Whether there is something left to ask for before answers come.
    var wantsReads: Bool { failure == nil && end == nil && offset <= size }
}
