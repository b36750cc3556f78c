import Files

/// Files and directory trees of this machine, as the source of a copy.
final class LocalSource: SourceEndpoint {
    private let walk: LocalWalk
    private let sources: [BytePath]
    private let keepsFilesOpen: Bool
    /// It may turn out that a file need not be opened.
    private let opensLater: Bool
    /// A longer path cannot be opened by its name.
    private static let pathLimit = 4_000
    private let hashing: HashThreads
    private(set) var isExhausted = false

    /// - Parameter unnamed: what becomes of a source without a name of its own.
    init(_ sources: [BytePath], _ request: CopyRequest, unnamed: LocalWalk.Unnamed, _ hashing: HashThreads) {
        self.sources = sources
        self.hashing = hashing
        keepsFilesOpen = request.verify
        opensLater = request.update != .always || request.filter.asksForStatus
        var options = LocalWalk.Options(recursive: request.recursive)
        options.unnamed = unnamed
        walk = LocalWalk(sources: sources, options: options)
    }

    var count: Int? { sources.count }
    /// Where the walk has opened them, as many as may be open.
    var waitingLimit: Int { opensLater ? 4_000 : LocalFileSystem.waitingFilesLimit }

    func find(_ scheduler: Scheduler) async throws {
        guard scheduler.isFiltered || opensLater else { return }
        walk.passesBy = { [unowned self, unowned scheduler] (name, path, isDirectory, status) throws(FileError) in
            let parent = scheduler.entered.last
            if scheduler.leavesOut(name, path, isDirectory: isDirectory, in: parent) { return true }
            guard opensLater, isDirectory != true, path.bytes.count < Self.pathLimit, !(parent?.isLost ?? false) else {
                return false
            }
            let status = try status()
            guard status.kind == .regular else { return false }
            scheduler.add(name, path, status.carried, size: status.size, in: parent)
            return true
        }
    }

    /// The walk's next item, for a target that wants to see it first.
    func next() -> WalkItem<LocalFile>? {
        let item = walk.next()
        if item == nil { isExhausted = true }
        return item
    }

    func walk(_ scheduler: Scheduler) -> Bool {
        guard !isExhausted else { return false }
        guard let item = next() else { return false }
        take(item, scheduler)
        return true
    }

    func take(_ item: WalkItem<LocalFile>, _ scheduler: Scheduler) {
        if let directory = scheduler.entered.last, directory.isLost {
            // The walk has just looked at one more entry; the rest it need not.
            switch item {
            case .leaveDirectory: break
            case .enterDirectory:
                walk.skipDirectory()
                walk.skipDirectory()
            default: walk.skipDirectory()
            }
            return scheduler.leave()
        }
        switch item {
        case .failure(let error): scheduler.problem(CopyError(error, .source))
        case .leaveDirectory: scheduler.leave()
        case .passedBy: break
        case .enterDirectory(let name, let path, let status):
            if scheduler.enter(name, path, status.carried, belowUnnamed: walk.isInUnnamed) == nil {
                walk.skipDirectory()
            }
        case .file(let name, let file):
            scheduler.add(
                name, file.path, file.status.carried, size: file.status.size, in: scheduler.entered.last, local: file)
        }
    }

    /// A directory that is not entered: the copy itself.
    func exclude(_ identity: FileStatus.Identity) { walk.exclude(identity) }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        do throws(FileError) {
            if job.local == nil {
                let file = try LocalDirectory.openForReading(job.source)
                guard file.status.kind == .regular else {
                    throw FileError(path: job.source, operation: .open, cause: .notRegular)
                }
                job.local = file
            }
            scheduler.sourceOpened(job)
        } catch {
            scheduler.refused(job, CopyError(error, .source))
        }
    }

    func close(_ job: FileJob, _ scheduler: Scheduler, isPostponed: Bool) {
        // Closing what was only read cannot lose anything.
        if !isPostponed, !keepsFilesOpen || job.failure != nil { try? job.local?.close() }
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask { hashing.hash(job.local, first: count) }
}

extension FileStatus {
    /// What a copy carries over.
    var carried: FileAttributes {
        var attributes = FileAttributes(mode: mode, modified: modified, accessed: accessed)
        attributes.owner = (owner, group)
        return attributes
    }
}
