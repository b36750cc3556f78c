import Files
import NIOCore
import SFTP

/// Paths on an SFTP server, as the source of a copy.
///
/// The server is not trusted: what it lists never chooses a name at the target that was not asked for.
final class SFTPSource: SourceEndpoint {
    let end: SFTPEnd
    let request: CopyRequest
    private let paths: [BytePath]
    private let hasher: RemoteHasher?
    /// What the sources stand for, until the walk has taken them; the next one last.
    private var matches: [RemoteMatch] = []
    private(set) var count: Int?
    private let walker: SFTPWalk
    private let isOrdered: Bool

    init(
        _ end: SFTPEnd, _ paths: [BytePath], _ request: CopyRequest, isOrdered: Bool, _ hasher: RemoteHasher?
    ) {
        self.end = end
        self.paths = paths
        self.request = request
        self.hasher = hasher
        self.isOrdered = isOrdered
        walker = SFTPWalk(lane: end.main, isOrdered: isOrdered)
        end.stripes = SFTPStripes(end, writes: false, opensChannels: false, keepsWhatItOpens: { true }) {
            .open(path: $0.source.buffer, flags: .read, SFTPAttributes())
        }
        end.shared = { [unowned self] job, scheduler in allRead(job, scheduler) }
    }

    var lanes: [any CopyLane] { end.lanes }

    // MARK: The sources

    func find(_ scheduler: Scheduler) async throws {
        if request.verify, try await hasher?.hasMeans() == false {
            throw CopyError(paths.first ?? ".", .source, .noMeansToHash)
        }
        let glob = RemoteGlob(lane: end.main, scheduler: scheduler)
        let found =
            if let known = scheduler.ledger.matches { try await glob.look(at: known) } else {
                try await glob.find(paths)
            }
        scheduler.ledger.matches = found.map { ($0.path, $0.name) }
        count = found.count
        matches = found.reversed()
    }

    var isExhausted: Bool { matches.isEmpty && walker.isExhausted }

    func walk(_ scheduler: Scheduler) -> Bool {
        if walker.isIdle, let match = matches.popLast() {
            begin(match, scheduler)
            return true
        }
        return walker.advance(scheduler, openLimit: openLimit)
    }

    private func begin(_ match: RemoteMatch, _ scheduler: Scheduler) {
        switch match.attributes.kind {
        case .directory where request.recursive:
            walker.begin(
                SFTPEntry(
                    path: match.path, name: match.name, directory: nil, attributes: match.attributes,
                    isUnnamed: !match.path.hasName && scheduler.target.isDirectory))
        case .regular, nil:
            scheduler.add(
                match.name, match.path, match.attributes.carried(mask: SFTPAttributes.fileMask, otherwise: 0o666),
                size: Int64(clamping: match.attributes.size ?? 0), in: nil)
        case .other where scheduler.leavesOut(match.name, match.path, isDirectory: false, in: nil): break
        default: scheduler.problem(CopyError(match.path, .source, .notRegular))
        }
    }

    // MARK: Files

    private var openLimit: Int { end.openLimit().map { min(1_000, max(2, $0)) } ?? 100 }

    var mayOpen: Bool { isOrdered ? end.main.takesFile(openLimit) : end.lane(openingAtMost: openLimit) != nil }

    func open(_ job: FileJob, _ scheduler: Scheduler) {
        let lane = isOrdered ? end.main : end.lane(openingAtMost: openLimit) ?? end.main
        let part = SFTPPart(job, lane)
        lane.open(
            .open(path: job.source.buffer, flags: .read, SFTPAttributes()), for: job.source
        ) { [unowned scheduler] opened in
            switch opened {
            case .handle(let handle):
                part.handle = handle
                job.reading = part
                scheduler.sourceOpened(job)
            case .refused(let status): scheduler.refused(job, CopyError(job.source, .source, .status(status)))
            case .later: scheduler.postpone(job)
            }
        }
    }

    func begin(_ job: FileJob, _ scheduler: Scheduler) {
        guard let part = job.reading else { return }
        part.lane.ready.append(part)
    }

