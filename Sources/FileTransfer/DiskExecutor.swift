import NIOPosix

/// A thread of its own that runs the asynchronous functions of a transfer, so that they may block on the disk.
///
/// Work that prefers this executor leaves it only where it waits for the network, once for a block or a batch.
public final class DiskExecutor: TaskExecutor {
    private let pool: NIOThreadPool

    /// Starts the thread; ``stop()`` it before the executor is released.
    public init() {
        pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A job must run even if the pool is being shut down, or its task would never end.
        pool.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Runs a transfer on a thread that lives as long.
    public static func run<Success: Sendable>(
        _ body: @Sendable () async throws -> sending Success
    ) async throws -> sending Success {
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

    /// Ends the thread once it has nothing more to do.
    public func stop() { pool.shutdownGracefully { _ in } }
}
