import Synchronization

/// A task that waits for something, once: the first to resume it counts, be it the answer or the task's cancellation.
///
/// Whatever keeps a waiter to resume it later need not be told of a cancellation: resuming it then does nothing.
package final class Waiter<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case resumed(Result<Value, any Error>?)
    }

    private let state = Mutex(State.idle)

    package init() {}

    /// Whether it has its answer, or its task was cancelled.
    package var isOver: Bool {
        state.withLock { if case .resumed = $0 { true } else { false } }
    }

    /// Waits for the answer; to be called once.
    ///
    /// - Parameter onCancel: is called where the cancellation of the task came before the answer.
    /// - Throws: `CancellationError` at once when the task is cancelled; what it is resumed with.
    nonisolated(nonsending) package func wait(onCancel: @Sendable () -> Void = {}) async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let ready = state.withLock { state -> Result<Value, any Error>? in
                    if case .resumed(let result) = state {
                        state = .resumed(nil)
                        return result
                    }
                    state = .waiting(continuation)
                    return nil
                }
                if let ready { continuation.resume(with: ready) }
            }
        } onCancel: {
            if resume(with: .failure(CancellationError())) { onCancel() }
        }
    }

    /// Gives the answer.
    ///
    /// - Returns: false where there was one before, or the task was cancelled.
    @discardableResult
    package func resume(with result: Result<Value, any Error>) -> Bool {
        let (continuation, isFirst) = state.withLock { state -> (CheckedContinuation<Value, any Error>?, Bool) in
            switch state {
            case .idle:
                state = .resumed(result)
                return (nil, true)
            case .waiting(let continuation):
                state = .resumed(nil)
                return (continuation, true)
            case .resumed:
                return (nil, false)
            }
        }
        continuation?.resume(with: result)
        return isFirst
    }

    @discardableResult
    package func resume(returning value: Value) -> Bool { resume(with: .success(value)) }

    @discardableResult
    package func resume(throwing error: any Error) -> Bool { resume(with: .failure(error)) }
}

extension Task where Success: Sendable {
    /// Waits for a task that others may wait for too: it goes on when this one is cancelled.
    ///
    /// - Throws: what the task throws; `CancellationError` at once when the one that waits is cancelled.
    nonisolated(nonsending) package func valueUnlessCancelled() async throws -> Success {
        let waiter = Waiter<Success>()
        Task<Void, Never> { waiter.resume(with: (await result).mapError { $0 }) }
        return try await waiter.wait()
    }

    /// Waits for a task that nobody else waits for: it is cancelled with the one that waits.
    ///
    /// - Throws: what the task throws; `CancellationError` at once when the one that waits is cancelled.
    nonisolated(nonsending) package func ownValue() async throws -> Success {
        try await withTaskCancellationHandler {
            try await valueUnlessCancelled()
        } onCancel: {
            cancel()
        }
    }
}

extension Waiter where Value == Void {
    @discardableResult
    package func resume() -> Bool { resume(with: .success(())) }
}