    func advance(_ scheduler: Scheduler) -> Bool {
        guard scheduler.target.hasRoom else { return false }
        for lane in end.lanes {
            guard let part = lane.ready.first, !lane.isFull, lane.hasRoom,
                request.tuning.hasRoom(unanswered: lane.unansweredBlocks)
            else { continue }
            share(part, scheduler)
            if wantsReads(part) {
                read(part, scheduler)
            } else {
                lane.ready.removeFirst()
                part.isAsked = true
                guard part.unanswered == 0 else { return true }
                if part.job.ranges != nil {
                    end.stripes?.partIsDone(part, scheduler)
                } else if part.job.failure != nil {
                    // No answer will tell that it is over.
                    scheduler.finish(part.job)
                }
            }
            return true
        }
        return false
    }

    /// A file that has begun to come, and may be written in any order, is read on all connections.
    private func share(_ part: SFTPPart, _ scheduler: Scheduler) {
        guard end.mains.count > 1, part.job.isStarted else { return }
        end.stripes?.offer(part, scheduler) { scheduler.target.takesAnyOrder(part.job, scheduler) }
    }

    /// All parts of a shared file have come. The file may have grown meanwhile: its end is looked for.
    private func allRead(_ job: FileJob, _ scheduler: Scheduler) {
        guard job.failure == nil, job.end == nil, let part = job.reading else { return scheduler.finish(job) }
        job.ranges = nil
        (part.offset, part.end, part.isAsked) = (job.size, .max, false)
        part.lane.ready.append(part)
    }

    /// Whether there is something left to ask for before answers come.
    private func wantsReads(_ part: SFTPPart) -> Bool {
        part.job.failure == nil && part.job.end == nil && part.offset <= part.job.size && SFTPStripes.continues(part)
    }

    private func read(_ part: SFTPPart, _ scheduler: Scheduler) {
        let limit = request.tuning.blockSize(end.main.server.limits.readLength)
        let left = min(part.end, part.job.size) - part.offset
        // One byte more than there should be: an answer without it tells where the file ends. Ranges are what they are.
        let further = part.job.ranges == nil ? 1 : 0
        let length = left > 0 && left < limit ? Int(left) + further : limit
        ask(part, offset: part.offset, length: length, scheduler)
        part.offset += Int64(length)
    }

    private func ask(_ part: SFTPPart, offset: Int64, length: Int, _ scheduler: Scheduler) {
        part.unanswered += 1
        part.lane.read(part, at: offset, length: length) { [unowned self, unowned scheduler] answer in
            switch answer {
            case .data(let bytes, let position, let isLast):
                scheduler.target.write(bytes, to: part.job, at: offset + Int64(position), scheduler)
                if isLast { answered(part, offset, length, got: position + bytes.readableBytes, scheduler) }
            case .status(let status):
                if status.code != .endOfFile, !isEnd(offset, of: part.job) {
                    part.job.fail(CopyError(part.job.source, .source, .status(status)))
                }
                answered(part, offset, length, got: 0, scheduler)
            }
        }
    }

    /// Whether a READ from here on, of which some servers say no more than that it failed, lies behind the last byte.
    private func isEnd(_ offset: Int64, of job: FileJob) -> Bool { offset > 0 && offset >= job.size }

    /// A READ is answered with `got` bytes, none of them meaning the end of the file.
    private func answered(_ part: SFTPPart, _ offset: Int64, _ length: Int, got: Int, _ scheduler: Scheduler) {
        let job = part.job
        part.unanswered -= 1
        if job.failure == nil, got < length {
            let reached = offset + Int64(got)
            if got == 0 || reached == job.size {
                job.end = min(job.end ?? reached, reached)
            } else {
                ask(part, offset: reached, length: length - got, scheduler)
            }
        }
        guard part.unanswered == 0 else { return }
        if job.ranges != nil {
            if part.isAsked { end.stripes?.partIsDone(part, scheduler) }
            return
        }
        if job.failure == nil, job.end == nil {
            // Either more is being asked for, or the file has grown.
            if !wantsReads(part) { read(part, scheduler) }
            return
        }
        scheduler.finish(job)
    }

    func close(_ job: FileJob, _ scheduler: Scheduler, isPostponed: Bool) {
        guard let part = job.reading else { return }
        job.reading = nil
        part.lane.ready.removeAll { $0 === part }
        part.lane.close(part.handle)
    }

    func hash(of job: FileJob, first count: Int64?) -> HashTask {
        let (hasher, path) = (hasher, job.source)
        return Task { try await hasher?.hash(of: path, first: count) }
    }
}
