import Files
import NIOCore
import SFTP
import SSHWire

/// What a copy has to do and what of it is under way, over one connection: the steps of files and directories from the source's
/// walk to the last hash.
///
/// It waits for nothing. An endpoint tells it what was completed, and it submits what follows from that; ``fill()`` submits more
/// as long as the endpoints take it. One actor uses it, see ``CopyRun``.
final class Scheduler {
    /// Directories nested deeper than this are not entered.
    static let maximumDepth = 1_000
    /// A file with less than this at the target is copied from its beginning, in bytes.
    static let worthResuming: Int64 = 64 << 10
    /// Files whose hashes are asked for ahead.
    private static let verifyingLimit = 64

    let request: CopyRequest
    let source: any SourceEndpoint
    let target: any TargetEndpoint
    let ledger: CopyLedger
    let observer: any CopyObserver
    /// What waits for something beside the lanes, such as a hash; to be started by whoever runs this.
    private var toStart: [Work] = []
    typealias Work = (Scheduler) async throws -> Void

    private(set) var summary: CopySummary
    /// The copy was cancelled, and what is open at the target is being closed.
    private(set) var isStopping = false
    var traits: ServerTraits
    /// The directories that the source's walk is in, where it goes through them one after another.
    private(set) var entered: [DirectoryJob] = []
    /// Files to be opened.
    private(set) var waiting = CircularBuffer<FileJob>()
    /// Files that were begun and are not done, by their numbers.
    private var underWay: [Int: FileJob] = [:]
    /// Files that are at the target and whose hashes are to be compared, and those that nobody could be asked about yet.
    private var verifying = 0
    private var unverified: [FileJob] = []
    /// Files that nobody can be asked about before the copy's channel is closed.
    private var postponed: [FileJob] = []
    /// Files that are open, or being opened.
    private(set) var openFiles = 0
    /// What is in them, in bytes, as far as that counts.
    private var openBytes: Int64 = 0
    /// With so much in open files, in bytes, or several times what may be under way, the next one is opened when one of them is
    /// done: more would not make a copy quicker, and one that is cancelled would leave them empty.
    private static let openBytesLimit: Int64 = 16 << 20
    private static let openWindows: Int64 = 4
    /// Files that are compared before they are opened; those of a sequential target keep the others waiting.
    private var held = 0
    /// Files and directories that are not done.
    private var unfinished = 0
    private var started: Int
    /// Bytes of all files that were met.
    private var bytesMet: Int64 = 0

    init(
        _ request: CopyRequest, from source: any SourceEndpoint, to target: any TargetEndpoint, ledger: CopyLedger,
        traits: ServerTraits, started: Int, observer: any CopyObserver
    ) {
        self.request = request
        self.source = source
        self.target = target
        self.ledger = ledger
        self.traits = traits
        self.started = started
        self.observer = observer
        summary = ledger.summary
    }

    /// Whether nothing is left to be done.
    var isDone: Bool { unfinished == 0 && source.isExhausted }

    /// Files that were begun so far, over all connections.
    var filesBegun: Int { started }

    /// How far the copy is, as far as is known; bytes that were delivered are counted by the lanes.
    var outlook: ConnectionPolicy.Outlook {
        .init(
            done: summary.files * ConnectionPolicy.fileWork, left: max(0, bytesMet - summary.bytes),
            filesLeft: waiting.count + underWay.count)
    }

    // MARK: Submitting

    /// Submits operations until a lane's block is full, or nothing may be submitted before others are completed.
    ///
    /// - Returns: whether there may be more to submit once the blocks are flushed.
    func fill() -> Bool {
        for _ in 0..<Self.stepsAtOnce {
            if wantsFlush { return true }
            if source.advance(self) || target.advance(self) { continue }
            if mayOpen, let job = waiting.popFirst() {
                open(job)
            } else if mayWalk, source.walk(self) {
                continue
            } else {
                return false
            }
        }
        return true
    }

