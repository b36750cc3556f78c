import CopyEngine

/// What the copies of a command have done, as far as they have told.
struct CopyTally {
    private(set) var summary = CopySummary()

    mutating func count(_ event: CopyEvent) {
        switch event {
        case .planned(let file):
            summary.files += 1
            summary.bytes += file.size
        case .bytes(let count, _): summary.bytes += Int64(count)
        case .finished(_, isComplete: true): summary.files += 1
        case .verified: summary.verified += 1
        case .problem: countFailure()
        case .started, .finished, .interrupted, .connections, .note, .trace: break
        }
    }

    /// Something was not copied, or a copy was kept from beginning.
    mutating func countFailure() { summary.errors += 1 }

    /// A copy is over: what of it was no event is counted.
    mutating func count(_ summary: CopySummary) {
        self.summary.skipped += summary.skipped
        self.summary.leftOut += summary.leftOut
    }

    /// The line of `--stats`.
    func line(after time: Duration, isDryRun: Bool) -> String {
        let milliseconds = max(1, Int64(time / .milliseconds(1)))
        let tenths = (milliseconds + 50) / 100
        let rate = Int64(Double(summary.bytes) / Double(milliseconds) * 1_000)
        let done =
            isDryRun
            ? "would copy \(summary.files) files, \(summary.bytes) bytes"
            : "copied \(summary.files) files, \(summary.bytes) bytes in \(tenths / 10).\(tenths % 10) s, \(rate) bytes/s"
        return done + "; \(summary.skipped) skipped, \(summary.leftOut) left out, \(summary.verified) verified, "
            + "\(summary.errors) errors"
    }
}
