import Files
import NIOCore
import SFTP

// The contents of files: blocks of local ones, and bytes that come from another machine.
extension SFTPTarget {
    func begin(_ job: FileJob, _ scheduler: Scheduler) {
        guard let part = job.writing else { return }
        part.lane.ready.append(part)
    }

    var hasRoom: Bool { end.mains.allSatisfy { $0.hasRoom && !$0.isFull } }

    func takesAnyOrder(_ job: FileJob, _ scheduler: Scheduler) -> Bool {
        !isSpecial(job) && scheduler.traits.takesStripes
    }

    func advance(_ scheduler: Scheduler) -> Bool {
        if asksAhead, listing.advance(scheduler, openLimit: openLimit) { return true }
        for lane in end.lanes {
            guard let part = lane.ready.first, lane.hasRoom, !lane.isFull,
                request.tuning.hasRoom(unanswered: lane.unansweredBlocks)
            else { continue }
            send(part, scheduler)
            return true
        }
        return false
    }

    /// Sends the next block of a local file, or the end behind the last one.
    private func send(_ part: SFTPPart, _ scheduler: Scheduler) {
        let job = part.job
        if !job.isStarted, job.failure?.cause != .cancelled { scheduler.contentsStart(job, at: job.source) }
        if job.failure == nil { end.stripes?.offer(part, scheduler) { takesAnyOrder(job, scheduler) } }
        var isDone = job.failure != nil || !SFTPStripes.continues(part)
        if !isDone {
            do throws(FileError) {
                isDone = try sendBlock(part, scheduler)
            } catch {
                job.fail(CopyError(error, .source))
                isDone = true
            }
        }
        guard isDone else { return }
        part.lane.ready.removeFirst()
        guard job.ranges == nil else { return end.stripes?.partIsDone(part, scheduler) ?? () }
        job.end = part.offset
        scheduler.finish(job)
    }

    /// All parts of a shared file were sent.
    func allSent(_ job: FileJob, _ scheduler: Scheduler) {
        job.end = job.size
        // What has grown behind the ranges is not sent, but must not be lost silently.
        if job.failure == nil, let growth = job.local?.growth() { job.fail(CopyError(growth, .source)) }
        scheduler.finish(job)
    }

    /// - Returns: whether that was the end of the file.
    private func sendBlock(_ part: SFTPPart, _ scheduler: Scheduler) throws(FileError) -> Bool {
        let job = part.job
        guard let local = job.local else { return true }
        let limit = request.tuning.blockSize(main.server.limits.writeLength)
        let offset = part.offset
        let left = (job.ranges == nil ? job.size : part.end) - offset
        // One byte more than there should be: a file that grew is copied up to its end. Ranges are what they are.
        let wanted = left >= limit ? limit : Int(max(0, left)) + (job.ranges == nil ? 1 : 0)
        let count = try submit(part, at: offset, scheduler) { (block) throws(FileError) in
            try local.read(into: &block, count: wanted, at: offset)
        }
        part.offset += Int64(count)
        scheduler.count(count, of: job)
        guard count < wanted else { return false }
        if part.offset < job.size {
            throw FileError(path: local.path, operation: .read, cause: .shrank(bytes: part.offset, of: job.size))
        }
        return true
    }

    private func submit<E: Error>(
        _ part: SFTPPart, at offset: Int64, _ scheduler: Scheduler, fill: (inout ByteBuffer) throws(E) -> Int
    ) throws(E) -> Int {
        let (job, lane) = (part.job, part.lane)
        let count = try lane.write(part, at: offset, fill: fill) {
            [unowned self, unowned scheduler] (count: Int, status: SFTPStatus) in
            part.unanswered -= 1
            if status.code == .ok {
                job.written.add(offset..<offset + Int64(count))
                end.stripes?.written(scheduler)
            } else if job.failure == nil, isOutOfOrder(job, offset) {
                lane.note(.writesInOrder, job.source)
            } else {
                job.fail(CopyError(job.path, .target, .status(status, operation: "write")))
            }
            answered(job, scheduler)
        }
        if count > 0 {
            job.unanswered += 1
            part.unanswered += 1
        }
        return count
    }

    /// Whether bytes that a server refused were not the next: it may take them only one after another.
    private func isOutOfOrder(_ job: FileJob, _ offset: Int64) -> Bool {
        job.ranges != nil || (job.file?.present ?? 0) > 0
    }

    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler) {
        guard job.failure == nil, let part = job.writing else { return }
        scheduler.contentsStart(job, at: job.source)
        var rest = bytes
        var offset = offset
        let limit = request.tuning.blockSize(main.server.limits.writeLength)
        while let block = rest.readSlice(length: min(limit, rest.readableBytes)), block.readableBytes > 0 {
            _ = submit(part, at: offset, scheduler) { $0.writeImmutableBuffer(block) }
            offset += Int64(block.readableBytes)
        }
        scheduler.count(bytes.readableBytes, of: job)
    }
}
