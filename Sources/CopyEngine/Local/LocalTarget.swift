import Files
import NIOCore

/// A path of this machine, as the target of a copy.
final class LocalTarget: TargetEndpoint {
    private let path: BytePath
    private let request: CopyRequest
    private let hashing: HashThreads
    private var tree: TargetTree?
    /// Local files that are being copied here; the first one is at it.
    private var ready = CircularBuffer<FileJob>()
    private var copier = LocalCopier()

    init(_ path: BytePath, _ request: CopyRequest, _ hashing: HashThreads) {
        self.path = path
        self.request = request
        self.hashing = hashing
    }

    private var isLocalCopy: Bool { !request.source.isRemote }

    func find(_ scheduler: Scheduler) async throws {
        // The same as before: by now the target could be a directory.
        if let known = scheduler.ledger.tree {
            tree = known
            return
        }
        do throws(FileError) {
            tree = try makeTree(scheduler.source.count ?? 1)
        } catch {
            throw CopyError(error, .target)
        }
        scheduler.ledger.tree = tree
    }

    private func makeTree(_ sources: Int) throws(FileError) -> TargetTree {
        var options = TargetTree.Options(
            preserve: request.preserve, targetMustBeDirectory: request.targetMustBeDirectory)
        (options.isAtomic, options.synchronizes) = (request.writing.isAtomic, request.writing.synchronizes)
        if sources > 1, !options.targetMustBeDirectory {
            if (try? LocalFileSystem.status(of: path)) == nil {
                if request.isDryRun { return try TargetTree(missingDirectory: path, options: options) }
                _ = try TargetTree(target: path, options: options).enterDirectory(
                    [], attributes: FileAttributes(mode: 0o777), in: nil)
            }
            options.targetMustBeDirectory = true
        }
        return try TargetTree(target: path, options: options)
    }

    /// Whether entries at the top go into the target, which is a directory.
    var isDirectory: Bool { tree?.targetIsDirectory ?? false }

    /// What is carried over: owners stay on one machine.
    private func attributes(_ attributes: FileAttributes) -> FileAttributes {
        var attributes = attributes
        if !isLocalCopy || !request.preserve { attributes.owner = nil }
        return attributes
    }

    // MARK: Directories

    func make(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard let tree else { return }
        guard let name = directory.name else { return scheduler.isReady(directory, isNew: false) }
        do throws(FileError) {
            if isLocalCopy { try checkIdentity(directory, tree) }
            if request.isDryRun { return try plan(directory, name, tree, scheduler) }
            let node = try tree.enterDirectory(
                name, attributes: attributes(directory.attributes), in: directory.parent?.node)
            directory.node = node
            if !node.isNew { node.isNew = scheduler.ledger.hasMade(directory.source) }
            // The first directory made may lie in the one that is copied; it must not become part of its own copy.
            if isLocalCopy, directory.parent == nil {
                (scheduler.source as? LocalSource)?.exclude(node.identity)
            }
            scheduler.isReady(directory, isNew: node.isNew)
        } catch {
            scheduler.lose(directory, CopyError(error, .target))
        }
    }

    /// Finds out what would come of making a directory.
    private func plan(
        _ directory: DirectoryJob, _ name: [UInt8], _ tree: TargetTree, _ scheduler: Scheduler
    ) throws(FileError) {
        if !isMissing(directory.parent) {
            directory.node = try tree.findDirectory(
                name, attributes: attributes(directory.attributes), in: directory.parent?.node)
        }
        scheduler.isReady(directory, isNew: directory.node == nil)
    }

    /// Whether a directory is not there, as it is one of a plan.
    private func isMissing(_ directory: DirectoryJob?) -> Bool {
        directory.map { $0.name != nil && $0.node == nil } ?? false
    }

