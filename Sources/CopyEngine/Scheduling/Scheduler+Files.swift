import Files
import NIOCore
import SSHWire

// The steps of a file: open → compare → copy → finish.
extension Scheduler {
    /// The source has a file.
    ///
    /// - Returns: nil if it is done already, or left out.
    @discardableResult
    func add(
        _ name: [UInt8], _ path: BytePath, _ attributes: FileAttributes, size: Int64, in directory: DirectoryJob?,
        local: LocalFile? = nil
    ) -> FileJob? {
        if ledger.isSettled(path) { return nil }
        if isFiltered, leavesOut(name, path, attributes, size: size, in: directory) { return nil }
        unfinished += 1
        bytesMet += size
        let job = FileJob(
            number: started, name: name, source: path, directory: directory, attributes: attributes, size: size)
        started += 1
        job.local = local
        decide(job)
        return job.isSkipped || job.failure != nil ? nil : job
    }

    func open(_ job: FileJob) {
        openFiles.add(job)
        // If hashes decide, they have to be asked for.
        if request.isDryRun, !job.mayBeSame, !job.isLost { return plan(job) }
        if job.isLost { return refused(job, nil) }
        underWay[job.number] = job
        if job.partial == nil { job.partial = ledger.take(job.source) }
        source.open(job, self)
    }

    /// A file that its target has opened ahead of its turn.
    func takeWaiting() -> FileJob? { waiting.popFirst() }
    func putBack(_ job: FileJob) { waiting.prepend(job) }
    func openedAhead(_ job: FileJob) {
        openFiles.add(job)
        underWay[job.number] = job
    }

    /// A file cannot be opened before others are closed.
    func postpone(_ job: FileJob) {
        openFiles.remove(job)
        underWay[job.number] = nil
        job.isEarly = false
        waiting.prepend(job)
    }

    /// - Parameter error: nil if it was told already.
    func refused(_ job: FileJob, _ error: CopyError?) {
        if let error { job.fail(error) }
        openFiles.remove(job)
        source.close(job, self)
        done(job, isQuiet: error == nil || job.isLost)
    }

    func sourceOpened(_ job: FileJob) {
        if job.mayBeSame { return skipIfSame(job) }
        let mayBeWhole = source.count == nil || target.isSequential || request.writing.isAtomic
        guard request.resume, mayBeWhole, job.size > Self.worthResuming else {
            return target.open(job, self)
        }
        skipIfSame(job)
    }

    /// A file that is at the target already is passed by if all of it is the same, else copied whole: SCP has no offsets, and a rule
    /// may be about the hashes.
    private func skipIfSame(_ job: FileJob) {
        guard target.mayHold(job) else { return target.open(job, self) }
        let (here, there) = (source.hash(of: job, first: nil), target.hash(of: job, first: nil))
        start { scheduler in
            let (a, b) = try await (here.ownValue(), there.ownValue())
            guard let a, let b, a == b else { return scheduler.target.open(job, scheduler) }
            if job.mayBeSame {
                scheduler.summary.verified += 1
                return scheduler.skip(job)
            }
            scheduler.note(.resumed(job.source, at: job.size, of: job.size))
            scheduler.resume(job, at: job.size)
            scheduler.openFiles.remove(job)
            scheduler.source.close(job, scheduler)
            scheduler.done(job)
        }
    }

    /// Both ends are open: it is looked at what is there already, or the contents are copied.
    func targetOpened(_ job: FileJob) {
        if isStopping { return finish(job) }
        if job.partial == nil, !request.resume { begin(job) } else { target.compare(job, self) }
    }

    /// What is at the target is known: it is resumed from, compared, or overwritten.
    func compared(_ job: FileJob, _ existing: Existing?) {
        if let partial = job.partial {
            if isResumable(partial, job, existing) { resume(job, at: partial.written) } else { job.partial = nil }
            return begin(job)
        }
        guard request.resume, let existing, existing.size > 0, existing.size <= job.size else { return begin(job) }
        if job.size <= Self.worthResuming {
            let isSame = request.preserve && existing.size == job.size
            if isSame, existing.modified == job.attributes.modified?.seconds { resume(job, at: job.size) }
            return begin(job)
        }
        compareHashes(job, existing.size)
    }

    private func isResumable(_ partial: PartialFile, _ job: FileJob, _ existing: Existing?) -> Bool {
        guard let existing, existing.size >= partial.written else { return false }
        if let target = partial.target, target != existing.mark { return false }
        return partial.source == mark(job)
    }

    /// What tells that the source of a file is the one it was.
    func mark(_ job: FileJob) -> FileMark {
        job.local.map { FileMark($0.status) }
            ?? FileMark(size: job.size, modified: job.attributes.modified?.seconds)
    }

    private func resume(_ job: FileJob, at start: Int64) {
        job.begin(at: start)
        summary.bytes += start
    }

    private func compareHashes(_ job: FileJob, _ count: Int64) {
        let here = source.hash(of: job, first: count)
        let there = target.hash(of: job, first: count)
        start { scheduler in
            let (a, b) = try await (here.ownValue(), there.ownValue())
            if let a, let b, a == b {
                scheduler.note(.resumed(job.source, at: count, of: job.size))
                scheduler.resume(job, at: count)
            } else {
                scheduler.note(.copiedAnew(job.source, cannotBeHashed: a == nil || b == nil))
            }
            scheduler.begin(job)
        }
    }

    /// The contents are copied from now on.
    private func begin(_ job: FileJob) {
        if job.failure != nil { return finish(job) }
        if job.local != nil { target.begin(job, self) } else { source.begin(job, self) }
    }

    /// The first bytes of the contents are there.
    func contentsStart(_ job: FileJob, at path: BytePath) {
        guard job.file == nil else { return }
        var file = CopyFile(number: job.number, path: path, size: job.size)
        file.present = job.written.end
        job.file = file
        observer.receive(.started(file))
    }

    /// Bytes of a file were read, or have come.
    func count(_ count: Int, of job: FileJob) {
        guard let file = job.file, count > 0 else { return }
        job.counted += Int64(count)
        summary.bytes += Int64(count)
        observer.receive(.bytes(count, of: file))
    }

    /// All contents were submitted, or will never be: the size and the attributes follow.
    func finish(_ job: FileJob) {
        guard !job.isFinishing else { return }
        job.isFinishing = true
        openFiles.remove(job)
        source.close(job, self)
        target.finish(job, self)
    }

    /// All that was submitted of a file is completed, and it is closed.
    func targetFinished(_ job: FileJob) {
        guard request.verify, job.failure == nil, !isStopping else { return done(job) }
        verify(job)
    }

    func done(_ job: FileJob, isQuiet: Bool = false) {
        unfinished -= 1
        underWay[job.number] = nil
        job.local = nil
        ledger.settle(job.source)
        if job.isSkipped {
            summary.skipped += 1
            bytesMet -= job.size
        } else if let failure = job.failure {
            bytesMet -= job.size - job.counted
            if !isQuiet, failure.cause != .cancelled { problem(failure) }
        } else if !isQuiet {
            summary.files += 1
        }
        if let file = job.file {
            let isCancelled = job.failure?.cause == .cancelled
            observer.receive(isCancelled ? .interrupted(file) : .finished(file, isComplete: job.failure == nil))
        }
        source.finished(job, self)
        if let directory = job.directory { childFinished(of: directory) }
    }
}