    /// Steps after which others have their turn.
    private static let stepsAtOnce = 64

    private var wantsFlush: Bool {
        source.lanes.contains { $0.isFull && !$0.isFlushing } || target.lanes.contains { $0.isFull && !$0.isFlushing }
    }

    private var mayOpen: Bool {
        !isStopping && mayOpenMoreBytes
            && openFiles + verifying + unverified.count < target.openLimit && source.mayOpen && target.mayOpen
            && !(target.isSequential && isBusy)
    }

    private var mayOpenMoreBytes: Bool {
        if openFiles < 2 || openBytes < Self.openBytesLimit { return true }
        let window = (source.lanes + target.lanes).reduce(0) { max($0, $1.window) }
        return openBytes < Int64(window) * Self.openWindows
    }

    private var isBusy: Bool { target.isBusy || held > 0 }

    private var mayWalk: Bool { !isStopping && (!target.isSequential || (!isBusy && waiting.isEmpty)) }

    // MARK: Directories

    /// The source has a directory, whose entries come next.
    ///
    /// - Returns: whether they are wanted.
    func enter(
        _ name: [UInt8]?, _ path: BytePath, _ attributes: FileAttributes, in parent: DirectoryJob?
    ) -> DirectoryJob? {
        if ledger.isSettled(path) { return nil }
        guard (parent?.depth ?? 0) < Self.maximumDepth else {
            problem(CopyError(path, .source, .tooDeep(limit: Self.maximumDepth)))
            return nil
        }
        unfinished += 1
        return DirectoryJob(name: name, source: path, attributes: attributes, parent: parent)
    }

    /// The same for a source that goes through its directories one after another.
    func enter(_ name: [UInt8]?, _ path: BytePath, _ attributes: FileAttributes) -> DirectoryJob? {
        guard let directory = enter(name, path, attributes, in: entered.last) else { return nil }
        entered.append(directory)
        target.make(directory, self)
        return directory
    }

    /// The source has told all of the directory that it entered last.
    func leave() {
        guard let directory = entered.popLast() else { return }
        target.leave(directory, self)
        childFinished(of: directory)
    }

    /// The directory is there.
    func isReady(_ directory: DirectoryJob, isNew: Bool) {
        directory.isNew = isNew || isOurs(directory)
        if isNew { ledger.note(made: directory.source) }
        directory.state = .ready
        let early = directory.early
        directory.early = []
        source.ready(directory, self)
        for job in early { target.open(job, self) }
        if directory.unfinished == 0 { target.finish(directory, self) }
    }

    /// Whether a directory that is there was made by this copy: over an earlier connection, or as an entry of one that was.
    private func isOurs(_ directory: DirectoryJob) -> Bool {
        ledger.hasMade(directory.source) || (ledger.isAgain && directory.parent?.isNew ?? false)
    }

    /// The directory is not there, and nothing below it can be copied.
    func lose(_ directory: DirectoryJob, _ error: CopyError) {
        // One word about the outermost is enough.
        if !directory.isLost { problem(error) }
        directory.state = .failed
        let early = directory.early
        directory.early = []
        source.lost(directory, error, self)
        // With files that are still to be refused, the last of them finishes it.
        if directory.unfinished == 0 { done(directory) }
        for job in early { refused(job, nil) }
    }

    func childFinished(of directory: DirectoryJob) {
        directory.unfinished -= 1
        guard directory.unfinished == 0 else { return }
        switch directory.state {
        case .asked: break
        case .ready: target.finish(directory, self)
        case .failed: done(directory)
        }
    }

    /// Nothing more is to be done of the directory.
    func done(_ directory: DirectoryJob) {
        unfinished -= 1
        if directory.state == .ready { summary.directories += 1 }
        ledger.settle(directory.source)
        source.left(directory, self)
        if let parent = directory.parent { childFinished(of: parent) }
    }

