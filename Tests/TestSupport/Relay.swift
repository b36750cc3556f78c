import Platform
import Synchronization

/// The two directions through a relay.
package enum Direction: Int, CaseIterable, Sendable {
    case toServer
    case toClient
}

/// The link that a relay imitates.
package struct Link: Sendable {
    /// How long a byte is on its way, each way: half the round-trip time.
    package var delay: Duration
    /// Bytes per second, each way; nil is no limit.
    package var bandwidth: Int?
    /// How many bytes may wait for their turn on a link of limited bandwidth, each way, as in a router.
    package var buffer: Int

    package init(delay: Duration = .zero, bandwidth: Int? = nil, buffer: Int = 512 * 1024) {
        self.delay = delay
        self.bandwidth = bandwidth
        self.buffer = buffer
    }
}

/// What goes wrong on the way through a relay. Counts of bytes are of one connection and direction.
package enum Fault: Sendable {
    /// Nothing.
    case none
    /// The connection breaks after so many bytes: closed in order, or reset.
    case cut(Direction, after: Int, reset: Bool)
    /// Nothing passes any more, either way, after so many bytes, and nobody is told.
    case blackHole(Direction, after: Int)
    /// One bit of the byte at `offset` arrives turned over.
    case bitFlip(Direction, offset: Int)
    /// The client gets these bytes in place of all the server says; then the connection is closed.
    case garbage([UInt8])
}

/// Passes TCP connections on from a loopback port to another, over an imitated link and with faults. Plain threads, so that
/// it works whatever the tests do to Swift's thread pool.
package final class Relay: Sendable {
    package let address: Loopback
    /// The port to connect to.
    package let port: Int
    private let target: Int
    private let link: Link
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        var fault: Fault
        /// Of connections after the next one, if that is another.
        var laterFault: Fault?
        var stopped = false
        /// Open sockets; whoever takes one out closes it.
        var connections: [Int: Connection] = [:]
        var accepted = 0
        var bytes = [0, 0]
        var flights = [0, 0]
        /// Whether the sender of a direction has been delivered something since it last sent.
        var hasHeard = [true, true]
    }

    /// Starts a relay to `target` on the same address.
    package init(to target: Int, on address: Loopback = .ipv4, link: Link = Link(), fault: Fault = .none) throws {
        self.address = address
        self.target = target
        self.link = link
        listener = try address.listeningSocket(port: 0)
        port = try localPort(listener)
        state = Mutex(State(fault: fault))
        // A closed connection shows as an error of write, not as a signal.
        signal(SIGPIPE, SIG_IGN)
        let accept = Acceptor(listener: listener)
        detachThread { [weak self] in
            while let descriptor = accept.next() {
                guard let self, !self.state.withLock({ $0.stopped }) else {
                    close(descriptor)
                    break
                }
                self.serve(descriptor)
            }
            close(accept.listener)
        }
    }

    deinit { stop() }

    /// Ends all connections and takes no more.
    package func stop() {
        let (first, open) = state.withLock { state in
            defer { state.stopped = true }
            return (!state.stopped, Array(state.connections.values))
        }
        for connection in open { connection.breakOff(reset: false) }
        // Wakes the thread that accepts.
        if first, let descriptor = try? address.connectedSocket(port: port) { close(descriptor) }
    }

    /// Sets the fault of connections made from now on.
    ///
    /// - Parameter later: that of connections after the next one, if that is another.
    package func setFault(_ fault: Fault, later: Fault? = nil) {
        state.withLock { ($0.fault, $0.laterFault) = (fault, later) }
    }

    /// Breaks all connections there are now.
    package func cutAll(reset: Bool = false) {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.breakOff(reset: reset) }
    }

    /// How many connections have been made.
    package var connectionCount: Int { state.withLock { $0.accepted } }

    /// The bytes taken in so far, over all connections.
    package func byteCount(_ direction: Direction) -> Int { state.withLock { $0.bytes[direction.rawValue] } }

    /// How many times the sender of a direction sent after it had heard from the other end: its flights.
    package func flightCount(_ direction: Direction) -> Int { state.withLock { $0.flights[direction.rawValue] } }

    private func note(_ event: Connection.Event) {
        state.withLock { state in
            switch event {
            case .taken(let count, let direction):
                state.bytes[direction.rawValue] += count
                if state.hasHeard[direction.rawValue] { state.flights[direction.rawValue] += 1 }
                state.hasHeard[direction.rawValue] = false
            case .delivered(let direction):
                state.hasHeard[1 - direction.rawValue] = true
            case .ended(let number):
                state.connections.removeValue(forKey: number)
            }
        }
    }

    private func serve(_ client: Int32) {
        guard let server = try? address.connectedSocket(port: target) else {
            close(client)
            return
        }
        let (connection, isStopped) = state.withLock { state in
            state.accepted += 1
            let connection = Connection(
                number: state.accepted, client: client, server: server, link: link, fault: state.fault)
            state.connections[state.accepted] = connection
            if let later = state.laterFault { (state.fault, state.laterFault) = (later, nil) }
            return (connection, state.stopped)
        }
        if isStopped { connection.breakOff(reset: false) }
        connection.start { [weak self] in self?.note($0) }
    }
}

private struct Acceptor {
    let listener: Int32

    /// The next connection, or nil when the listener was shut down.
    func next() -> Int32? {
        while true {
            let descriptor = openUninherited { acceptReady(listener) }
            if descriptor >= 0 { return descriptor }
            if errno == EINTR || errno == ECONNABORTED { continue }
            if errno == EAGAIN {
                var wanted = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                poll(&wanted, 1, -1)
                continue
            }
            return nil
        }
    }

    /// Does not block: `openUninherited` holds a lock.
    private func acceptReady(_ listener: Int32) -> Int32 {
        let flags = fcntl(listener, F_GETFL)
        if flags & O_NONBLOCK == 0 { _ = fcntl(listener, F_SETFL, flags | O_NONBLOCK) }
        let descriptor = accept(listener, nil, nil)
        if descriptor >= 0 { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK) }
        return descriptor
    }
}