    private func checkIdentity(_ directory: DirectoryJob, _ tree: TargetTree) throws(FileError) {
        guard let name = directory.name else { return }
        let there = tree.path(of: name, in: directory.parent?.node)
        guard let target = try? LocalFileSystem.status(of: there),
            let source = try? LocalFileSystem.status(of: directory.source), target.identity == source.identity
        else { return }
        throw FileError(path: directory.source, operation: .open, cause: .sameFile(there))
    }

    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        if request.isDryRun { return scheduler.done(directory) }
        if let node = directory.node, let tree {
            do throws(FileError) {
                try tree.finish(node)
            } catch {
                scheduler.problem(CopyError(error, .target))
            }
        }
        directory.node = nil
        scheduler.done(directory)
    }

    // MARK: Files

    func look(for job: FileJob, _ scheduler: Scheduler) { scheduler.found(job, existing(job)) }

    private func existing(_ job: FileJob) -> Existing? {
        if isMissing(job.directory) { return nil }
        return tree?.status(of: job.name, in: job.directory?.node).map {
            Existing(
                size: $0.size, modified: $0.modified.seconds, mark: FileMark($0), isRegular: $0.kind == .regular)
        }
    }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        if request.isDryRun { return scheduler.plan(job) }
        // It may be one of this copy's own.
        if job.isExclusive, existing(job) != nil { return scheduler.skip(job) }
        // A source that asks whether a file is wanted is told when it cannot be written.
        if case .scp = request.source {
            create(job, scheduler)
            if let failure = job.failure { return scheduler.refused(job, failure) }
        }
        scheduler.targetOpened(job)
    }

    func mayHold(_ job: FileJob) -> Bool {
        job.present = tree?.existingFile(job.name, in: job.directory?.node)
        return job.present?.status.size == job.size
    }

    func compare(_ job: FileJob, _ scheduler: Scheduler) {
        job.present = tree?.partialFile(job.name, in: job.directory?.node)
        let existing = job.present.map {
            Existing(size: $0.status.size, modified: $0.status.modified.seconds, mark: FileMark($0.status))
        }
        scheduler.compared(job, existing)
    }

    /// Opens the file when its first bytes are there: one that cannot be read leaves no trace.
    private func create(_ job: FileJob, _ scheduler: Scheduler) {
        guard job.file == nil, job.failure == nil, let tree else { return }
        job.present = nil
        let parent = job.directory?.node
        let path = tree.path(of: job.name, in: parent)
        var mode = job.attributes.mode
        // So that the next copy can overwrite it, as OpenSSH has it.
        if case .sftp = request.source, !request.preserve { mode |= 0o200 }
        do throws(FileError) {
            if let local = job.local, isLocalCopy,
                (try? LocalFileSystem.status(of: path))?.identity == local.status.identity
            {
                throw FileError(path: job.source, operation: .open, cause: .sameFile(path))
            }
            job.new = try tree.createFile(
                job.name, mode: mode, in: parent, mustBeNew: job.isExclusive, isResumed: job.written.end > 0)
        } catch {
            job.fail(CopyError(error, .target))
            // What has appeared meanwhile stays.
            job.isSkipped = job.isExclusive && error.cause.isPresence
            if job.isSkipped { return }
        }
        scheduler.contentsStart(job, at: path)
    }

    func takesAnyOrder(_ job: FileJob, _ scheduler: Scheduler) -> Bool { job.new?.file.status.kind == .regular }

    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler) {
        create(job, scheduler)
        guard job.failure == nil, let new = job.new else { return }
        do throws(FileError) {
            try new.file.write(bytes, at: offset)
            job.written.add(offset..<offset + Int64(bytes.readableBytes))
            scheduler.count(bytes.readableBytes, of: job)
        } catch {
            job.fail(CopyError(error, .target))
        }
    }

    func finish(_ job: FileJob, _ scheduler: Scheduler) {
        if job.failure == nil, let end = job.end { finish(job, size: end, scheduler) }
        if request.verify, job.failure == nil { reopen(job) }
        if job.failure != nil, job.written.end < Scheduler.worthResuming { job.new?.discard() }
        job.new = nil
        scheduler.targetFinished(job)
    }

    private func finish(_ job: FileJob, size: Int64, _ scheduler: Scheduler) {
        create(job, scheduler)
        do throws(FileError) {
            try job.new?.finish(size: size, attributes: attributes(job.attributes))
        } catch {
            job.fail(CopyError(error, .target))
        }
        guard size < job.size, job.failure == nil else { return }
        if let local = job.local {
            job.fail(
                CopyError(
                    FileError(path: local.path, operation: .read, cause: .shrank(bytes: size, of: job.size)), .source))
        } else {
            job.fail(CopyError(job.source, .source, .shrank(bytes: size, of: job.size)))
        }
    }

    /// Opens what was written, to be hashed.
    private func reopen(_ job: FileJob) {
        guard let new = job.new, let tree else { return }
        guard new.file.status.kind == .regular else {
            return job.fail(CopyError(new.file.path, .target, .notVerifiable))
        }
        do throws(FileError) {
            let present = try tree.openAgain(job.name, in: job.directory?.node)
            guard present.status.identity == new.file.status.identity else {
                throw FileError(path: present.path, operation: .open, cause: .fileReplaced)
            }
            job.present = present
        } catch {
            job.fail(CopyError(error, .target))
        }
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask { hashing.hash(job.present, first: count) }

    func leave(_ job: FileJob, _ scheduler: Scheduler) -> PartialFile? {
        if let present = job.present, let size = job.end, size >= Scheduler.worthResuming,
            let status = try? present.currentStatus()
        {
            // All of it is here, and the hash of its source has not come.
            return PartialFile(written: size, source: scheduler.mark(job), target: FileMark(status))
        }
        guard let new = job.new else { return nil }
        job.new = nil
        guard new.file.status.kind == .regular else {
            // What a device has got cannot be taken back, or sent once more.
            if job.counted > 0 { scheduler.ledger.isBound = true }
            return nil
        }
        // A file whose last writes are lost in closing it is fetched again.
        let written = job.written.end
        guard written >= Scheduler.worthResuming, let status = try? new.file.currentStatus(),
            (try? new.file.close()) != nil
        else { return nil }
        return PartialFile(written: written, source: scheduler.mark(job), target: FileMark(status))
    }

    /// What is behind the contents is of an older file, or a gap: a hash would not know this one for the beginning of its source.
    func giveUp(_ job: FileJob) {
        guard let file = job.new?.file, file.status.kind == .regular, job.written.end > 0 else { return }
        try? file.truncate(to: job.written.end)
    }

    // MARK: Local files

    func begin(_ job: FileJob, _ scheduler: Scheduler) {
        ready.append(job)
    }

    func advance(_ scheduler: Scheduler) -> Bool {
        guard let job = ready.first else { return false }
        create(job, scheduler)
        if job.failure == nil, let local = job.local, let new = job.new {
            do throws(FileError) {
                let offset = max(job.written.end, 0)
                let (count, isEnd) = try copier.copy(local, to: new, at: offset)
                job.written.add(offset..<offset + Int64(count))
                scheduler.count(count, of: job)
                guard isEnd else { return true }
                job.end = offset + Int64(count)
            } catch {
                job.fail(CopyError(error, error.path == local.path ? .source : .target))
            }
        }
        ready.removeFirst()
        scheduler.finish(job)
        return true
    }
}
