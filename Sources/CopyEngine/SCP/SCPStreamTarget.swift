import Files
import NIOCore
import SCP
import SSHWire

/// A remote `scp -t`, as the target of a copy.
///
/// Its answer is waited for where the protocol cannot do without: for C and D records, as a sink that refuses one would take what
/// follows for records. All else goes out ahead of the answers, so that a file costs one round trip; unless the sink is known to
/// take what it reads at a time for one record.
final class SCPStreamTarget: TargetEndpoint, CopyLane {
    private let command: any RemoteCommand
    private let request: CopyRequest
    private let rules: SCPCommandLine.Rules
    private let target: BytePath
    private let hasher: RemoteHasher?
    private let waitsForAnswers: Bool
    private var machine = SCPSource()
    private var pool = BlockPool()
    /// What is to be sent next: the rest of the last file, records, the data of the next.
    private var block = ByteBuffer()
    private(set) var isFlushing = false
    private var idle: CheckedContinuation<Void, Never>?

    /// What the sink is being asked about.
    private enum Asking {
        case directory(DirectoryJob)
        case file(FileJob)
    }
    private var asking: Asking?
    /// What is announced as soon as its times are answered.
    private var announced: SCPEntry?
    /// The file whose data is being sent, and how far it is.
    private var current: (job: FileJob, offset: Int64)?
    /// Data that came before its turn, by its offset.
    private var early: [Int64: ByteBuffer] = [:]
    /// Files sent whose last answer has not come.
    private var unanswered = CircularBuffer<FileJob>()

    init(
        _ command: any RemoteCommand, _ target: BytePath, _ request: CopyRequest, _ rules: SCPCommandLine.Rules,
        _ hasher: RemoteHasher?, waitsForAnswers: Bool, trace: SCPTrace?
    ) {
        self.command = command
        self.target = target
        self.request = request
        self.rules = rules
        self.hasher = hasher
        self.waitsForAnswers = waitsForAnswers
        machine.trace = trace
        block = pool.take()
    }

    var lanes: [any CopyLane] { [self] }
    var isSequential: Bool { true }
    var isBusy: Bool { asking != nil || current != nil || (waitsForAnswers && machine.isWaiting) }
    /// Nobody here knows: the sink puts things where they go.
    var isDirectory: Bool { true }

    /// Waits until the sink is there.
    func find(_ scheduler: Scheduler) async throws {
        self.scheduler = scheduler
        while true {
            while let event = try machine.next() { if event == .ready { return } }
            try await receiveBatch()
        }
    }

    // MARK: Records

    func make(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard let name = directory.name else { return scheduler.isReady(directory, isNew: false) }
        announce(.directory, name, directory.attributes, directory.source, scheduler) { error in
            if let error { scheduler.lose(directory, error) } else { asking = .directory(directory) }
        }
    }

