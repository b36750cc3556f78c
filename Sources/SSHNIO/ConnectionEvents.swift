import NIOConcurrencyHelpers
import NIOCore
import SSHProtocol
import SSHWire

/// The events of a connection that concern no single channel, in order. They end with the connection.
///
/// One task at a time looks at them; whoever comes next goes on where the last one stopped.
package final class ConnectionEvents: AsyncSequence, Sendable {
    package typealias Element = ConnectionEvent

    private struct State {
        var waiting = CircularBuffer<ConnectionEvent>()
        /// What they take, in bytes.
        var memory = 0
        var isFinished = false
        var reader: Waiter<Void>?
    }

    private let state = NIOLockedValueBox(State())

    /// What the events that wait take, in bytes.
    var memory: Int { state.withLockedValue { $0.memory } }

    func yield(_ event: ConnectionEvent) {
        let event = event.detached()
        let reader = state.withLockedValue { state -> Waiter<Void>? in
            guard !state.isFinished else { return nil }
            state.memory += event.memory
            state.waiting.append(event)
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    func finish() {
        let reader = state.withLockedValue { state in
            state.isFinished = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    package func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let events: ConnectionEvents

        /// The next event; nil when the connection is over and all was told, and when the task is cancelled.
        package mutating func next() async -> ConnectionEvent? { await events.next() }
    }

    private enum Step {
        case event(ConnectionEvent)
        case end
        case wait(Waiter<Void>)
    }

    private func next() async -> ConnectionEvent? {
        while true {
            switch step() {
            case .event(let event): return event
            case .end: return nil
            case .wait(let waiter): if (try? await waiter.wait()) == nil { return nil }
            }
        }
    }

    private func step() -> Step {
        state.withLockedValue { state in
            if let event = state.waiting.popFirst() {
                state.memory -= event.memory
                return .event(event)
            }
            guard !state.isFinished else { return .end }
            let waiter = Waiter<Void>()
            state.reader = waiter
            return .wait(waiter)
        }
    }
}
