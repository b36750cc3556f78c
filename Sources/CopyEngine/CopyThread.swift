import NIOPosix

/// The thread on which a copy runs; it may block on the disk.
final class CopyThread: SerialExecutor {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// Starts the thread; ``stop()`` it before this is released.
    init() { pool.start() }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A job must run even if the pool is being shut down, or its task would never end.
        pool.submit { _ in job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Ends the thread once it has nothing more to do.
    func stop() { pool.shutdownGracefully { _ in } }
}
