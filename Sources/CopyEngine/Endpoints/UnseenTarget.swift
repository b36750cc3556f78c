import Files
import NIOCore

/// A target of which nothing is known, for a plan: whatever is planned finds its place there.
final class UnseenTarget: TargetEndpoint {
    var isDirectory: Bool { true }

    func find(_ scheduler: Scheduler) async throws {}
    func make(_ directory: DirectoryJob, _ scheduler: Scheduler) { scheduler.isReady(directory, isNew: true) }
    func finish(_ directory: DirectoryJob, _ scheduler: Scheduler) { scheduler.done(directory) }
    func open(_ job: FileJob, _ scheduler: Scheduler) { scheduler.plan(job) }
    func compare(_ job: FileJob, _ scheduler: Scheduler) {}
    func begin(_ job: FileJob, _ scheduler: Scheduler) {}
    func write(_ bytes: ByteBuffer, to job: FileJob, at offset: Int64, _ scheduler: Scheduler) {}
    func finish(_ job: FileJob, _ scheduler: Scheduler) {}
    func hash(of job: FileJob, first count: Int64?) -> HashTask { Task { nil } }
}
