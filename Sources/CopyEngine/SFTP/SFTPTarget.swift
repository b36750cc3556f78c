import Files
import NIOCore
import SFTP

/// Where a copy to a server goes, as it was before the copy changed anything there.
struct SFTPPlacement {
    var path: BytePath
    /// The sources go into it.
    var isDirectory = false
    /// A device or the like, which has no size and keeps its mode.
    var isSpecial = false
}

/// A path on an SFTP server, as the target of a copy.
///
/// Requests go out ahead of the answers they seem to need: OPEN behind the MKDIR of its directory, WRITE, FSETSTAT and CLOSE one
/// behind the other. What a server refuses because of that is tried again when the answers are there.
final class SFTPTarget: TargetEndpoint {
    let end: SFTPEnd
    let request: CopyRequest
    private let target: BytePath
    let hasher: RemoteHasher?
    private let opensAhead: Bool
    private(set) var placement = SFTPPlacement(path: ".")
    /// Where it matters what is there.
    private(set) lazy var listing = SFTPTargetListing(main) { [unowned self] in makeDirectory($0, $1) }
    var asksAhead: Bool { request.update != .always || request.isDryRun }

    /// - Parameter opensAhead: the server is known to fail to open a directory for writing, so that one small file's target is
    ///   opened while it is asked whether it is a directory, which saves a round trip.
    init(
        _ end: SFTPEnd, _ target: BytePath, _ request: CopyRequest, opensAhead: Bool, _ hasher: RemoteHasher?
    ) {
        self.end = end
        self.target = target
        self.request = request
        self.opensAhead = opensAhead
        self.hasher = hasher
        end.stripes = SFTPStripes(
            end, writes: true, opensChannels: !request.source.isRemote,
            keepsWhatItOpens: { [unowned self] in keepsWhatItOpens }
        ) { [unowned self] job in
            // For reading too: some servers empty what is opened for writing alone (Erlang's).
            .open(path: job.writtenPath.buffer, flags: keepsWhatItOpens ? .write : [.read, .write], SFTPAttributes())
        }
        end.shared = { [unowned self] job, scheduler in allSent(job, scheduler) }
    }

    /// Whether the server is known to leave a file alone that is opened for writing once more: whoever the SSH server is, this
    /// extension is of an SFTP server that has files behind it.
    var keepsWhatItOpens: Bool { opensAhead && main.server.has(.limits) }

    var lanes: [any CopyLane] { end.lanes }
    var main: SFTPLane { end.main }
    var isDirectory: Bool { placement.isDirectory }

    // MARK: The target

    func find(_ scheduler: Scheduler) async throws {
        if let known = scheduler.ledger.placement {
            placement = known
            return
        }
        placement.path = try await main.expand(target, .target)
        if opensAhead, !asksAhead, request.writing == WritingRule(), scheduler.source.count == 1,
            !request.targetMustBeDirectory,
            let source = scheduler.source as? LocalSource, let item = source.next()
        {
            return try await begin(item, source, scheduler)
        }
        try await look(scheduler)
        if let count = scheduler.source.count, count > 1, !isDirectory {
            throw CopyError(target, .target, .notADirectory)
        }
    }

    private func look(_ scheduler: Scheduler) async throws {
        let reply = try await main.ask(.stat(path: placement.path.buffer))
        learn(reply, scheduler)
        try checkWishes()
        guard request.targetMustBeDirectory, !placement.isDirectory else { return }
        switch reply {
        case .attributes: throw CopyError(target, .target, .notADirectory)
        case .status(let status) where status.code == .permissionDenied:
            // An account that may only write: what is opened below it will show.
            placement.isDirectory = true
        default:
            if scheduler.source is LocalSource {
                try await make()
            } else {
                throw CopyError(target, .target, .notADirectory)
            }
        }
        scheduler.ledger.placement = placement
    }

    /// Several sources go into a directory, which is made where it is missing.
    private func make() async throws {
        if request.isDryRun { return placement.isDirectory = true }
        let made = try await main.ask(.mkdir(path: placement.path.buffer, SFTPAttributes(permissions: 0o777)))
        if case .status(let status) = made, status.code != .ok { throw CopyError(target, .target, .status(status)) }
        placement.isDirectory = true
    }

    private func checkWishes() throws(CopyError) {
        func refuse(_ wish: String, without name: SFTPExtension) throws(CopyError) {
            guard !main.server.has(name) else { return }
            throw CopyError(target, .target, .wishRefused(wish, reason: "\(end.host.name): no \(name.rawValue) there"))
        }
        if request.writing.isAtomic { try refuse("--atomic", without: .posixRename) }
        if request.writing.synchronizes { try refuse("--fsync", without: .fsync) }
    }

