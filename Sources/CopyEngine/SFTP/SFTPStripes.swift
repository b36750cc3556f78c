import Files
import NIOCore
import SFTP

/// Further lanes, through which parts of a large file are sent: a server gives each channel a window, and a window is all that may
/// be on the way at a time.
final class SFTPStripes {
    /// A smaller file is over before the lanes are there; in bytes.
    private static let worthwhileSize: Int64 = 4 << 20
    /// A stock sshd serves ten sessions of a connection.
    private static let most = 7
    /// Where nothing can be read back that would tell (zeros), it is tried again so many bytes later.
    private static let trialDistance: Int64 = 1 << 20

    /// Lanes that are wanted and not yet being opened.
    private(set) var wanted = 0
    private let isAllowed: Bool
    private var sharing: [FileJob] = []
    /// Whether the server was seen to leave a file alone that is opened for writing once more.
    private var isProven = false
    /// Lanes that join when something is written that can be read back, and how far that file must be written.
    private var waiting: [(job: FileJob, lane: SFTPLane)] = []
    private var worthTrying: Int64 = 1

    init(isAllowed: Bool) { self.isAllowed = isAllowed }

    func takeWanted() -> Int {
        defer { wanted = 0 }
        return wanted
    }

    /// A local file is about to be sent: if it is large and the server is far, several lanes share it.
    func begin(_ job: FileJob, from part: SFTPPart, isSpecial: Bool, _ target: SFTPTarget, _ scheduler: Scheduler) {
        let left = job.size - part.offset
        guard isAllowed, !part.lane.isNear, left >= Self.worthwhileSize, !isSpecial,
            target.request.tuning == SFTPTuning(), !part.lane.holdsFewHandles, scheduler.traits.takesStripes
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
        let isKnown = target.keepsWhatItOpens
        let sample = isKnown || isProven ? nil : WrittenSample(of: job)
        guard isKnown || isProven || sample != nil else {
            waiting.append((job, lane))
            worthTrying = job.written.end + Self.trialDistance
            return
        }
        job.furtherParts += 1
        let part = SFTPPart(job, lane)
        part.end = 0
        // For reading too: some servers empty what is opened for writing alone (Erlang's).
        let flags: SFTPOpenFlags = isKnown ? .write : [.read, .write]
        lane.open(.open(path: job.path.buffer, flags: flags, SFTPAttributes()), for: job.source) {
            [unowned self, unowned target, unowned scheduler] opened in
            guard case .handle(let handle) = opened else {
                // A server that gives no further handle leaves more to the others.
                return partIsOver(part, target, scheduler)
            }
            part.handle = handle
            if let sample { prove(sample, part) } else { lane.ready.append(part) }
        }
    }

    /// Reads back what was written before the file was opened once more: some servers empty it then, whatever the flags (rclone's).
    private func prove(_ sample: WrittenSample, _ part: SFTPPart) {
        var found: [UInt8] = []
        part.lane.read(part, at: sample.offset, length: sample.bytes.count) { [unowned self] answer in
            if case .data(let bytes, _, let isLast) = answer {
                found += bytes.readableBytesView
                guard isLast else { return }
            }
            guard found == sample.bytes else { return part.lane.note(.emptiesOnOpening, part.job.source) }
            isProven = true
            part.lane.ready.append(part)
        }
    }

    /// More of a file is written: lanes that wait for something to be read back may join now.
    func written(_ target: SFTPTarget, _ scheduler: Scheduler) {
        guard let job = waiting.first?.job, isProven || job.written.end >= worthTrying else { return }
        let lanes = waiting
        waiting = []
        for (job, lane) in lanes { join(job, lane, target, scheduler) }
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
        waiting.removeAll { $0.job === job }
        worthTrying = 1
        job.end = job.size
        // What has grown behind the ranges is not sent, but must not be lost silently.
        if job.failure == nil, let growth = job.local?.growth() { job.fail(CopyError(growth, .source)) }
        scheduler.finish(job)
    }
}

/// A piece of a file that the server has confirmed to be written. It has a byte that is not zero, as what is missing reads as zeros.
private struct WrittenSample {
    /// Bytes that are looked through, and taken of them.
    private static let searched: Int64 = 32 << 10
    private static let length = 512

    let offset: Int64
    let bytes: [UInt8]

    init?(of job: FileJob) {
        let end = job.written.end
        let start = max(0, end - Self.searched)
        var block = ByteBuffer()
        guard let local = job.local, end > start,
            (try? local.read(into: &block, count: Int(end - start), at: start)) != nil,
            let zeros = block.readableBytesView.enumerated().first(where: { $0.element != 0 })?.offset
        else { return nil }
        offset = start + Int64(zeros)
        bytes = Array(block.readableBytesView.dropFirst(zeros).prefix(Self.length))
    }
}
