import Files
import NIOCore
import SFTP

/// The walk through the directories of a server: listed ahead of their files, many at a time, or one after another for a target
/// that wants its files in order.
final class SFTPWalk {
    /// Directories listed at a time, and READDIRs unanswered for each and for all.
    private static let directoriesAtOnce = 16
    private static let readsAhead = 4
    private static let readsAtOnce = 32
    /// Files that are known and not opened, and entries that are being looked at; while there are more, nothing is listed.
    private static let waitingLimit = 4_000
    /// Bytes of names that are held at a time; a listing that brings more is one that nobody needs.
    private static let listingLimit = 64 << 20
    /// About what a file that waits takes, in bytes.
    private static let waitingBytes = 500

    private enum Step {
        case file(SFTPEntry)
        case directory(SFTPEntry)
        case leave
    }

    private let lane: SFTPLane
    private let isOrdered: Bool
    /// What is still to be told or listed, the next one last.
    private var steps: [Step] = []
    private var listing: [DirectoryJob] = []
    /// Directories that the server opens once fewer handles are open.
    private var postponed: [DirectoryJob] = []
    /// READDIRs that are unanswered, and entries that are being looked at.
    private var reads = 0
    private var looks = 0
    /// What entries that wait here take in memory, in bytes.
    private var held = 0

    init(lane: SFTPLane, isOrdered: Bool) {
        self.lane = lane
        self.isOrdered = isOrdered
    }

    var isExhausted: Bool { steps.isEmpty && listing.isEmpty && postponed.isEmpty && looks == 0 }
    /// Whether the next source may be begun.
    var isIdle: Bool { isOrdered ? isExhausted : steps.isEmpty }

    /// Begins with a directory that the user named.
    func begin(_ root: SFTPEntry) {
        held += root.bytes
        steps.append(.directory(root))
    }

    /// Lists more, or tells of more.
    ///
    /// - Returns: false if nothing may be done before something is answered.
    func advance(_ scheduler: Scheduler, openLimit: Int) -> Bool {
        guard scheduler.filesAhead + looks < Self.waitingLimit, !lane.isFull else { return false }
        if steps.count < Self.waitingLimit || isOrdered, readMore(scheduler) { return true }
        if let directory = postponed.last, lane.mayOpen(atMost: openLimit) {
            postponed.removeLast()
            open(directory, scheduler)
            return true
        }
        if isOrdered, !(listing.isEmpty && postponed.isEmpty) { return false }
        switch steps.last {
        case nil: return false
        case .file(let entry):
            steps.removeLast()
            held -= entry.bytes
            add(entry, scheduler)
        case .leave:
            steps.removeLast()
            scheduler.leave()
        case .directory(let entry):
            // Some handles are left for files, so that what is listed can be fetched.
            guard listing.count < min(Self.directoriesAtOnce, max(1, openLimit / 2)), lane.mayOpen(atMost: openLimit)
            else { return false }
            steps.removeLast()
            held -= entry.bytes
            enter(entry, scheduler)
        }
        return true
    }

    private func add(_ entry: SFTPEntry, _ scheduler: Scheduler) {
        scheduler.add(
            entry.name, entry.path, entry.attributes.carried(mask: SFTPAttributes.fileMask, otherwise: 0o666),
            size: Int64(clamping: entry.attributes.size ?? 0), in: entry.directory)
    }

    // MARK: Directories

    private func enter(_ entry: SFTPEntry, _ scheduler: Scheduler) {
        let attributes = entry.attributes.carried(mask: SFTPAttributes.directoryMask, otherwise: 0o777)
        let name = entry.isUnnamed ? nil : entry.name
        let directory: DirectoryJob?
        if isOrdered {
            directory = scheduler.enter(name, entry.path, attributes)
        } else {
            directory = scheduler.enter(
                name, entry.path, attributes, in: entry.directory, isRoot: entry.directory == nil)
            if let directory { scheduler.target.make(directory, scheduler) }
        }
        if !isOrdered, entry.directory != nil { scheduler.looked(at: entry.directory) }
        guard let directory else { return }
        directory.realPath = entry.realPath
        if isOrdered { steps.append(.leave) }
        if !directory.isLost {
            open(directory, scheduler)
        } else if !isOrdered {
            scheduler.childFinished(of: directory)
        }
    }

