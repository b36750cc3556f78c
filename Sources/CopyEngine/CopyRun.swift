import Files
import NIOCore
import SCP
import SFTP
import SSHWire

/// A copy under way: waits for its lanes, and goes on with the ``Scheduler`` whenever something was completed.
///
/// Everything of a copy happens on the one thread of its executor, which may block on the disk; a lane's task leaves it only where
/// it waits for the network, once for a batch.
actor CopyRun {
    private let ends: CopyEnds
    private let request: CopyRequest
    private let observer: any CopyObserver
    private let thread: CopyThread
    private let ledger = CopyLedger()
    private var traits = ServerTraits()
    private var filesBegun = 0

    private var scheduler: Scheduler?
    private var lanes: [any CopyLane] = []
    /// What the scheduler wants done beside the lanes.
    private var work: [Int: Scheduler.Work] = [:]
    private var workStarted = 0
    /// Lanes that tasks are about to open.
    private var wishes: [(SFTPEnd, LaneWish)] = []
    private var turn = Turn()
    private var failure: (any Error)?
    private var isCancelled = false
    /// Resumed when the copy is over, or more lanes or work are wanted.
    private var signal: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ request: CopyRequest, _ observer: any CopyObserver, _ thread: CopyThread) {
        self.request = request
        self.observer = observer
        self.thread = thread
        ends = CopyEnds(request, observer)
    }

    /// Copies, over one connection after another if need be.
    func run() async throws -> CopySummary {
        while true {
            if isCancelled { throw CancellationError() }
            do {
                return try await attempt()
            } catch let fault as ServerFault where !traits.has(fault) {
                // What was under way is copied again from its start, with less at a time.
                traits.learn(fault)
                ledger.forgetPartial()
                if observer.wantsNotes { observer.receive(.note(.reduced(fault))) }
            } catch let lost as FurtherConnectionLost where !ledger.isBound && !Task.isCancelled {
                traits.lostConnections += 1
                if observer.wantsNotes {
                    observer.receive(.note(.noFurtherConnection(host: lost.host, reason: "\(lost.reason)")))
                }
            } catch {
                if isCancelled || Task.isCancelled { throw CancellationError() }
                if ledger.isBound { throw error }
                let hasProgressed = ledger.hasProgressed
                ledger.hasProgressed = false
                try await ends.recover(from: error, hasProgressed: hasProgressed)
            }
        }
    }

    // MARK: One connection

    private func attempt() async throws -> CopySummary {
        let (source, target) = try await ends.open(traits)
        let scheduler = Scheduler(
            request, from: source, to: target, ledger: ledger, traits: traits, started: filesBegun, observer: observer)
        self.scheduler = scheduler
        lanes = source.lanes + target.lanes
        (failure, work, wishes) = (nil, [:], [])
        do {
            try await ends.proving(.source) { try await source.find(scheduler) }
            try await ends.proving(.target) { try await target.find(scheduler) }
            try await copy(scheduler)
            for lane in lanes { try await lane.finish(scheduler) }
            try await ends.verifyRest(scheduler)
            await ends.close()
            self.scheduler = nil
            return scheduler.summary
        } catch {
            filesBegun = scheduler.filesBegun
            scheduler.abandon(isFinal: isCancelled || Task.isCancelled)
            self.scheduler = nil
            for lane in lanes { await lane.abandon(after: error) }
            await ends.close()
            throw error
        }
    }

    private func copy(_ scheduler: Scheduler) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in lanes.indices { group.addTask { await self.serve(index) } }
            group.addTask { await self.begin() }
            do {
                while !scheduler.isDone, failure == nil {
                    try Task.checkCancellation()
                    if scheduler.isStopped { throw CancellationError() }
                    while let next = scheduler.takeWork() {
                        workStarted += 1
                        work[workStarted] = next
                        group.addTask { [workStarted] in await self.perform(workStarted) }
                    }
                    for (end, wish) in ends.takeWishes() {
                        wishes.append((end, wish))
                        group.addTask { await self.openLane() }
                    }
                    await waitForSignal(scheduler)
                }
            } catch {
                fail(error)
            }
            wakeLanes()
            if let failure, !(failure is ServerFault) {
                group.cancelAll()
                throw failure
            }
            // What is still being opened is not needed any more.
            if failure == nil { group.cancelAll() }
            try await group.waitForAll()
        }
        if let failure { throw failure }
    }

    private func waitForSignal(_ scheduler: Scheduler) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if wantsAttention(scheduler) { return continuation.resume() }
                signal = continuation
            }
        } onCancel: {
            Task { await self.wake() }
        }
    }

    private func wantsAttention(_ scheduler: Scheduler) -> Bool {
        scheduler.isDone || scheduler.isStopped || failure != nil || scheduler.hasWork || ends.wantsLanes
            || Task.isCancelled
    }

    private func wake() {
        signal?.resume()
        signal = nil
    }

    private func wakeLanes() { for lane in lanes { lane.wake() } }

    private func fail(_ error: any Error) {
        guard !isOver else { return }
        failure = error
        wake()
        for lane in lanes { if error is ServerFault { lane.drain() } else { lane.wake() } }
    }

    /// Submits what may be submitted, and hands it to the streams.
    private func drive() async throws {
        guard let scheduler, failure == nil else { return }
        // Also where a stream breaks that is not needed any more.
        defer { if wantsAttention(scheduler) { wake() } }
        while scheduler.fill() {
            try await flush()
            if turn.isOver {
                try Task.checkCancellation()
                await Task.yield()
                turn = Turn()
            }
        }
        try await flush()
        wakeLanes()
        ends.review(scheduler)
    }

    private func flush() async throws {
        for lane in lanes {
            do { try await lane.flush() } catch { throw ends.cause(error, of: lane) }
        }
    }

    // MARK: Cancellation

    /// Ends the copy that `task` runs: soon where files are open at a server, so that they can be resumed from, else at once.
    nonisolated func cancel(_ task: Task<CopySummary, any Error>, within limit: Duration) {
        Task { if await !stop() { task.cancel() } }
        let timer = Task {
            try await Task.sleep(for: limit)
            task.cancel()
        }
        Task {
            _ = await task.result
            timer.cancel()
        }
    }

    /// - Returns: false if there is nothing to be waited for.
    private func stop() -> Bool {
        isCancelled = true
        guard let scheduler, scheduler.stop() else { return false }
        wake()
        return true
    }

    // MARK: Tasks of a connection

    private func begin() async {
        do {
            try await drive()
        } catch {
            fail(error)
        }
    }

    private func serve(_ index: Int) async {
        do {
            while try await receive(lanes[index]) { try await drive() }
        } catch {
            fail(error)
        }
    }

    private func receive(_ lane: any CopyLane) async throws -> Bool {
        do {
            return try await lane.receive { isOver }
        } catch {
            throw ends.cause(error, of: lane)
        }
    }

    private var isOver: Bool { failure != nil || scheduler?.isDone ?? true }

    private func perform(_ number: Int) async {
        guard let scheduler, let next = work.removeValue(forKey: number) else { return }
        do {
            try await next(scheduler)
            try await drive()
        } catch {
            fail(error)
        }
    }

    private func openLane() async {
        guard let scheduler, let (end, wish) = wishes.popLast(),
            let lane = await ends.openLane(end, wish, scheduler), !isOver
        else { return }
        let index = lanes.count
        lanes.append(lane)
        await begin()
        await serve(index)
    }
}
