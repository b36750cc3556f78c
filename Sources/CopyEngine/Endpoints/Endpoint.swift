import Files
import NIOCore

/// A stream to another machine, on which operations are submitted and completed.
protocol CopyLane: AnyObject {
    /// Whether a full block waits for the stream.
    var isFull: Bool { get }
    /// Whether a task waits for the stream to take one; it goes on with the copy when that has.
    var isFlushing: Bool { get }

    /// How much may be under way, in bytes, as far as that is measured.
    var window: Int { get }

    /// Hands what is to be sent to the stream, which takes it at once unless its buffer is full.
    func flush() async throws

    /// Waits for a batch of the other machine's bytes and completes what they answer.
    ///
    /// - Returns: false once the copy is over and nothing is due.
    /// - Throws: what ended the stream, or what it carries makes no sense.
    func receive(isOver: () -> Bool) async throws -> Bool

    /// Has ``receive(isOver:)`` ask whether the copy is over.
    func wake()

    /// Tells the other machine that nothing more comes, and hears how it ends, where that says something.
    func finish(_ scheduler: Scheduler) async throws

    /// After a ``ServerFault``, ``receive(isOver:)`` waits until nothing can be written any more.
    func drain()

    /// Gives up what is under way.
    func abandon(after error: any Error) async
}

extension CopyLane {
    var window: Int { 0 }
    func drain() {}
}

/// Where a copy has its files from.
///
/// Operations are submitted; what comes of them is told to the ``Scheduler``, at once or when an answer comes.
protocol SourceEndpoint: AnyObject {
    /// The streams to another machine; none where all is done at once.
    var lanes: [any CopyLane] { get }

    /// Finds out what the sources stand for.
    ///
    /// - Throws: what ended the stream; ``CopyError`` where nothing can be copied at all.
    func find(_ scheduler: Scheduler) async throws

    /// How many sources there are, once they are found; nil where only the other end knows.
    var count: Int? { get }

    /// Goes on with the walk through the sources: tells the scheduler of at least one thing more, or submits an operation that will.
    ///
    /// - Returns: false if nothing can be done before something else is completed, or all is told.
    func walk(_ scheduler: Scheduler) -> Bool

    /// Whether the scheduler knows all.
    var isExhausted: Bool { get }

    /// Files that may wait to be opened before the walk goes on.
    var waitingLimit: Int { get }

    /// Whether one more file may be opened now.
    var mayOpen: Bool { get }

    /// Opens a file for reading: ``Scheduler/sourceOpened(_:)``, ``Scheduler/refused(_:_:)`` or ``Scheduler/postpone(_:)``.
    func open(_ job: FileJob, _ scheduler: Scheduler)

    /// Submits operations that bring more of the files that are ready.
    ///
    /// - Returns: false if nothing was submitted.
    func advance(_ scheduler: Scheduler) -> Bool

    /// A file is open at both ends: its contents are to be brought.
    func begin(_ job: FileJob, _ scheduler: Scheduler)

    /// Nothing more is read of a file.
    ///
    /// - Parameter isPostponed: it will be opened again.
    func close(_ job: FileJob, _ scheduler: Scheduler, isPostponed: Bool)

    /// The target has a directory, or cannot have it; later all in it is done.
    func ready(_ directory: DirectoryJob, _ scheduler: Scheduler)
    func lost(_ directory: DirectoryJob, _ error: CopyError, _ scheduler: Scheduler)
    func left(_ directory: DirectoryJob, _ scheduler: Scheduler)
    /// Nothing more is to be done of a file.
    func finished(_ job: FileJob, _ scheduler: Scheduler)

    /// The hash of a file's first `count` bytes, or of all of it; nil where nobody can tell.
    func hash(of job: FileJob, first count: Int64?) -> HashTask

    /// The connection is lost.
    func leave(_ job: FileJob, _ scheduler: Scheduler)
}

/// Where a copy puts its files.
protocol TargetEndpoint: AnyObject {
    var lanes: [any CopyLane] { get }

    /// Files and directories come one after another, as the source has them: the next is begun when the last is written.
    var isSequential: Bool { get }
    /// Whether a sequential target is in the middle of something.
    var isBusy: Bool { get }

    /// Finds out where the sources go.
    ///
    /// - Throws: ``CopyError`` if the target is not as it must be; what ended the stream.
    func find(_ scheduler: Scheduler) async throws

    /// Whether the sources go into the target, which is a directory, as far as is known.
    var isDirectory: Bool { get }

    /// Makes a directory or takes the one that is there: ``Scheduler/isReady(_:)`` or ``Scheduler/lose(_:_:)``.
    func make(_ directory: DirectoryJob, _ scheduler: Scheduler)

