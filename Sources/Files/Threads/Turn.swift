import NIOCore

/// A task's turn on a thread that it shares with others.
///
/// A stream that has data or room suspends nobody, so work on a ``DiskExecutor`` that never waits would keep its thread
/// for itself. It asks between two steps, and only a turn that has been long enough costs anything.
package struct Turn {
    private let longest: TimeAmount
    private var begin = NIODeadline.now()

    package init(longest: TimeAmount = .milliseconds(10)) { self.longest = longest }

    /// Whether others should have the thread.
    package var isOver: Bool { NIODeadline.now() - begin >= longest }

    /// Lets others have the thread if the turn is over.
    ///
    /// - Returns: whether it was.
    /// - Throws: `CancellationError`.
    @discardableResult
    package mutating func pass() async throws -> Bool {
        guard isOver else { return false }
        try Task.checkCancellation()
        await Task.yield()
        begin = .now()
        return true
    }
}
