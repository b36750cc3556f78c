import Files
import NIOCore
import SFTP

// Files, from OPEN to CLOSE.
extension SFTPTarget {
    // MARK: Opening

    /// Files that keep a near server busy.
    private static let nearFiles = 100

    /// As many files as the server, this process and good sense allow.
    var openLimit: Int {
        min(end.openLimit() ?? 100, LocalFileSystem.openFilesLimit, main.isNear ? Self.nearFiles : .max)
    }

    var mayOpen: Bool { end.lane(openingAtMost: .max) != nil }

    func mayHold(_ job: FileJob) -> Bool {
        job.path = destination(job.name, in: job.directory)
        return true
    }

    func look(for job: FileJob, _ scheduler: Scheduler) {
        job.path = destination(job.name, in: job.directory)
        listing.look(for: job, scheduler)
    }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        if request.isDryRun { return scheduler.plan(job) }
        job.path = destination(job.name, in: job.directory)
        job.isEarly = job.directory?.state == .asked
        if request.writing.isAtomic, !isSpecial(job) { job.beside = PartialName.of(job.path) }
        // What an earlier connection left is resumed from.
        let isOurs = job.isExclusive || job.directory?.isNew ?? false || (job.beside != nil && !request.resume)
        job.isTruncated = job.partial == nil && isOurs
        // A directory that is not known to be there is on the way on the first lane.
        let isThere = job.directory.map { $0.state == .ready } ?? true
        let lane = isThere ? end.lane(openingAtMost: .max) ?? main : main
        lane.open(opening(job), for: job.source) { [unowned self, unowned scheduler] opened in
            take(opened, job, lane, scheduler)
        }
    }

    func opening(_ job: FileJob) -> SFTPRequest {
        var attributes = SFTPAttributes(permissions: UInt32(job.attributes.mode & 0o777))
        if request.preserve { attributes.times = job.attributes.sftpTimes }
        var flags: SFTPOpenFlags = job.isTruncated ? [.write, .create, .truncate] : [.write, .create]
        if job.isExclusive, job.beside == nil { flags = [.write, .create, .exclusive] }
        return .open(path: job.writtenPath.buffer, flags: flags, attributes)
    }

    func take(_ opened: SFTPLane.Opened, _ job: FileJob, _ lane: SFTPLane, _ scheduler: Scheduler) {
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
            } else if job.isExclusive, job.beside == nil {
                skipIfThere(job, status, scheduler)
            } else {
                scheduler.refused(job, CopyError(job.path, .target, .status(status)))
            }
        }
    }

    /// What has appeared at the target meanwhile stays, as does what has another name in the listing and is the same to the server.
    private func skipIfThere(_ job: FileJob, _ status: SFTPStatus, _ scheduler: Scheduler) {
        main.submit(.lstat(path: job.path.buffer)) { [unowned scheduler] (reply: SFTPReply) in
            if case .attributes = reply { return scheduler.skip(job) }
            scheduler.refused(job, CopyError(job.path, .target, .status(status)))
        }
    }

    private func postpone(_ job: FileJob, _ scheduler: Scheduler) {
        scheduler.source.close(job, scheduler, isPostponed: true)
        scheduler.postpone(job)
    }

    func isSpecial(_ job: FileJob) -> Bool { placement.isSpecial && job.directory == nil }

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

    // MARK: Finishing

    func answered(_ job: FileJob, _ scheduler: Scheduler) {
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
        if request.writing.synchronizes, job.failure == nil, !isSpecial(job) { synchronize(job, part, scheduler) }
        part.lane.close(part.handle) { [unowned self, unowned scheduler] status in
            if status.code != .ok { job.fail(CopyError(job.path, .target, .status(status, operation: "close"))) }
            if request.verify, isSpecial(job) { job.fail(CopyError(job.path, .target, .notVerifiable)) }
            settle(job, scheduler)
            answered(job, scheduler)
        }
        if isCancelled, !job.isStarted, job.partial == nil, job.beside == nil, job.directory?.isNew ?? false {
            remove(job, scheduler)
        }
        job.writing = nil
    }

    private func synchronize(_ job: FileJob, _ part: SFTPPart, _ scheduler: Scheduler) {
        job.unanswered += 1
        part.lane.submit(.fsync(handle: part.handle)) {
            [unowned self, unowned scheduler] (status: SFTPStatus) in
            if status.code != .ok { job.fail(CopyError(job.path, .target, .status(status, operation: "fsync"))) }
            answered(job, scheduler)
        }
    }

    /// A file that is whole gets its name; what is left of another is worth keeping if it can be resumed from.
    private func settle(_ job: FileJob, _ scheduler: Scheduler) {
        guard let beside = job.beside else { return }
        guard job.failure == nil else {
            if job.written.end < Scheduler.worthResuming { remove(job, scheduler) }
            return
        }
        let request =
            job.isExclusive
            ? SFTPRequest.rename(from: beside.buffer, to: job.path.buffer)
            : .posixRename(from: beside.buffer, to: job.path.buffer)
        job.unanswered += 1
        main.submit(request) { [unowned self, unowned scheduler] (status: SFTPStatus) in
            if status.code == .ok {
                job.beside = nil
            } else {
                job.fail(CopyError(job.path, .target, .status(status, operation: "rename")))
                remove(job, scheduler)
            }
            answered(job, scheduler)
        }
    }

    /// A file that was made, and of which nothing was copied, is no use to anybody.
    private func remove(_ job: FileJob, _ scheduler: Scheduler) {
        job.unanswered += 1
        main.submit(.remove(path: job.writtenPath.buffer)) { [unowned self, unowned scheduler] (_: SFTPStatus) in
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
        main.submit(.stat(path: job.writtenPath.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            if case .attributes(let attributes) = reply, attributes.size == UInt64(size) {} else { job.fail(failure) }
            answered(job, scheduler)
        }
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask {
        let (hasher, path) = (hasher, job.writtenPath)
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