    private func learn(_ reply: SFTPReply, _ scheduler: Scheduler) {
        if case .attributes(let attributes) = reply {
            placement.isDirectory = attributes.kind == .directory
            placement.isSpecial = attributes.kind == .other
        }
        // A directory that must be there and is not is looked for again until it is.
        if placement.isDirectory || !request.targetMustBeDirectory { scheduler.ledger.placement = placement }
    }

    /// A file up to this size, in bytes, is not worth a round trip before it is opened. For larger ones that shows how far the
    /// server is, and how much it takes at a time.
    private static let smallFile: Int64 = 32 << 10

    /// Begins the one thing to be sent. A file most likely goes to the target itself: it is opened while that is looked at.
    private func begin(
        _ item: WalkItem<LocalFile>, _ source: LocalSource, _ scheduler: Scheduler
    ) async throws {
        guard case .file(_, let file) = item, file.status.size <= Self.smallFile,
            placement.path.bytes.last != UInt8(ascii: "/"), placement.path != "."
        else {
            try await look(scheduler)
            return source.take(item, scheduler)
        }
        source.take(item, scheduler)
        guard let job = scheduler.takeWaiting() else { return }
        job.path = placement.path
        var opened: SFTPLane.Opened?
        main.open(opening(job), for: job.source) { opened = $0 }
        learn(try await main.ask(.stat(path: placement.path.buffer)), scheduler)
        guard let opened else { return scheduler.putBack(job) }
        if placement.isDirectory {
            if case .handle(let handle) = opened { main.close(handle) }
            return scheduler.putBack(job)
        }
        scheduler.openedAhead(job)
        take(opened, job, main, scheduler)
    }

    /// Where an entry goes.
    func destination(_ name: [UInt8]?, in directory: DirectoryJob?) -> BytePath {
        guard let name else { return placement.path }
        if let directory { return directory.path.appending(name) }
        if !placement.isDirectory || name == [UInt8(ascii: ".")] { return placement.path }
        return placement.path.appending(name)
    }

    // MARK: Directories

    func make(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        directory.path = destination(directory.name, in: directory.parent)
        if asksAhead { listing.find(directory, scheduler) } else { makeDirectory(directory, scheduler) }
    }

    private func makeDirectory(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        if request.isDryRun { return planDirectory(directory, scheduler) }
        let attributes = SFTPAttributes(permissions: Self.creationMode(directory))
        main.submit(.mkdir(path: directory.path.buffer, attributes)) {
            [unowned self, unowned scheduler] (status: SFTPStatus) in
            if status.code == .ok {
                scheduler.isReady(directory, isNew: true)
                return listing.settle(directory, scheduler)
            }
            // There is no status for a directory that exists.
            main.submit(.stat(path: directory.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
                if case .attributes(let attributes) = reply {
                    if attributes.kind == .directory {
                        scheduler.isReady(directory, isNew: false)
                    } else {
                        scheduler.lose(directory, CopyError(directory.path, .target, .existsAndIsNoDirectory))
                    }
                } else {
                    scheduler.lose(directory, CopyError(directory.path, .target, .status(status)))
                }
                listing.settle(directory, scheduler)
            }
        }
    }

    /// Finds out what would come of making a directory.
    private func planDirectory(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        if directory.parent?.isNew ?? false {
            scheduler.isReady(directory, isNew: true)
            return listing.settle(directory, scheduler)
        }
        main.submit(.stat(path: directory.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            switch reply {
            case .status(let status) where status.code == .noSuchFile: scheduler.isReady(directory, isNew: true)
            case .attributes(let attributes) where attributes.kind == .directory:
                scheduler.isReady(directory, isNew: false)
            case .status(let status):
                scheduler.lose(directory, CopyError(directory.path, .target, .status(status)))
            default: scheduler.lose(directory, CopyError(directory.path, .target, .existsAndIsNoDirectory))
            }
            listing.settle(directory, scheduler)
        }
    }

    /// With what files can be made in it.
    private static func creationMode(_ directory: DirectoryJob) -> UInt32 {
        UInt32(directory.attributes.mode & 0o1777 | 0o300)
    }

    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        if request.isDryRun { return scheduler.done(directory) }
        listing.forget(directory)
        guard directory.isNew || request.preserve, directory.name != nil else { return scheduler.done(directory) }
        var attributes = SFTPAttributes(permissions: UInt32(directory.attributes.mode & 0o1777))
        if request.preserve { attributes.times = directory.attributes.sftpTimes }
        // A server that sets no attributes has done no harm where MKDIR has given the mode and nothing else was to be kept.
        let isHarmless = !request.preserve && Self.creationMode(directory) == attributes.permissions
        main.submit(.setstat(path: directory.path.buffer, attributes)) { [unowned scheduler] (status: SFTPStatus) in
            if status.code != .ok, !isHarmless {
                scheduler.problem(CopyError(directory.path, .target, .status(status, operation: "set attributes")))
            }
            scheduler.done(directory)
        }
    }
}