    private func open(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        listing.append(directory)
        directory.listing = SFTPListing()
        lane.open(.opendir(path: directory.source.buffer), for: directory.source) {
            [unowned self, unowned scheduler] opened in
            switch opened {
            case .handle(let handle): directory.listing?.handle = handle
            case .refused(let status):
                scheduler.problem(CopyError(directory.source, .source, .status(status)))
                ended(directory, scheduler)
            case .later:
                listing.removeAll { $0 === directory }
                postponed.append(directory)
            }
        }
    }

    private func readMore(_ scheduler: Scheduler) -> Bool {
        guard reads < Self.readsAtOnce else { return false }
        for directory in listing {
            guard let listing = directory.listing, listing.reads < Self.readsAhead, !listing.isEnded,
                let handle = listing.handle
            else { continue }
            listing.reads += 1
            reads += 1
            lane.submit(.readdir(handle: handle)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
                listed(directory, listing, reply, scheduler)
            }
            return true
        }
        return false
    }

    private func listed(_ directory: DirectoryJob, _ listing: SFTPListing, _ reply: SFTPReply, _ scheduler: Scheduler) {
        listing.reads -= 1
        reads -= 1
        // A server may tell the end before names that were asked for earlier.
        let isLate = if case .names = reply { !listing.hasFailed } else { false }
        if !listing.isEnded || isLate { take(reply, in: directory, listing, scheduler) }
        guard listing.isEnded, listing.reads == 0, let handle = listing.handle else { return }
        listing.handle = nil
        lane.close(handle)
        if listing.looks == 0 { ended(directory, scheduler) }
    }

    private func take(_ reply: SFTPReply, in directory: DirectoryJob, _ listing: SFTPListing, _ scheduler: Scheduler) {
        var problem: CopyError.Cause?
        switch reply {
        case .names(let names) where !names.isEmpty && !directory.isLost:
            for name in names where !isTooMuch(scheduler) { take(name, in: directory, listing, scheduler) }
            guard isTooMuch(scheduler) else { return }
            problem = .listingTooLarge(limit: Self.listingLimit)
        case .names: break
        case .status(let status) where status.code == .endOfFile: break
        case .status(let status): problem = .listingEnded(status)
        default: problem = .listingEnded(SFTPStatus(.badMessage))
        }
        listing.isEnded = true
        guard let problem else { return }
        listing.hasFailed = true
        scheduler.problem(CopyError(directory.source, .source, problem))
    }

    private func isTooMuch(_ scheduler: Scheduler) -> Bool {
        held + scheduler.filesAhead * Self.waitingBytes > Self.listingLimit
    }

    /// All of a directory is listed that ever will be.
    private func ended(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        listing.removeAll { $0 === directory }
        let held = directory.listing?.held ?? []
        directory.listing = nil
        guard isOrdered else { return scheduler.childFinished(of: directory) }
        // Files first, so that the directory is done with before those below it are listed.
        for entry in held.reversed() where entry.isDirectory { steps.append(.directory(entry)) }
        for entry in held.reversed() where !entry.isDirectory { steps.append(.file(entry)) }
    }

    // MARK: Entries

    private func take(_ name: SFTPName, in directory: DirectoryJob, _ listing: SFTPListing, _ scheduler: Scheduler) {
        let bytes = Array(name.name.readableBytesView)
        if bytes == Array(".".utf8) || bytes == Array("..".utf8) { return }
        guard BytePath.isEntryName(bytes) else {
            return scheduler.problem(CopyError(directory.source, .source, .unexpectedName(bytes)))
        }
        let entry = SFTPEntry(
            path: directory.source.appending(bytes), name: bytes, directory: directory, attributes: name.attributes)
        let kind = entry.attributes.kind
        // What is left out need not be looked at, whatever it is.
        let isDirectory: Bool? = kind == .symbolicLink ? nil : kind.map { $0 == .directory }
        if scheduler.leavesOut(bytes, entry.path, isDirectory: isDirectory, in: directory) { return }
        switch kind {
        case .regular, .directory: tell(entry, listing, scheduler)
        case .other: scheduler.problem(CopyError(entry.path, .source, .notRegular))
        case .symbolicLink, nil: look(at: entry, listing, scheduler)
        }
    }