    /// The source has told all of a directory.
    func leave(_ directory: DirectoryJob, _ scheduler: Scheduler)

    /// Sets the attributes of a directory in which all is done: ``Scheduler/done(_:)``.
    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler)

    /// Files that may be open at a time, and whether one more may be opened now.
    var openLimit: Int { get }
    var mayOpen: Bool { get }

    /// Opens a file for writing: ``Scheduler/targetOpened(_:)``, ``Scheduler/refused(_:_:)`` or ``Scheduler/postpone(_:)``.
    func open(_ job: FileJob, _ scheduler: Scheduler)

    /// Finds out what is at the target of a file before it is opened at either end: ``Scheduler/found(_:_:)``.
    func look(for job: FileJob, _ scheduler: Scheduler)

    /// Whether a file of this size may be at the target already, as far as that can be told before it is opened.
    func mayHold(_ job: FileJob) -> Bool

    /// Looks at what is there of a file: ``Scheduler/compared(_:_:)``.
    func compare(_ job: FileJob, _ scheduler: Scheduler)

    /// A file of this machine is open at both ends: its contents are to be written.
    func begin(_ job: FileJob, _ scheduler: Scheduler)

    /// Whether the bytes of a file may come in any order.
    func takesAnyOrder(_ job: FileJob, _ scheduler: Scheduler) -> Bool

    /// Whether more bytes may come from a source that is another machine.
    var hasRoom: Bool { get }

    /// Submits operations that write more of the local files that are ready.
    ///
    /// - Returns: false if nothing was submitted.
    func advance(_ scheduler: Scheduler) -> Bool

    /// Writes bytes that came from another machine: ``Scheduler/wrote(_:_:_:)``.
    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler)

    /// Sets the size and the attributes of a file and closes it: ``Scheduler/targetFinished(_:)``.
    func finish(_ job: FileJob, _ scheduler: Scheduler)

    /// The hash of a file's first `count` bytes, or of all of it; nil where nobody can tell.
    func hash(of job: FileJob, first count: Int64?) -> HashTask

    /// The connection is lost: what is known of a file that is under way is kept.
    func leave(_ job: FileJob, _ scheduler: Scheduler) -> PartialFile?

    /// Whether a copy that is cancelled is worth the time to close what is open here.
    var closesWhenStopped: Bool { get }

    /// The copy was cancelled in the middle of a file: it is to end where its contents do.
    func giveUp(_ job: FileJob)
}

extension SourceEndpoint {
    var lanes: [any CopyLane] { [] }
    var waitingLimit: Int { .max }
    var mayOpen: Bool { true }
    func advance(_ scheduler: Scheduler) -> Bool { false }
    func begin(_ job: FileJob, _ scheduler: Scheduler) {}
    func close(_ job: FileJob, _ scheduler: Scheduler) { close(job, scheduler, isPostponed: false) }
    func ready(_ directory: DirectoryJob, _ scheduler: Scheduler) {}
    func lost(_ directory: DirectoryJob, _ error: CopyError, _ scheduler: Scheduler) {}
    func left(_ directory: DirectoryJob, _ scheduler: Scheduler) {}
    func finished(_ job: FileJob, _ scheduler: Scheduler) {}
    func leave(_ job: FileJob, _ scheduler: Scheduler) {}
}

extension TargetEndpoint {
    var closesWhenStopped: Bool { false }
    func giveUp(_ job: FileJob) {}
    var lanes: [any CopyLane] { [] }
    var isSequential: Bool { false }
    var isBusy: Bool { false }
    var hasRoom: Bool { true }
    func takesAnyOrder(_ job: FileJob, _ scheduler: Scheduler) -> Bool { false }
    var openLimit: Int { LocalFileSystem.openFilesLimit }
    var mayOpen: Bool { true }
    func mayHold(_ job: FileJob) -> Bool { true }
    func look(for job: FileJob, _ scheduler: Scheduler) { scheduler.found(job, nil) }
    func leave(_ directory: DirectoryJob, _ scheduler: Scheduler) {}
    func leave(_ job: FileJob, _ scheduler: Scheduler) -> PartialFile? { nil }
    func advance(_ scheduler: Scheduler) -> Bool { false }
}

/// What is at the target of a file before it is copied.
struct Existing {
    let size: Int64
    /// In seconds since 1970.
    let modified: Int64?
    let mark: FileMark?
    var isRegular = true
    /// Whether no more need be asked.
    var isConclusive = true
}

/// A hash that an end has been asked for; nil if it cannot tell.
typealias HashTask = Task<FileHash?, any Error>
