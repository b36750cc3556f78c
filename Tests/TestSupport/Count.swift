import Synchronization

/// Counts from several threads.
package final class Count: Sendable {
    private let state = Mutex(0)

    package init() {}

    package var value: Int { state.withLock { $0 } }
    package func add() { state.withLock { $0 += 1 } }
}