    private func tell(_ entry: SFTPEntry, _ listing: SFTPListing, _ scheduler: Scheduler) {
        if isOrdered {
            held += entry.bytes
            listing.held.append(entry)
        } else if entry.isDirectory {
            steps.append(.directory(entry))
            held += entry.bytes
            // Its directory is not done before this one is begun.
            scheduler.look(at: entry.directory)
        } else {
            add(entry, scheduler)
        }
    }

    /// Takes what a link leads to for the entry itself.
    private func look(at entry: SFTPEntry, _ listing: SFTPListing, _ scheduler: Scheduler) {
        looks += 1
        held += entry.bytes
        listing.looks += 1
        scheduler.look(at: entry.directory)
        lane.submit(.stat(path: entry.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            var entry = entry
            guard case .attributes(let attributes) = reply else {
                var status = SFTPStatus(.badMessage)
                if case .status(let told) = reply { status = told }
                scheduler.problem(CopyError(entry.path, .source, .status(status)))
                return looked(at: entry, listing, scheduler)
            }
            entry.attributes = attributes
            switch attributes.kind {
            case .directory: return locate(entry, listing, scheduler)
            case .regular, nil: tell(entry, listing, scheduler)
            default: scheduler.problem(CopyError(entry.path, .source, .notRegular))
            }
            looked(at: entry, listing, scheduler)
        }
    }

    /// A link may lead back to where it lies; only real paths tell.
    private func locate(_ entry: SFTPEntry, _ listing: SFTPListing, _ scheduler: Scheduler) {
        guard let directory = entry.directory else { return }
        let root = directory.root
        if root.realPath == nil {
            lane.submit(.realpath(path: root.source.buffer)) { (reply: SFTPReply) in root.realPath = reply.path }
        }
        lane.submit(.realpath(path: entry.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            var entry = entry
            entry.realPath = reply.path
            if let realPath = entry.realPath, directory.isInside(realPath) {
                scheduler.problem(CopyError(entry.path, .source, .loop))
            } else {
                tell(entry, listing, scheduler)
            }
            looked(at: entry, listing, scheduler)
        }
    }

    private func looked(at entry: SFTPEntry, _ listing: SFTPListing, _ scheduler: Scheduler) {
        looks -= 1
        held -= entry.bytes
        listing.looks -= 1
        if let directory = entry.directory, listing.isEnded, listing.handle == nil, listing.reads == 0,
            listing.looks == 0
        {
            ended(directory, scheduler)
        }
        scheduler.looked(at: entry.directory)
    }
}

/// An entry of a server's directory, or a directory that the user named.
struct SFTPEntry {
    let path: BytePath
    let name: [UInt8]
    /// The directory it was listed in.
    let directory: DirectoryJob?
    var attributes: SFTPAttributes
    /// Its entries go into the target itself.
    var isUnnamed = false
    /// Where it really is, if a link led to it.
    var realPath: BytePath?

    var isDirectory: Bool { attributes.kind == .directory }

    /// About what it takes in memory.
    var bytes: Int { path.bytes.count + name.count + 300 }
}

/// The listing of a directory under way.
final class SFTPListing {
    var handle: ByteBuffer?
    /// READDIRs that are unanswered.
    var reads = 0
    /// Entries that are being looked at.
    var looks = 0
    var isEnded = false
    /// It ended before all was listed.
    var hasFailed = false
    /// Entries that are told in order once all are known.
    var held: [SFTPEntry] = []
}

extension BytePath {
    /// Whether a name that a peer sent is that of an entry of a directory, and leads nowhere else.
    static func isEntryName(_ name: [UInt8]) -> Bool {
        !name.isEmpty && name != [UInt8(ascii: ".")] && name != Array("..".utf8) && !name.contains(UInt8(ascii: "/"))
            && !name.contains(0)
    }
}
