import Files
import SFTP

/// Further lanes, through which parts of a large file are sent: a server gives each channel a window, and a window is all that may
/// be on the way at a time.
final class SFTPStripes {
    /// A smaller file is over before the lanes are there; in bytes.
    private static let worthwhileSize: Int64 = 4 << 20
    /// A stock sshd serves ten sessions of a connection.
    private static let most = 7

    /// Lanes that are wanted and not yet being opened.
    private(set) var wanted = 0
    private let isAllowed: Bool
    private var sharing: [FileJob] = []

    init(isAllowed: Bool) { self.isAllowed = isAllowed }

    func takeWanted() -> Int {
        defer { wanted = 0 }
        return wanted
    }

    /// A local file is about to be sent: if it is large and the server is far, several lanes share it.
    func begin(_ job: FileJob, from part: SFTPPart, isSpecial: Bool, _ target: SFTPTarget, _ scheduler: Scheduler) {
        let left = job.size - part.offset
        guard isAllowed, !part.lane.isNear, left >= Self.worthwhileSize, !isSpecial,
            target.request.tuning == SFTPTuning(), !part.lane.holdsFewHandles, !scheduler.traits.writesInOrder
        else { return }
        let ranges = FileRanges(part.offset..<job.size)
        guard let first = ranges.next() else { return }
        (part.offset, part.end) = (first.lowerBound, first.upperBound)
        job.ranges = ranges
        sharing.append(job)
        let count = min(Self.most, Int(clamping: job.size / Self.worthwhileSize))
        let further = target.end.lanes.dropFirst()
        for lane in further.prefix(count) { join(job, lane, target, scheduler) }
        let missing = count - further.count - target.end.opening
        if missing > 0, !target.end.isExhausted { wanted += missing }
    }

    /// One more lane is there.
    func add(_ lane: SFTPLane, _ target: SFTPTarget, _ scheduler: Scheduler) {
        for job in sharing { join(job, lane, target, scheduler) }
    }

    private func join(_ job: FileJob, _ lane: SFTPLane, _ target: SFTPTarget, _ scheduler: Scheduler) {
        job.furtherParts += 1
        let part = SFTPPart(job, lane)
        part.end = 0
        lane.open(.open(path: job.path.buffer, flags: [.write], SFTPAttributes()), for: job.source) {
            [unowned self, unowned target, unowned scheduler] opened in
            guard case .handle(let handle) = opened else {
                // A server that gives no further handle leaves more to the others.
                return partIsOver(part, target, scheduler)
            }
            part.handle = handle
            lane.ready.append(part)
        }
    }

    /// All was submitted that this part will send.
    func partIsSent(_ part: SFTPPart, _ target: SFTPTarget, _ scheduler: Scheduler) {
        let job = part.job
        if job.failure != nil { job.ranges?.abandon() }
        guard job.ranges != nil else { return scheduler.finish(job) }
        guard part !== job.writing else {
            if job.furtherParts == 0 { allSent(job, scheduler) }
            job.isMainSent = true
            return
        }
        part.lane.close(part.handle) { [unowned self, unowned target, unowned scheduler] status in
            if status.code != .ok { job.fail(CopyError(job.path, .target, .status(status, operation: "close"))) }
            partIsOver(part, target, scheduler)
        }
    }

    private func partIsOver(_ part: SFTPPart, _ target: SFTPTarget, _ scheduler: Scheduler) {
        let job = part.job
        job.furtherParts -= 1
        if job.furtherParts == 0, job.isMainSent { allSent(job, scheduler) }
    }

    private func allSent(_ job: FileJob, _ scheduler: Scheduler) {
        sharing.removeAll { $0 === job }
        job.end = job.size
        // What has grown behind the ranges is not sent, but must not be lost silently.
        if job.failure == nil, let growth = job.local?.growth() { job.fail(CopyError(growth, .source)) }
        scheduler.finish(job)
    }
}
