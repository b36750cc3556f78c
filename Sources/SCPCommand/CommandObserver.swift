import CopyEngine
import Files
import SSHClient
import Synchronization

/// Tells the person at the terminal how a copy goes: the meter on standard output, what went wrong on standard error.
final class CommandObserver: CopyObserver {
    private let meter: ProgressMeter?
    private let report: EventReport?
    private let isJSON: Bool
    /// Whether it is told at the end what was done (`--stats`).
    private let showsStatistics: Bool
    private let tally = Mutex(CopyTally())
    private let isDryRun: Bool
    private let started = ContinuousClock.now
    private let verbosity: Int
    private let begun = Atomic(false)
    private let files = Mutex<[CopyFile: ProgressFile]>([:])

    init(options: CopyOptions, _ report: EventReport?) {
        self.report = report
        meter = options.quiet || options.long.json || options.serverRole != nil ? nil : ProgressMeter()
        isJSON = options.long.json
        isDryRun = options.long.isDryRun
        showsStatistics = options.long.showsStatistics
        verbosity = options.verbosity
    }

    var wantsTrace: Bool { verbosity >= 3 }
    var wantsNotes: Bool { verbosity >= 1 }

    func receive(_ event: CopyEvent) {
        report?.receive(event)
        if showsStatistics { tally.withLock { $0.count(event) } }
        switch event {
        case .planned(let file): if !isJSON { print("\(file.size)\t\(file.path)") }
        case .started(let file): begin(file)
        case .bytes(let count, let file): if meter != nil { files.withLock { $0[file] }?.advance(by: count) }
        case .finished(let file, _): if meter != nil { files.withLock { $0.removeValue(forKey: file) }?.finish() }
        case .interrupted(let file): if meter != nil { files.withLock { $0.removeValue(forKey: file) }?.withdraw() }
        case .verified: break
        case .connections(let count, let host):
            if verbosity > 0 { StandardError.write("debug1: \(host): \(count) connections\n") }
        case .problem(let error): Self.tell("\(error)")
        case .note(let note): StandardError.write("debug1: \(note)\n")
        case .trace(let text): StandardError.write("debug3: \(text)\n")
        }
    }

    /// Whether contents of any file were copied.
    var hasBegun: Bool { begun.load(ordering: .relaxed) }

    private func begin(_ file: CopyFile) {
        begun.store(true, ordering: .relaxed)
        guard
            let line = meter?.begin(
                name: file.path.lastComponent, total: UInt64(max(0, file.size)),
                startingAt: UInt64(max(0, file.present)))
        else { return }
        files.withLock { $0[file] = line }
    }

    /// Something was kept from being copied, which was no event.
    func countFailure() { tally.withLock { $0.countFailure() } }

    /// All copies are over.
    func finish() {
        guard showsStatistics else { return }
        let line = tally.withLock { $0.line(after: .now - started, isDryRun: isDryRun) }
        Self.tell(line)
    }

    /// What is said of a copy that is done.
    func tell(_ summary: CopySummary) {
        report?.count(summary)
        tally.withLock { $0.count(summary) }
        guard verbosity > 0 else { return }
        if summary.verified > 0 { receive(.note(.verified(summary.verified))) }
        if summary.skipped > 0 { StandardError.write("debug1: \(summary.skipped) skipped\n") }
        if summary.leftOut > 0 { StandardError.write("debug1: \(summary.leftOut) left out\n") }
    }

    /// One line on standard error. A remote scp has already put its name before what it says.
    static func tell(_ text: String) { StandardError.write(text.hasPrefix("scp: ") ? text + "\n" : "scp: \(text)\n") }
}
