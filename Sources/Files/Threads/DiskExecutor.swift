import NIOPosix

/// Threads that run the asynchronous functions of transfers, so that they may block on the disk.
///
/// Work that prefers this executor leaves it only where it waits for the network, once for a block or a batch.
public final class DiskExecutor: TaskExecutor {
    private let pool: NIOThreadPool

    /// Starts the threads; ``stop()`` them before the executor is released.
    public init(threads: Int = 1) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A job must run even if the pool is being shut down, or its task would never end.
        pool.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Runs a transfer on a thread that lives as long, or where the task already is if that is such a thread.
    public static func run<Success: Sendable>(
        _ body: @Sendable () async throws -> sending Success
    ) async throws -> sending Success {
        // Nothing here prefers another kind of executor.
        if withUnsafeCurrentTask(body: { $0?.unownedTaskExecutor }) != nil { return try await body() }
        let executor = DiskExecutor()
        let result: Result<Success, any Error>
        do {
            result = .success(try await withTaskExecutorPreference(executor) { try await body() })
        } catch {
            result = .failure(error)
        }
        executor.stop()
        return try result.get()
    }

    /// Ends the threads once they have nothing more to do.
    public func stop() { pool.shutdownGracefully { _ in } }
}
