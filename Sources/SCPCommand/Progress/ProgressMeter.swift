import Synchronization

/// Shows on a terminal how a copy gets on: a line a file, redrawn once a second while the file is under way and once at
/// its end.
///
/// ```swift
/// let meter = ProgressMeter()            // nil where standard output is no terminal
/// let file = meter?.begin(name: name, total: size)
/// file?.advance(by: block.readableBytes) // from any thread; costs an atomic addition
/// file?.finish()
/// ```
///
/// Several files may be under way at once: the line is that of the one begun first.
public final class ProgressMeter: Sendable {
    private let screen: any ProgressScreen
    private let state = Mutex(State())

    private struct State {
        var files: [Drawn] = []
        var lastDraw: ContinuousClock.Instant?
        /// Whether the cursor is on a line of ours.
        var isLineShown = false
        var timer: Task<Void, Never>?
    }

    private struct Drawn {
        let file: ProgressFile
        let begun: ContinuousClock.Instant
        var rate = 0.0
        var sampled: ContinuousClock.Instant
        var sampledBytes: UInt64 = 0
        var lastMove: ContinuousClock.Instant
    }

    private static let interval = Duration.seconds(1)
    /// As long without a byte is called a stall.
    private static let stall = Duration.seconds(5)

    /// A meter on a terminal; nil if `descriptor` is none.
    public convenience init?(descriptor: Int32 = 1) {
        guard let screen = TerminalScreen(descriptor) else { return nil }
        self.init(screen: screen)
    }

    init(screen: any ProgressScreen) { self.screen = screen }

    deinit { state.withLock { $0.timer?.cancel() } }

    /// Begins the line of a file.
    ///
    /// - Parameters:
    ///   - name: as the file system or the peer has it; it is made printable here.
    ///   - total: the file's size in bytes; nil if unknown.
    ///   - offset: bytes that were there already, as of a copy that is resumed.
    public func begin(name: some Collection<UInt8>, total: UInt64?, startingAt offset: UInt64 = 0) -> ProgressFile {
        begin(name: name, total: total, startingAt: offset, now: .now)
    }

    func begin(
        name: some Collection<UInt8>, total: UInt64?, startingAt offset: UInt64, now: ContinuousClock.Instant
    ) -> ProgressFile {
        let file = ProgressFile(
            name: ProgressLine.printableName(name), total: total, offset: offset, meter: self)
        state.withLock { state in
            state.files.append(Drawn(file: file, begun: now, sampled: now, lastMove: now))
            if state.timer == nil { state.timer = makeTimer() }
            // The first line comes at once; those of many small files only when they are done.
            if state.lastDraw.map({ now - $0 >= Self.interval }) ?? true { draw(&state, now) }
        }
        return file
    }

    /// Takes the line away while `body` writes to the terminal; it is back within a second.
    public func withoutLine<Result>(_ body: () throws -> Result) rethrows -> Result {
        try state.withLock { state in
            erase(&state)
            return try body()
        }
    }

    private func erase(_ state: inout State) {
        guard state.isLineShown, screen.isForeground else { return }
        screen.write("\r" + String(repeating: " ", count: max(0, screen.width - 1)) + "\r")
        state.isLineShown = false
    }

    /// Redraws the line; called once a second.
    func tick(now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            for index in state.files.indices { sample(&state.files[index], now) }
            draw(&state, now)
        }
    }

    fileprivate func withdraw(_ file: ProgressFile) {
        state.withLock { state in
            if state.files.first?.file === file { erase(&state) }
            state.files.removeAll { $0.file === file }
            guard state.files.isEmpty else { return }
            state.timer?.cancel()
            state.timer = nil
        }
    }

    fileprivate func finish(_ file: ProgressFile) { finish(file, now: .now) }

    func finish(_ file: ProgressFile, now: ContinuousClock.Instant) {
        state.withLock { state in
            guard let index = state.files.firstIndex(where: { $0.file === file }) else { return }
            let drawn = state.files.remove(at: index)
            if state.files.isEmpty {
                state.timer?.cancel()
                state.timer = nil
            }
            guard screen.isForeground else { return }
            let elapsed = now - drawn.begun
            let moved = Double(file.transferred &- file.offset)
            let line = ProgressLine.render(
                name: file.name, transferred: file.transferred, total: file.total, elapsed: elapsed,
                rate: elapsed > .zero ? moved / (elapsed / .seconds(1)) : 0, width: screen.width, isFinished: true)
            screen.write("\r\(line)\n")
            state.isLineShown = false
            state.lastDraw = now
        }
    }

    private func sample(_ drawn: inout Drawn, _ now: ContinuousClock.Instant) {
        let bytes = drawn.file.transferred &- drawn.file.offset
        let seconds = (now - drawn.sampled) / .seconds(1)
        guard seconds > 0 else { return }
        if bytes > drawn.sampledBytes { drawn.lastMove = now }
        let current = Double(bytes - min(bytes, drawn.sampledBytes)) / seconds
        // Averaged over some ten seconds, so that the time left does not jump about.
        drawn.rate = drawn.rate == 0 ? current : drawn.rate * 0.9 + current * 0.1
        drawn.sampled = now
        drawn.sampledBytes = bytes
    }

    private func draw(_ state: inout State, _ now: ContinuousClock.Instant) {
        guard let drawn = state.files.first, screen.isForeground else { return }
        let file = drawn.file
        let line = ProgressLine.render(
            name: file.name, transferred: file.transferred, total: file.total, elapsed: now - drawn.begun,
            rate: drawn.rate, width: screen.width, isFinished: false, isStalled: now - drawn.lastMove >= Self.stall)
        screen.write("\r\(line)")
        state.isLineShown = true
        state.lastDraw = now
    }

    private func makeTimer() -> Task<Void, Never> {
        Task { [weak self] in
            while (try? await Task.sleep(for: Self.interval)) != nil {
                guard let self else { return }
                self.tick()
            }
        }
    }
}

/// A file under way on a `ProgressMeter`.
public final class ProgressFile: Sendable {
    let name: String
    let total: UInt64?
    /// What was there before the copy began, in bytes.
    let offset: UInt64
    private let count: Atomic<UInt64>
    private let meter: ProgressMeter

    fileprivate init(name: String, total: UInt64?, offset: UInt64, meter: ProgressMeter) {
        self.name = name
        self.total = total
        self.offset = offset
        self.meter = meter
        count = Atomic(offset)
    }

    /// The bytes of the file that are there by now.
    public var transferred: UInt64 { count.load(ordering: .relaxed) }

    /// Counts bytes that have arrived; from any thread.
    public func advance(by bytes: Int) {
        count.wrappingAdd(UInt64(max(0, bytes)), ordering: .relaxed)
    }

    /// Takes the file from the meter without a last word.
    public func withdraw() { meter.withdraw(self) }

    /// Draws the line a last time, whether all of the file has arrived or not; nothing happens when called again.
    public func finish() { meter.finish(self) }
}