    /// An entry of a directory has to be looked at before it is known what it is.
    func look(at directory: DirectoryJob?) {
        unfinished += 1
        directory?.unfinished += 1
    }

    func looked(at directory: DirectoryJob?) {
        unfinished -= 1
        if let directory { childFinished(of: directory) }
    }

    // MARK: Files

    /// The source has a file.
    ///
    /// - Returns: nil if it is done already.
    @discardableResult
    func add(
        _ name: [UInt8], _ path: BytePath, _ attributes: FileAttributes, size: Int64, in directory: DirectoryJob?,
        local: LocalFile? = nil
    ) -> FileJob? {
        if ledger.isSettled(path) { return nil }
        unfinished += 1
        bytesMet += size
        let job = FileJob(
            number: started, name: name, source: path, directory: directory, attributes: attributes, size: size)
        started += 1
        job.local = local
        waiting.append(job)
        return job
    }

    private func countOpen(_ job: FileJob, _ change: Int) {
        openFiles += change
        openBytes += Int64(change) * min(max(0, job.size), 1 << 32)
    }

    private func open(_ job: FileJob) {
        countOpen(job, 1)
        if job.isLost { return refused(job, nil) }
        underWay[job.number] = job
        if job.partial == nil { job.partial = ledger.take(job.source) }
        source.open(job, self)
    }

    /// A file that its target has opened ahead of its turn.
    func takeWaiting() -> FileJob? { waiting.popFirst() }
    func putBack(_ job: FileJob) { waiting.prepend(job) }
    func openedAhead(_ job: FileJob) {
        countOpen(job, 1)
        underWay[job.number] = job
    }

    /// A file cannot be opened before others are closed.
    func postpone(_ job: FileJob) {
        countOpen(job, -1)
        underWay[job.number] = nil
        job.isEarly = false
        waiting.prepend(job)
    }

    /// - Parameter error: nil if it was told already.
    func refused(_ job: FileJob, _ error: CopyError?) {
        if let error { job.fail(error) }
        countOpen(job, -1)
        source.close(job, self)
        done(job, isQuiet: error == nil || job.isLost)
    }

    func sourceOpened(_ job: FileJob) {
        guard request.resume, source.count == nil || target.isSequential, job.size > Self.worthResuming else {
            return target.open(job, self)
        }
        skipIfSame(job)
    }

