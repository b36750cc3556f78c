import Files
import NIOCore
import SFTP

/// A directory of a copy, from the moment it is met until all in it is done and its attributes are set.
final class DirectoryJob {
    enum State {
        /// It is not known yet whether it is there.
        case asked
        case ready
        case failed
    }

    /// Its name at the target; nil if its entries go into the target itself.
    let name: [UInt8]?
    /// Where it is at the source.
    let source: BytePath
    let attributes: FileAttributes
    let parent: DirectoryJob?
    let depth: Int
    /// The names from the directory where the copy begins down to this one, for filters.
    var place: [[UInt8]] = []
    /// Entries that are not done, and one more until the source has left it.
    var unfinished = 1

    // At the target.
    var state = State.asked
    /// Whether it was made for this copy.
    var isNew = false
    /// Where it is at a server.
    var path = BytePath([])
    /// Where it is on this machine.
    var node: TargetDirectory?
    /// What is in it, where that matters.
    var present: PresentFiles?
    /// Why it could not be made.
    var refusal: SFTPStatus?
    /// Files that were refused before the directory was known to be there.
    var early: [FileJob] = []

    // At the source.
    /// Where it really is, if a link led to it or it is where the copy begins.
    var realPath: BytePath?
    var listing: SFTPListing?

    init(name: [UInt8]?, source: BytePath, attributes: FileAttributes, parent: DirectoryJob?) {
        self.name = name
        self.source = source
        self.attributes = attributes
        self.parent = parent
        depth = (parent?.depth ?? 0) + 1
        parent?.unfinished += 1
    }

    /// Whether nothing below it can be written.
    var isLost: Bool { state == .failed || parent?.isLost ?? false }

    /// The directory where the copy begins.
    var root: DirectoryJob { parent?.root ?? self }

    /// Where it really is at the source, as far as that is known.
    var resolvedPath: BytePath? {
        if let realPath { return realPath }
        guard let above = parent?.resolvedPath, let name else { return nil }
        return above.appending(name)
    }

    /// Whether the real path is that of this directory or of one it lies in.
    func isInside(_ realPath: BytePath) -> Bool {
        var directory: DirectoryJob? = self
        while let level = directory {
            if level.resolvedPath == realPath { return true }
            directory = level.parent
        }
        return false
    }
}
