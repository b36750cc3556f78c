import Files
import NIOCore
import Platform
import Synchronization
import TestSupport
import Testing

@Suite("A turn on a thread", .timeLimit(.minutes(hangMinutes)))
struct TurnTests {
    @Test("lets other tasks of its executor run once it is over, and comes back to that executor")
    func sharing() async throws {
        let executor = DiskExecutor(threads: 1)
        defer { executor.stop() }
        try await withTaskExecutorPreference(executor) {
            let other = Mutex(0)
            async let steps: Void = {
                // Each is a turn of its own.
                for _ in 0..<100 {
                    other.withLock { $0 += 1 }
                    await Task.yield()
                }
            }()
            let thread = pthread_self()
            var turn = Turn(longest: .zero)
            while other.withLock({ $0 }) < 100 {
                let wasOver = try await turn.pass()
                #expect(wasOver)
                #expect(pthread_equal(thread, pthread_self()) != 0)
            }
            await steps
        }
    }

    @Test("costs nothing before it is over, and ends with its task")
    func ends() async throws {
        var long = Turn(longest: .hours(1))
        #expect(try await !long.pass())
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            var turn = Turn(longest: .zero)
            try await turn.pass()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
