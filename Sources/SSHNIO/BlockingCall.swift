import NIOPosix
import SSHWire

/// Calls that block: they run on a thread that may wait, and whoever waits for them is free as soon as its task is
/// cancelled.
package enum BlockingCall {
    /// Runs `body` on a thread that may block.
    ///
    /// - Parameter onCancel: called when the task is cancelled before `body` is done; should make `body` return. What it
    ///   returns after that is dropped.
    /// - Throws: what `body` throws; `CancellationError`.
    package static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value, onCancel: @Sendable () -> Void = {}
    ) async throws -> Value {
        let waiter = Waiter<Value>()
        NIOThreadPool.singleton.submit { state in
            guard state == .active, !waiter.isOver else {
                waiter.resume(throwing: CancellationError())
                return
            }
            waiter.resume(with: Result { try body() })
        }
        return try await waiter.wait(onCancel: onCancel)
    }
}
