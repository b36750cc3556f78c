import Files
import SSHWire

/// Files that are at the target, and whose hashes are to be compared.
struct VerificationQueue {
    /// Files whose hashes are asked for ahead.
    private static let limit = 64

    private var underWay = 0
    /// Those that nobody could be asked about yet.
    private var waiting: [FileJob] = []
    /// Those that nobody can be asked about before the copy's channel is closed.
    var postponed: [FileJob] = []

    var count: Int { underWay + waiting.count }

    /// - Returns: false if the file has to wait.
    mutating func begin(_ job: FileJob) -> Bool {
        guard underWay < Self.limit else {
            waiting.append(job)
            return false
        }
        underWay += 1
        return true
    }

    /// Hashes have come.
    ///
    /// - Returns: the file whose turn it is.
    mutating func end() -> FileJob? {
        underWay -= 1
        return waiting.popLast()
    }
}

// The last step of a file: the hashes of both ends are compared.
extension Scheduler {
    func verify(_ job: FileJob) {
        guard verification.begin(job) else { return }
        let here = source.hash(of: job, first: nil)
        let there = target.hash(of: job, first: nil)
        start { scheduler in
            let (a, b) = try await (here.ownValue(), there.ownValue())
            let next = scheduler.verification.end()
            if a == nil || b == nil, scheduler.mayAskLater {
                scheduler.postponeVerification(of: job)
            } else {
                scheduler.verified(job, a, b)
            }
            if let next { scheduler.verify(next) }
        }
    }

    /// A server that serves one channel at a time has none left for hashes during the copy.
    private var mayAskLater: Bool {
        request.source.isRemote != request.target.isRemote && !source.lanes.isEmpty != !target.lanes.isEmpty
    }

    private func postponeVerification(of job: FileJob) {
        verification.postponed.append(job)
        // Counted as done, as far as the copy's own channel is concerned.
        unfinished -= 1
        underWay[job.number] = nil
        if let directory = job.directory { childFinished(of: directory) }
    }

    func takePostponed() -> [FileJob] {
        defer { verification.postponed = [] }
        return verification.postponed
    }

    func verifyAtLast(_ job: FileJob) async throws {
        let (a, b) = (source.hash(of: job, first: nil), target.hash(of: job, first: nil))
        let (here, there) = try await (a.ownValue(), b.ownValue())
        // Counted again by what is done in the end.
        unfinished += 1
        job.directory = nil
        verified(job, here, there)
    }

    private func verified(_ job: FileJob, _ here: FileHash?, _ there: FileHash?) {
        switch (here, there) {
        case (let here?, let there?) where here == there:
            summary.verified += 1
            if let file = job.file { observer.receive(.verified(file)) }
        case (let here?, let there?): job.fail(CopyError(shown(job), .target, .differs(source: here, target: there)))
        case (nil, _): job.fail(CopyError(job.source, .source, .notHashed))
        default: job.fail(CopyError(shown(job), .target, .notHashed))
        }
        done(job)
    }

    /// What a file is called in messages about its target.
    func shown(_ job: FileJob) -> BytePath { job.path.bytes.isEmpty ? job.file?.path ?? job.source : job.path }
}