    /// SCP has no offsets: a file that is at the target already is passed by if all of it is the same, else copied whole.
    private func skipIfSame(_ job: FileJob) {
        guard target.mayHold(job) else { return target.open(job, self) }
        held += 1
        let (here, there) = (source.hash(of: job, first: nil), target.hash(of: job, first: nil))
        start { scheduler in
            let (a, b) = try await (here.ownValue(), there.ownValue())
            scheduler.held -= 1
            guard let a, let b, a == b else { return scheduler.target.open(job, scheduler) }
            scheduler.note(.resumed(job.source, at: job.size, of: job.size))
            scheduler.resume(job, at: job.size)
            scheduler.countOpen(job, -1)
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
        countOpen(job, -1)
        source.close(job, self)
        target.finish(job, self)
    }

    /// All that was submitted of a file is completed, and it is closed.
    func targetFinished(_ job: FileJob) {
        guard request.verify, job.failure == nil, !isStopping else { return done(job) }
        verify(job)
    }

    private func done(_ job: FileJob, isQuiet: Bool = false) {
        unfinished -= 1
        underWay[job.number] = nil
        job.local = nil
        ledger.settle(job.source)
        if let failure = job.failure {
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

    // MARK: Verifying

    private func verify(_ job: FileJob) {
        if verifying >= Self.verifyingLimit {
            unverified.append(job)
            return
        }
        verifying += 1
        let here = source.hash(of: job, first: nil)
        let there = target.hash(of: job, first: nil)
        start { scheduler in
            let (a, b) = try await (here.ownValue(), there.ownValue())
            scheduler.verifying -= 1
            if a == nil || b == nil, scheduler.mayAskLater {
                scheduler.postponeVerification(of: job)
            } else {
                scheduler.verified(job, a, b)
            }
            if let next = scheduler.unverified.popLast() { scheduler.verify(next) }
        }
    }

    /// A server that serves one channel at a time has none left for hashes during the copy.
    private var mayAskLater: Bool {
        request.source.isRemote != request.target.isRemote && !source.lanes.isEmpty != !target.lanes.isEmpty
    }

    private func postponeVerification(of job: FileJob) {
        postponed.append(job)
        // Counted as done, as far as the copy's own channel is concerned.
        unfinished -= 1
        underWay[job.number] = nil
        if let directory = job.directory { childFinished(of: directory) }
    }

    func takePostponed() -> [FileJob] {
        defer { postponed = [] }
        return postponed
    }

    func verifyAtLast(_ job: FileJob) async throws {
        let (a, b) = (source.hash(of: job, first: nil), target.hash(of: job, first: nil))
        let (here, there) = try await (a.ownValue(), b.ownValue())
        // Counted again by what is done in the end.
        unfinished += 1
        job.directory = nil
        verified(job, here, there)
    }

    private func verified(_ job: FileJob, _ here: FileHash?, _ there: FileHash?) {
        switch (here, there) {
        case (let here?, let there?) where here == there:
            summary.verified += 1
            if let file = job.file { observer.receive(.verified(file)) }
        case (let here?, let there?): job.fail(CopyError(shown(job), .target, .differs(source: here, target: there)))
        case (nil, _): job.fail(CopyError(job.source, .source, .notHashed))
        default: job.fail(CopyError(shown(job), .target, .notHashed))
        }
        done(job)
    }

    /// What a file is called in messages about its target.
    func shown(_ job: FileJob) -> BytePath { job.path.bytes.isEmpty ? job.file?.path ?? job.source : job.path }

    // MARK: Messages

    func problem(_ error: CopyError) {
        guard ledger.isNew(error) else { return }
        summary.errors += 1
        observer.receive(.problem(error))
    }

    func note(_ note: CopyNote) { if observer.wantsNotes { observer.receive(.note(note)) } }

    // MARK: Beside the lanes

    private func start(_ work: @escaping Work) { toStart.append(work) }

    var hasWork: Bool { !toStart.isEmpty }
    func takeWork() -> Work? { toStart.popLast() }

    // MARK: The end of a connection

    /// The copy is cancelled: nothing more is begun, and what is open at a server is closed, so that it can be resumed from.
    ///
    /// - Returns: false if the target needs none of this.
    func stop() -> Bool {
        guard !isStopping, target.closesWhenStopped, !underWay.isEmpty else { return false }
        isStopping = true
        for job in underWay.values where !job.isFinishing { job.fail(CopyError(job.source, .source, .cancelled)) }
        // Has them closed.
        start { _ in }
        return true
    }

    var isStopped: Bool { isStopping && underWay.isEmpty }

    /// The connection is lost: what is known of the files under way is kept for the next one.
    ///
    /// - Parameter isFinal: there is no next one, as the copy was cancelled.
    func abandon(isFinal: Bool) {
        for job in underWay.values {
            defer { job.release() }
            if isFinal { target.giveUp(job) }
            if let file = job.file { observer.receive(.interrupted(file)) }
            job.ranges?.abandon()
            summary.bytes -= job.counted
            if let partial = job.partial, !job.isStarted {
                ledger.leave(partial, of: job.source)
                continue
            }
            if let file = job.file, job.written.end > file.present { ledger.hasProgressed = true }
            if let partial = target.leave(job, self) { ledger.leave(partial, of: job.source) }
            source.leave(job, self)
        }
        underWay = [:]
        ledger.leave(summary)
    }
}
