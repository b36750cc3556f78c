import Files
import NIOCore
import SCP
import SSHWire

/// A remote `scp -f`, as the source of a copy: its records come in its own order, and each is answered when the target has done
/// what it says.
///
/// The source is not trusted: see ``SCPSink`` for what it may send.
final class SCPStreamSource: SourceEndpoint, CopyLane {
    private let command: any RemoteCommand
    private let path: BytePath
    private let request: CopyRequest
    private let rules: SCPCommandLine.Rules
    private let hasher: RemoteHasher?
    private var machine: SCPSink
    private var output = ByteBuffer()
    private(set) var isFlushing = false
    private var idle: CheckedContinuation<Void, Never>?
    private var failure: SCPError?
    private(set) var isExhausted = false

    /// What the source waits for the answer to.
    private enum Deciding {
        case directory(DirectoryJob)
        case file(FileJob)
    }
    private var deciding: Deciding?
    /// The file whose data is coming, and how much of it has come.
    private var current: (job: FileJob, offset: Int64)?
    /// All of it has come, and the target is not done with it.
    private var finishing: FileJob?
    /// The directory whose end is to be answered.
    private var leaving: DirectoryJob?
    /// The directory that was entered last was refused.
    private var isLeaving = false
    /// Whether anything came but the end.
    private var hasReceived = false
    /// Whether something was refused, of which the source's exit status tells as well.
    private var hasRefused = false

    /// - Throws: `SCPError` for a path whose braces stand for too many.
    init(
        _ command: any RemoteCommand, _ path: BytePath, _ request: CopyRequest, _ rules: SCPCommandLine.Rules,
        _ hasher: RemoteHasher?, trace: SCPTrace?
    ) throws(SCPError) {
        self.command = command
        self.path = path
        self.request = request
        self.rules = rules
        self.hasher = hasher
        let names = request.trustsNames ? nil : try SCPRequest(path: path.bytes, recursive: request.recursive)
        machine = SCPSink(options: .init(recursive: request.recursive, request: names))
        machine.trace = trace
    }

    var lanes: [any CopyLane] { [self] }
    var count: Int? { nil }

    func find(_ scheduler: Scheduler) async throws { machine.start() }

    func walk(_ scheduler: Scheduler) -> Bool { false }

    // MARK: Records

    /// Goes on with what has come, as far as the target has room.
    func advance(_ scheduler: Scheduler) -> Bool {
        if isLeaving {
            isLeaving = false
            scheduler.leave()
            return true
        }
        guard failure == nil, scheduler.target.hasRoom else { return false }
        do throws(SCPError) {
            guard let event = try machine.next() else { return false }
            hasReceived = true
            handle(event, scheduler)
            return true
        } catch {
            failure = error
            return false
        }
    }

    private func handle(_ event: SCPSink.Event, _ scheduler: Scheduler) {
        switch event {
        case .entry(let entry): begin(entry, scheduler)
        case .data(let bytes):
            guard let (job, offset) = current else { return }
            current?.offset += Int64(bytes.readableBytes)
            scheduler.target.write(bytes, to: job, at: offset, scheduler)
        case .endOfFile(_, let reason):
            guard let (job, offset) = current else { return machine.finish() }
            current = nil
            finishing = job
            job.end = offset
            if let reason { job.fail(CopyError(job.source, .source, .peer(reason))) }
            scheduler.finish(job)
        case .endOfDirectory:
            leaving = scheduler.entered.last
            scheduler.leave()
        case .warning(let text): scheduler.problem(CopyError(path, .source, .peer(text)))
        }
    }

    private func begin(_ entry: SCPEntry, _ scheduler: Scheduler) {
        let name = entry.name.bytes
        let parent = scheduler.entered.last
        let source = parent.map { $0.source.appending(name) } ?? topLevel(name)
        let attributes = attributes(entry)
        switch entry.kind {
        case .directory:
            guard let directory = scheduler.enter(name, source, attributes) else { return refuse("skipped") }
            switch directory.state {
            case .ready: machine.accept()
            case .failed: break
            case .asked: deciding = .directory(directory)
            }
        case .file(let size):
            guard let job = scheduler.add(name, source, attributes, size: size, in: parent) else {
                return refuse("skipped")
            }
            deciding = .file(job)
        }
    }

