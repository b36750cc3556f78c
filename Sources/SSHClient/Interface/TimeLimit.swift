import NIOCore
import SSHNIO
import Synchronization

/// The time a server has for the handshake and the login. It does not run while a person is waited for: their time to
/// answer is not the server's.
///
/// Each step may take ``step`` seconds, and all steps together ``steps`` times as long, so a server that always wants
/// one more thing comes to its end.
final class TimeLimit: Sendable {
    private static let steps = 4

    let transport: Transport
    /// Seconds for each step.
    let step: Int
    private let state: Mutex<State>

    private struct State {
        /// What is left of the whole.
        var left: Duration
        var since = ContinuousClock.now
    }

    init(transport: Transport, step: Int) {
        self.transport = transport
        self.step = step
        state = Mutex(State(left: .seconds(step * Self.steps)))
        transport.startDeadline(seconds: step)
    }

    /// Waits for a person.
    func pause<Value: Sendable>(_ body: @Sendable () async throws -> Value) async rethrows -> Value {
        transport.stopDeadline()
        state.withLock { $0.left -= ContinuousClock.now - $0.since }
        defer { resume() }
        return try await body()
    }

    private func resume() {
        let left = state.withLock { state in
            state.since = .now
            return min(state.left, .seconds(step))
        }
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
        transport.startDeadline(.milliseconds(max(0, milliseconds)), limit: step)
    }
}
