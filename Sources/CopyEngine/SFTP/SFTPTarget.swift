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
    /// Files that keep a near server busy.
    private static let nearFiles = 100

    let end: SFTPEnd
    let request: CopyRequest
    private let target: BytePath
    private let hasher: RemoteHasher?
    private let opensAhead: Bool
    private(set) var placement = SFTPPlacement(path: ".")

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
            .open(path: job.path.buffer, flags: keepsWhatItOpens ? .write : [.read, .write], SFTPAttributes())
        }
        end.shared = { [unowned self] job, scheduler in allSent(job, scheduler) }
    }

    /// Whether the server is known to leave a file alone that is opened for writing once more: whoever the SSH server is, this
    /// extension is of an SFTP server that has files behind it.
    var keepsWhatItOpens: Bool { opensAhead && main.server.has(.limits) }

    var lanes: [any CopyLane] { end.lanes }
    private var main: SFTPLane { end.main }
    var isDirectory: Bool { placement.isDirectory }

    // MARK: The target

    func find(_ scheduler: Scheduler) async throws {
        if let known = scheduler.ledger.placement {
            placement = known
            return
        }
        placement.path = try await main.expand(target, .target)
        if opensAhead, scheduler.source.count == 1, !request.targetMustBeDirectory,
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
        let made = try await main.ask(.mkdir(path: placement.path.buffer, SFTPAttributes(permissions: 0o777)))
        if case .status(let status) = made, status.code != .ok { throw CopyError(target, .target, .status(status)) }
        placement.isDirectory = true
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
    private func destination(_ name: [UInt8]?, in directory: DirectoryJob?) -> BytePath {
        guard let name else { return placement.path }
        if let directory { return directory.path.appending(name) }
        if !placement.isDirectory || name == [UInt8(ascii: ".")] { return placement.path }
        return placement.path.appending(name)
    }

    // MARK: Directories

    func make(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        directory.path = destination(directory.name, in: directory.parent)
        let mode = UInt32(directory.attributes.mode & 0o1777 | 0o300)
        main.submit(.mkdir(path: directory.path.buffer, SFTPAttributes(permissions: mode))) {
            [unowned self, unowned scheduler] (status: SFTPStatus) in
            if status.code == .ok { return scheduler.isReady(directory, isNew: true) }
            // There is no status for a directory that exists.
            main.submit(.stat(path: directory.path.buffer)) { [unowned scheduler] (reply: SFTPReply) in
                guard case .attributes(let attributes) = reply else {
                    return scheduler.lose(directory, CopyError(directory.path, .target, .status(status)))
                }
                if attributes.kind == .directory { return scheduler.isReady(directory, isNew: false) }
                scheduler.lose(directory, CopyError(directory.path, .target, .existsAndIsNoDirectory))
            }
        }
    }

    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard directory.isNew || request.preserve, directory.name != nil else { return scheduler.done(directory) }
        var attributes = SFTPAttributes(permissions: UInt32(directory.attributes.mode & 0o1777))
        if request.preserve { attributes.times = directory.attributes.sftpTimes }
        main.submit(.setstat(path: directory.path.buffer, attributes)) { [unowned scheduler] (status: SFTPStatus) in
            if status.code != .ok {
                scheduler.problem(CopyError(directory.path, .target, .status(status, operation: "set attributes")))
            }
            scheduler.done(directory)
        }
    }

    // MARK: Files

    /// As many files as the server, this process and good sense allow.
    var openLimit: Int {
        min(end.openLimit() ?? 100, LocalFileSystem.openFilesLimit, main.isNear ? Self.nearFiles : .max)
    }

    var mayOpen: Bool { end.lane(openingAtMost: .max) != nil }

    func mayHold(_ job: FileJob) -> Bool {
        job.path = destination(job.name, in: job.directory)
        return true
    }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        job.path = destination(job.name, in: job.directory)
        job.isEarly = job.directory?.state == .asked
        // What an earlier connection left is resumed from.
        job.isTruncated = job.partial == nil && (job.directory?.isNew ?? false)
        // A directory that is not known to be there is on the way on the first lane.
        let isThere = job.directory.map { $0.state == .ready } ?? true
        let lane = isThere ? end.lane(openingAtMost: .max) ?? main : main
        lane.open(opening(job), for: job.source) { [unowned self, unowned scheduler] opened in
            take(opened, job, lane, scheduler)
        }
    }

    private func opening(_ job: FileJob) -> SFTPRequest {
        var attributes = SFTPAttributes(permissions: UInt32(job.attributes.mode & 0o777))
        if request.preserve { attributes.times = job.attributes.sftpTimes }
        let flags: SFTPOpenFlags = job.isTruncated ? [.write, .create, .truncate] : [.write, .create]
        return .open(path: job.path.buffer, flags: flags, attributes)
    }

    private func take(_ opened: SFTPLane.Opened, _ job: FileJob, _ lane: SFTPLane, _ scheduler: Scheduler) {
        switch opened {
        case .handle(let handle):
            let part = SFTPPart(job, lane)
            part.handle = handle
            job.writing = part
            scheduler.targetOpened(job)
        case .later:
            postpone(job, scheduler)
        case .refused(let status):
            if job.isEarly, let directory = job.directory, !directory.isLost {
                // A server that does several things at a time may not have made the directory yet.
                job.isEarly = false
                if directory.state == .ready { open(job, scheduler) } else { directory.early.append(job) }
            } else {
                scheduler.refused(job, CopyError(job.path, .target, .status(status)))
            }
        }
    }

    private func postpone(_ job: FileJob, _ scheduler: Scheduler) {
        scheduler.source.close(job, scheduler, isPostponed: true)
        scheduler.postpone(job)
    }

    private func isSpecial(_ job: FileJob) -> Bool { placement.isSpecial && job.directory == nil }

    func compare(_ job: FileJob, _ scheduler: Scheduler) {
        guard let part = job.writing, !isSpecial(job) else { return scheduler.compared(job, nil) }
        part.lane.submit(.fstat(handle: part.handle)) { [unowned scheduler] (reply: SFTPReply) in
            guard case .attributes(let attributes) = reply, let size = attributes.size,
                attributes.kind == .regular || attributes.kind == nil
            else { return scheduler.compared(job, nil) }
            scheduler.compared(
                job,
                Existing(
                    size: Int64(clamping: size), modified: attributes.times.map { Int64($0.modified) }, mark: nil))
        }
    }

    func begin(_ job: FileJob, _ scheduler: Scheduler) {
        guard let part = job.writing else { return }
        part.lane.ready.append(part)
    }

    var hasRoom: Bool { end.mains.allSatisfy { $0.hasRoom && !$0.isFull } }

    func takesAnyOrder(_ job: FileJob, _ scheduler: Scheduler) -> Bool {
        !isSpecial(job) && scheduler.traits.takesStripes
    }

    func advance(_ scheduler: Scheduler) -> Bool {
        for lane in end.lanes {
            guard let part = lane.ready.first, lane.hasRoom, !lane.isFull,
                request.tuning.hasRoom(unanswered: lane.unansweredBlocks)
            else { continue }
            send(part, scheduler)
            return true
        }
        return false
    }

    /// Sends the next block of a local file, or the end behind the last one.
    private func send(_ part: SFTPPart, _ scheduler: Scheduler) {
        let job = part.job
        if !job.isStarted, job.failure?.cause != .cancelled { scheduler.contentsStart(job, at: job.source) }
        if job.failure == nil { end.stripes?.offer(part, scheduler) { takesAnyOrder(job, scheduler) } }
        var isDone = job.failure != nil || !SFTPStripes.continues(part)
        if !isDone {
            do throws(FileError) {
                isDone = try sendBlock(part, scheduler)
            } catch {
                job.fail(CopyError(error, .source))
                isDone = true
            }
        }
        guard isDone else { return }
        part.lane.ready.removeFirst()
        guard job.ranges == nil else { return end.stripes?.partIsDone(part, scheduler) ?? () }
        job.end = part.offset
        scheduler.finish(job)
    }

    /// All parts of a shared file were sent.
    private func allSent(_ job: FileJob, _ scheduler: Scheduler) {
        job.end = job.size
        // What has grown behind the ranges is not sent, but must not be lost silently.
        if job.failure == nil, let growth = job.local?.growth() { job.fail(CopyError(growth, .source)) }
        scheduler.finish(job)
    }

    /// - Returns: whether that was the end of the file.
    private func sendBlock(_ part: SFTPPart, _ scheduler: Scheduler) throws(FileError) -> Bool {
        let job = part.job
        guard let local = job.local else { return true }
        let limit = request.tuning.blockSize(main.server.limits.writeLength)
        let offset = part.offset
        let left = (job.ranges == nil ? job.size : part.end) - offset
        // One byte more than there should be: a file that grew is copied up to its end. Ranges are what they are.
        let wanted = left >= limit ? limit : Int(max(0, left)) + (job.ranges == nil ? 1 : 0)
        let count = try submit(part, at: offset, scheduler) { (block) throws(FileError) in
            try local.read(into: &block, count: wanted, at: offset)
        }
        part.offset += Int64(count)
        scheduler.count(count, of: job)
        guard count < wanted else { return false }
        if part.offset < job.size {
            throw FileError(path: local.path, operation: .read, cause: .shrank(bytes: part.offset, of: job.size))
        }
        return true
    }

    private func submit<E: Error>(
        _ part: SFTPPart, at offset: Int64, _ scheduler: Scheduler, fill: (inout ByteBuffer) throws(E) -> Int
    ) throws(E) -> Int {
        let (job, lane) = (part.job, part.lane)
        let count = try lane.write(part, at: offset, fill: fill) {
            [unowned self, unowned scheduler] (count: Int, status: SFTPStatus) in
            part.unanswered -= 1
            if status.code == .ok {
                job.written.add(offset..<offset + Int64(count))
                end.stripes?.written(scheduler)
            } else if job.failure == nil, isOutOfOrder(job, offset) {
                lane.note(.writesInOrder, job.source)
            } else {
                job.fail(CopyError(job.path, .target, .status(status, operation: "write")))
            }
            answered(job, scheduler)
        }
        if count > 0 {
            job.unanswered += 1
            part.unanswered += 1
        }
        return count
    }

    /// Whether bytes that a server refused were not the next: it may take them only one after another.
    private func isOutOfOrder(_ job: FileJob, _ offset: Int64) -> Bool {
        job.ranges != nil || (job.file?.present ?? 0) > 0
    }

    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler) {
        guard job.failure == nil, let part = job.writing else { return }
        scheduler.contentsStart(job, at: job.source)
        var rest = bytes
        var offset = offset
        let limit = request.tuning.blockSize(main.server.limits.writeLength)
        while let block = rest.readSlice(length: min(limit, rest.readableBytes)), block.readableBytes > 0 {
            _ = submit(part, at: offset, scheduler) { $0.writeImmutableBuffer(block) }
            offset += Int64(block.readableBytes)
        }
        scheduler.count(bytes.readableBytes, of: job)
    }

    private func answered(_ job: FileJob, _ scheduler: Scheduler) {
        job.unanswered -= 1
        guard job.isFinishing, job.unanswered == 0, job.furtherParts == 0 else { return }
        if job.writing == nil { scheduler.targetFinished(job) } else { finish(job, scheduler) }
    }

    func finish(_ job: FileJob, _ scheduler: Scheduler) {
        guard let part = job.writing else { return scheduler.targetFinished(job) }
        if job.failure == nil, let end = job.end, end < job.size, job.local == nil {
            job.fail(CopyError(job.source, .source, .shrank(bytes: end, of: job.size)))
        }
        if job.failure == nil { scheduler.contentsStart(job, at: job.source) }
        let isCancelled = job.failure?.cause == .cancelled
        // Of parts in any order, the answers tell how far all are there.
        if isCancelled, job.ranges != nil, job.unanswered > 0 { return }
        let size = max(0, (isCancelled && job.ranges != nil ? nil : job.end) ?? job.written.end)
        // Counted before any is answered.
        job.unanswered += 1
        if needsAttributes(job) { setAttributes(of: job, part, size: size, scheduler) }
        part.lane.close(part.handle) { [unowned self, unowned scheduler] status in
            if status.code != .ok { job.fail(CopyError(job.path, .target, .status(status, operation: "close"))) }
            if request.verify, isSpecial(job) { job.fail(CopyError(job.path, .target, .notVerifiable)) }
            answered(job, scheduler)
        }
        if isCancelled, !job.isStarted, job.partial == nil, job.directory?.isNew ?? false { remove(job, scheduler) }
        job.writing = nil
    }

    /// A file that was made, and of which nothing was copied, is no use to anybody.
    private func remove(_ job: FileJob, _ scheduler: Scheduler) {
        job.unanswered += 1
        main.submit(.remove(path: job.path.buffer)) { [unowned self, unowned scheduler] (_: SFTPStatus) in
            answered(job, scheduler)
        }
    }

    var closesWhenStopped: Bool { true }

    private func needsAttributes(_ job: FileJob) -> Bool {
        if job.failure?.cause == .cancelled { return !isSpecial(job) && job.isStarted }
        guard !isSpecial(job), job.failure == nil || job.ranges == nil else { return false }
        return request.preserve || !job.isTruncated || job.failure != nil
    }

    private func setAttributes(of job: FileJob, _ part: SFTPPart, size: Int64, _ scheduler: Scheduler) {
        var attributes = SFTPAttributes(size: UInt64(size))
        if request.preserve, job.failure == nil {
            attributes.permissions = UInt32(job.attributes.mode & 0o777)
            attributes.times = job.attributes.sftpTimes
        }
        job.unanswered += 1
        part.lane.submit(.fsetstat(handle: part.handle, attributes)) {
            [unowned self, unowned scheduler] (status: SFTPStatus) in
            if status.code != .ok, job.failure == nil { refusedAttributes(of: job, status, size: size, scheduler) }
            answered(job, scheduler)
        }
    }

    /// A server that sets no attributes has done no harm where the size is right already and nothing else was to be kept.
    private func refusedAttributes(of job: FileJob, _ status: SFTPStatus, size: Int64, _ scheduler: Scheduler) {
        let failure = CopyError(job.path, .target, .status(status, operation: "set attributes"))
        if request.preserve { return job.fail(failure) }
        job.unanswered += 1
        main.submit(.stat(path: job.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            if case .attributes(let attributes) = reply, attributes.size == UInt64(size) {} else { job.fail(failure) }
            answered(job, scheduler)
        }
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask {
        let (hasher, path) = (hasher, job.path)
        return Task {
            if let hash = try await hasher?.hash(of: path, first: count) { return hash }
            return count == nil ? try await hasher?.readBack(path) : nil
        }
    }

    func leave(_ job: FileJob, _ scheduler: Scheduler) -> PartialFile? {
        // What a device has got cannot be taken back, or sent once more.
        if isSpecial(job), job.counted > 0 { scheduler.ledger.isBound = true }
        let written = job.written.end
        guard written >= Scheduler.worthResuming else { return nil }
        return PartialFile(written: written, source: scheduler.mark(job))
    }
}