    /// Where an entry at the top is at the source: what was asked for, if it has that name, else beside it.
    private func topLevel(_ name: [UInt8]) -> BytePath {
        if !path.hasName { return path.appending(name) }
        return path.lastComponent == name ? path : path.sibling(name)
    }

    private func attributes(_ entry: SCPEntry) -> FileAttributes {
        func time(_ time: SCPTime) -> FileTime {
            FileTime(seconds: time.seconds, nanoseconds: Int64(time.microseconds) * 1_000)
        }
        let mask: UInt16 = rules == .scp ? 0o7777 : entry.kind == .directory ? 0o1777 : 0o777
        return FileAttributes(
            mode: entry.mode & mask, modified: entry.times.map { time($0.modified) },
            accessed: entry.times.map { time($0.accessed) })
    }

    private func refuse(_ reason: String) {
        hasRefused = true
        machine.refuse(Array("scp: \(reason)".utf8))
    }

    private func refuse(_ error: CopyError?) { refuse(error.map { "\($0)" } ?? "not copied") }

    // MARK: What the target has done

    func ready(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard case .directory(let asked) = deciding, asked === directory else { return }
        deciding = nil
        machine.accept()
    }

    /// The directory cannot be made: its entries are not sent.
    func lost(_ directory: DirectoryJob, _ error: CopyError, _ scheduler: Scheduler) {
        deciding = nil
        refuse(error)
        isLeaving = true
    }

    func left(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard leaving === directory else { return }
        leaving = nil
        machine.finish()
    }

    func open(_ job: FileJob, _ scheduler: Scheduler) { scheduler.sourceOpened(job) }

    func begin(_ job: FileJob, _ scheduler: Scheduler) {
        guard case .file(let asked) = deciding, asked === job else { return }
        deciding = nil
        current = (job, 0)
        machine.accept()
    }

    func close(_ job: FileJob, _ scheduler: Scheduler, isPostponed: Bool) {
        guard !isPostponed, case .file(let asked) = deciding, asked === job else { return }
        deciding = nil
        refuse(job.failure)
    }

    func finished(_ job: FileJob, _ scheduler: Scheduler) {
        guard finishing === job else { return }
        finishing = nil
        var message: [UInt8]?
        if let failure = job.failure, failure.end == .target { message = Array("scp: \(failure)".utf8) }
        machine.finish(failure: message)
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask {
        let (hasher, path) = (hasher, job.source)
        return Task { try await hasher?.hash(of: path, first: count) }
    }

    // MARK: The stream

    var isFull: Bool { false }

    func flush() async throws {
        guard !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        while let output = machine.takeOutput() { try await command.write(output) }
        if let failure { throw failure }
    }

    func receive(isOver: () -> Bool) async throws -> Bool {
        while !hasRoom {
            if isOver() { return false }
            await withCheckedContinuation { idle = $0 }
        }
        if isExhausted { return false }
        if let failure { throw failure }
        if let bytes = try await command.read() {
            machine.receive(bytes)
        } else {
            try machine.receiveEnd()
            isExhausted = true
        }
        return true
    }

    /// Whether more may be read: the target has room for what has come.
    private var hasRoom: Bool { target?.hasRoom ?? true }
    weak var target: (any TargetEndpoint)?

    func abandon(after error: any Error) async {
        try? await flush()
        command.close()
    }

    func wake() {
        idle?.resume()
        idle = nil
    }

    func finish(_ scheduler: Scheduler) async throws {
        try await command.finishWriting()
        let end = await command.waitForEnd()
        if !hasReceived, scheduler.summary.errors == 0 {
            return scheduler.problem(CopyError(path, .source, end.flatMap(CopyError.Cause.init) ?? .nothingReceived))
        }
        // A remote end that failed without a word in the protocol failed all the same.
        if let cause = end.flatMap(CopyError.Cause.init), scheduler.summary.errors == 0, !hasRefused {
            scheduler.problem(CopyError(path, .source, cause))
        }
    }
}

extension CopyError.Cause {
    /// Nil for a command that ended well.
    init?(_ end: RemoteCommandEnd) {
        if end == .status(0) { return nil }
        self = .commandEnded(end)
    }
}
