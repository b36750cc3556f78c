import Files
import NIOCore
import SFTP

/// Large files that several lanes share. A server gives each channel a window, and a window is all that may be on the way at a
/// time; and a connection's TCP is slowed down by each packet that is lost.
final class SFTPStripes {
    /// A smaller rest is over before another lane has begun; in bytes.
    private static let worthwhileSize: Int64 = 4 << 20
    /// A stock sshd serves ten sessions of a connection.
    private static let mostChannels = 7
    /// Where nothing can be read back that would tell (zeros), it is tried again so many bytes later.
    private static let trialDistance: Int64 = 1 << 20

    /// Channels that are wanted and not yet being opened.
    private(set) var wanted = 0
    private unowned let end: SFTPEnd
    private let writes: Bool
    private let opensChannels: Bool
    private let keepsWhatItOpens: () -> Bool
    private let opening: (FileJob) -> SFTPRequest
    private var sharing: [FileJob] = []
    /// Whether the server was seen to leave a file alone that is opened for writing once more.
    private var isProven = false
    /// Lanes that join when something is written that can be read back, and how far that file must be written.
    private var waiting: [(job: FileJob, lane: SFTPLane)] = []
    private var worthTrying: Int64 = 1

    /// - Parameters:
    ///   - writes: whether the files are written.
    ///   - opensChannels: a far server is asked for further channels.
    ///   - keepsWhatItOpens: whether the server is known to leave a file alone that is opened once more.
    ///   - opening: opens a file that is open on one lane on another.
    init(
        _ end: SFTPEnd, writes: Bool, opensChannels: Bool, keepsWhatItOpens: @escaping () -> Bool,
        opening: @escaping (FileJob) -> SFTPRequest
    ) {
        self.end = end
        self.keepsWhatItOpens = keepsWhatItOpens
        self.writes = writes
        self.opensChannels = opensChannels
        self.opening = opening
    }

    func takeWanted() -> Int {
        defer { wanted = 0 }
        return wanted
    }

    /// Has other lanes take part in what is left of a file, if that is worth it.
    ///
    /// - Parameter mayShare: whether the file can be copied in parts, in any order.
    func offer(_ part: SFTPPart, _ scheduler: Scheduler, mayShare: () -> Bool) {
        let job = part.job
        guard job.ranges == nil, job.size - part.offset >= Self.worthwhileSize, hasOthers(than: part.lane),
            !part.lane.holdsFewHandles, scheduler.request.tuning.mayShare, mayShare()
        else { return }
        let ranges = FileRanges(part.offset..<job.size)
        guard let first = ranges.next() else { return }
        (part.offset, part.end) = (first.lowerBound, first.upperBound)
        job.ranges = ranges
        sharing.append(job)
        var channels = 0
        if wantsChannels(part.lane) {
            channels = min(Self.mostChannels, Int(clamping: job.size / Self.worthwhileSize))
            let missing = channels - end.channels.count - end.opening
            if missing > 0, !end.isExhausted { wanted += missing }
        }
        for lane in end.channels.prefix(channels) { join(job, lane, scheduler) }
        for lane in end.mains where lane !== part.lane { join(job, lane, scheduler) }
    }

    private func hasOthers(than lane: SFTPLane) -> Bool { end.lanes.count > 1 || wantsChannels(lane) }

    private func wantsChannels(_ lane: SFTPLane) -> Bool { opensChannels && !lane.isNear && lane === end.main }

    /// One more lane is there.
    func add(_ lane: SFTPLane, _ scheduler: Scheduler) { for job in sharing { join(job, lane, scheduler) } }

    private func join(_ job: FileJob, _ lane: SFTPLane, _ scheduler: Scheduler) {
        let isKnown = keepsWhatItOpens() || isProven
        let sample = isKnown ? nil : WrittenSample(of: job)
        guard isKnown || sample != nil else {
            waiting.append((job, lane))
            worthTrying = job.written.end + Self.trialDistance
            return
        }
        job.furtherParts += 1
        let part = SFTPPart(job, lane)
        part.end = 0
        lane.open(opening(job), for: job.source) { [unowned self, unowned scheduler] opened in
            guard case .handle(let handle) = opened else {
                // A server that gives no further handle leaves more to the others.
                return partIsOver(part, scheduler)
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
    func written(_ scheduler: Scheduler) {
        guard let job = waiting.first?.job, isProven || job.written.end >= worthTrying else { return }
        let lanes = waiting
        waiting = []
        for (job, lane) in lanes { join(job, lane, scheduler) }
    }

    /// Gives a part the next bytes nobody has taken.
    ///
    /// - Returns: false if nothing is left.
    static func continues(_ part: SFTPPart) -> Bool {
        guard let ranges = part.job.ranges, part.offset >= part.end else { return true }
        guard let next = ranges.next() else { return false }
        (part.offset, part.end) = (next.lowerBound, next.upperBound)
        return true
    }

    /// All of a part has been submitted, or has come.
    func partIsDone(_ part: SFTPPart, _ scheduler: Scheduler) {
        let job = part.job
        if job.failure != nil { job.ranges?.abandon() }
        guard !part.isFirst else {
            job.isMainSent = true
            if job.furtherParts == 0 { allDone(job, scheduler) }
            return
        }
        part.lane.close(part.handle) { [unowned self, unowned scheduler] status in
            if writes, status.code != .ok {
                job.fail(CopyError(job.path, .target, .status(status, operation: "close")))
            }
            partIsOver(part, scheduler)
        }
    }

    private func partIsOver(_ part: SFTPPart, _ scheduler: Scheduler) {
        let job = part.job
        job.furtherParts -= 1
        if job.furtherParts == 0, job.isMainSent { allDone(job, scheduler) }
    }

    private func allDone(_ job: FileJob, _ scheduler: Scheduler) {
        sharing.removeAll { $0 === job }
        waiting.removeAll { $0.job === job }
        worthTrying = 1
        end.shared?(job, scheduler)
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