    func leave(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard directory.name != nil, directory.state == .ready else { return }
        attempt { () throws(SCPError) in try machine.endDirectory(into: &block) }
    }

    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler) { scheduler.done(directory) }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        announce(.file(size: job.size), job.name, job.attributes, job.source, scheduler) { error in
            if let error { scheduler.refused(job, error) } else { asking = .file(job) }
        }
    }

    private func announce(
        _ kind: SCPEntry.Kind, _ name: [UInt8], _ attributes: FileAttributes, _ path: BytePath, _ scheduler: Scheduler,
        _ then: (CopyError?) -> Void
    ) {
        let checked: SCPName
        do throws(SCPError) {
            checked = try SCPName(name)
        } catch {
            return then(CopyError(path, .source, .unexpectedName(name)))
        }
        // Without the sticky bit, as OpenSSH's source.
        let mask: UInt16 = rules == .scp && !request.source.isRemote ? 0o6777 : 0o777
        var entry = SCPEntry(
            kind: kind, name: checked, mode: attributes.mode & mask,
            times: request.preserve ? attributes.scpTimes : nil)
        attempt { () throws(SCPError) in
            guard waitsForAnswers, let times = entry.times else { return try machine.begin(entry, into: &block) }
            try machine.sendTimes(times, of: entry, into: &block)
            entry.times = nil
            announced = entry
        }
        then(nil)
    }

    /// The machine's order is the scheduler's: it minds nothing.
    private func attempt(_ body: () throws(SCPError) -> Void) {
        do throws(SCPError) { try body() } catch { failure = failure ?? error }
    }
    private var failure: SCPError?

    func compare(_ job: FileJob, _ scheduler: Scheduler) { scheduler.compared(job, nil) }

    // MARK: Contents

    func begin(_ job: FileJob, _ scheduler: Scheduler) {}

    func advance(_ scheduler: Scheduler) -> Bool {
        guard let (job, offset) = current, let local = job.local, !isFull else { return false }
        guard offset < job.size, job.failure == nil else {
            if job.failure == nil, let growth = local.growth() { job.fail(CopyError(growth, .source)) }
            scheduler.finish(job)
            return true
        }
        let room = max(1, BlockPool.blockSize - block.readableBytes)
        let wanted = Int(min(Int64(room), job.size - offset))
        do throws(FileError) {
            let count = try local.read(into: &block, count: wanted, at: offset)
            sent(count, of: job, scheduler)
            if count < wanted {
                throw FileError(
                    path: local.path, operation: .read, cause: .shrank(bytes: offset + Int64(count), of: job.size))
            }
        } catch {
            job.fail(CopyError(error, .source))
        }
        return true
    }

    private func sent(_ count: Int, of job: FileJob, _ scheduler: Scheduler) {
        attempt { () throws(SCPError) in try machine.countData(count) }
        current?.offset += Int64(count)
        scheduler.count(count, of: job)
    }

    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler) {
        guard let (current, position) = current, current === job, job.failure == nil else { return }
        guard offset == position else {
            if offset > position { early[offset] = bytes }
            return
        }
        var next: ByteBuffer? = bytes
        while let bytes = next {
            let position = self.current?.offset ?? 0
            guard Int64(bytes.readableBytes) <= job.size - position else {
                return job.fail(CopyError(job.source, .source, .grew(bytes: position)))
            }
            block.writeImmutableBuffer(bytes)
            sent(bytes.readableBytes, of: job, scheduler)
            next = early.removeValue(forKey: position + Int64(bytes.readableBytes))
        }
    }

    var hasRoom: Bool { !isFull }

    /// Ends a file's data. The sink is owed the announced number of bytes, whatever became of the file: zeros stand for what could
    /// not be read, and a message instead of the closing zero byte says so.
    func finish(_ job: FileJob, _ scheduler: Scheduler) {
        guard let (sending, offset) = current, sending === job else { return scheduler.targetFinished(job) }
        if job.failure == nil, offset < job.size {
            job.fail(CopyError(job.source, .source, .shrank(bytes: offset, of: job.size)))
        }
        early = [:]
        padding = (job, job.size - offset)
        pad(scheduler)
    }

    /// Zeros that are still to be sent.
    private var padding: (job: FileJob, left: Int64)?

    private func pad(_ scheduler: Scheduler) {
        guard let (job, left) = padding else { return }
        let count = Int(min(left, Int64(max(0, BlockPool.blockSize - block.readableBytes))))
        if count > 0 {
            block.writeRepeatingByte(0, count: count)
            attempt { () throws(SCPError) in try machine.countData(count) }
        }
        padding = (job, left - Int64(count))
        guard left == Int64(count) else { return }
        padding = nil
        current = nil
        let message = job.failure.map { Array("scp: \($0)".utf8) }
        attempt { () throws(SCPError) in try machine.endFile(failure: message, into: &block) }
        if job.failure == nil { unanswered.append(job) } else { scheduler.targetFinished(job) }
    }

    // MARK: The stream

    var isFull: Bool { block.readableBytes >= BlockPool.blockSize }

    private weak var scheduler: Scheduler?

    func flush() async throws {
        if let failure { throw failure }
        guard !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        while block.readableBytes > 0 {
            let full = block
            block = ByteBuffer()
            pool.remember(full)
            wake()
            try await command.write(full)
            if block.capacity == 0 { block = pool.take() }
            if let scheduler, padding != nil { pad(scheduler) }
        }
    }

    func receive(isOver: () -> Bool) async throws -> Bool {
        while !machine.isWaiting {
            if isOver() { return false }
            await withCheckedContinuation { idle = $0 }
        }
        try await receiveBatch()
        while let event = try machine.next() { if let scheduler { handle(event, scheduler) } }
        if let entry = announced, !machine.isWaiting {
            announced = nil
            try machine.begin(entry, into: &block)
        }
        return true
    }

    private func receiveBatch() async throws {
        guard let bytes = try await command.read() else {
            try machine.receiveEnd()
            throw SCPError.endedBeforeAnswer(to: "the last record")
        }
        machine.receive(bytes)
    }

    /// There is nothing to be said to a sink that is given up.
    func abandon(after error: any Error) async { command.close() }

    func wake() {
        idle?.resume()
        idle = nil
    }

    func finish(_ scheduler: Scheduler) async throws {
        try await command.finishWriting()
        while try await command.read() != nil {}
        // A remote end that failed without a word in the protocol failed all the same.
        if let cause = await command.waitForEnd().flatMap(CopyError.Cause.init), scheduler.summary.errors == 0 {
            scheduler.problem(CopyError(target, .target, cause))
        }
    }

    private func handle(_ event: SCPSource.Event, _ scheduler: Scheduler) {
        switch event {
        case .ready: break
        case .accepted: answered(nil, scheduler)
        case .refused(_, let reason): answered(reason, scheduler)
        case .warning(let reason): scheduler.problem(CopyError(target, .target, .peer(reason)))
        case .finished:
            if let job = unanswered.popFirst() { scheduler.targetFinished(job) }
        case .failed(_, let reason):
            guard let job = unanswered.popFirst() else {
                return scheduler.problem(CopyError(target, .target, .peer(reason)))
            }
            job.fail(CopyError(target, .target, .peer(reason)))
            scheduler.targetFinished(job)
        }
    }

    private func answered(_ refusal: [UInt8]?, _ scheduler: Scheduler) {
        defer { asking = nil }
        switch asking {
        case .directory(let directory):
            if let refusal {
                scheduler.lose(directory, CopyError(target, .target, .peer(refusal)))
            } else {
                scheduler.isReady(directory, isNew: true)
            }
        case .file(let job):
            if let refusal { return scheduler.refused(job, CopyError(target, .target, .peer(refusal))) }
            current = (job, 0)
            scheduler.targetOpened(job)
            scheduler.contentsStart(job, at: job.source)
        case nil: break
        }
    }

    // MARK: Hashes

    /// Where a file has gone: whether the target is a directory, the sink alone knows.
    func hash(of job: FileJob, first count: Int64?) -> HashTask {
        let (hasher, target, below) = (hasher, target, path(of: job))
        let isTop = job.directory == nil
        return Task {
            if let hash = try await hasher?.hash(of: target.appending(below), first: count) { return hash }
            return try await hasher?.hash(of: isTop ? target : target.sibling(below), first: count)
        }
    }

    private func path(of job: FileJob) -> [UInt8] {
        var names = [job.name]
        var directory = job.directory
        while let level = directory {
            if let name = level.name { names.append(name) }
            directory = level.parent
        }
        return Array(names.reversed().joined(separator: [UInt8(ascii: "/")]))
    }
}

extension FileAttributes {
    /// Times in whole seconds, as OpenSSH's source sends them.
    var scpTimes: SCPTimes? {
        modified.map {
            SCPTimes(
                modified: SCPTime(seconds: max(0, $0.seconds)),
                accessed: SCPTime(seconds: max(0, (accessed ?? $0).seconds)))
        }
    }
}
