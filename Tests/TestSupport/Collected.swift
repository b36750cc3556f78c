import Synchronization

/// Keeps lines as they come.
package final class Collected: Sendable {
    package init() {}

    private let lines = Mutex<[String]>([])
    package func add(_ line: String) { lines.withLock { $0.append(line) } }
    package var all: [String] { lines.withLock { $0 } }
    package func takeFirst() -> String? { lines.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}
