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

    let request: CopyRequest
    /// Whether anything may be left out.
    let isFiltered: Bool
    let source: any SourceEndpoint
    let target: any TargetEndpoint
    let ledger: CopyLedger
    let observer: any CopyObserver
    /// What waits for something beside the lanes, such as a hash; to be started by whoever runs this.
    private var toStart: [Work] = []
    typealias Work = (Scheduler) async throws -> Void

    var summary: CopySummary
    /// The copy was cancelled, and what is open at the target is being closed.
    private(set) var isStopping = false
    var traits: ServerTraits
    /// The directories that the source's walk is in, where it goes through them one after another.
    var entered: [DirectoryJob] = []
    /// Files to be opened.
    var waiting = CircularBuffer<FileJob>()
    /// Files of which it is not known yet what is at the target.
    var undecided = 0
    /// Files that were begun and are not done, by their numbers.
    var underWay: [Int: FileJob] = [:]
    /// Files that are open, or being opened.
    var openFiles = OpenFiles()
    /// Files whose hashes are being compared, or are to be.
    var verification = VerificationQueue()
    /// Files and directories that are not done.
    var unfinished = 0
    var started: Int
    /// Bytes of all files that were met.
    var bytesMet: Int64 = 0

    init(
        _ request: CopyRequest, from source: any SourceEndpoint, to target: any TargetEndpoint, ledger: CopyLedger,
        traits: ServerTraits, started: Int, observer: any CopyObserver
    ) {
        self.request = request
        isFiltered = !request.filter.isEmpty
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

    /// Files that are known and not opened.
    var filesAhead: Int { waiting.count + undecided }

    /// How far the copy is, as far as is known; bytes that were delivered are counted by the lanes.
    var outlook: ConnectionPolicy.Outlook {
        .init(
            done: summary.files * ConnectionPolicy.fileWork, left: max(0, bytesMet - summary.bytes),
            filesLeft: filesAhead + underWay.count)
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
        !isStopping && openFiles.mayGrow(window: window)
            && openFiles.count + verification.count < target.openLimit && source.mayOpen && target.mayOpen
            && !(target.isSequential && isBusy)
    }

    /// How much may be under way on a lane, in bytes.
    private var window: Int { (source.lanes + target.lanes).reduce(0) { max($0, $1.window) } }

    /// Whether a sequential target has to be waited for, or a file on its way there.
    private var isBusy: Bool { target.isBusy || openFiles.count > 0 }

    private var mayWalk: Bool {
        !isStopping && filesAhead < source.waitingLimit && (!target.isSequential || (!isBusy && waiting.isEmpty))
    }

    // MARK: Messages

    func problem(_ error: CopyError) {
        guard ledger.isNew(error) else { return }
        summary.errors += 1
        observer.receive(.problem(error))
    }

    func note(_ note: CopyNote) { if observer.wantsNotes { observer.receive(.note(note)) } }

    // MARK: Beside the lanes

    func start(_ work: @escaping Work) { toStart.append(work) }

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
