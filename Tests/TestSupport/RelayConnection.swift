import Platform
import Synchronization

/// One connection through a relay: a thread a direction that takes bytes in, and one that delivers them.
final class Connection: Sendable {
    enum Event {
        case taken(Int, Direction)
        case delivered(Direction)
        /// Both directions have ended.
        case ended(number: Int)
    }

    private let number: Int
    private let client: Int32
    private let server: Int32
    private let fault: Fault
    private let lines: [DelayLine]
    private let state = Mutex(State())

    private struct State {
        /// Directions that still deliver.
        var running = 2
        var isBroken = false
        var isBlackHole = false
    }

    init(number: Int, client: Int32, server: Int32, link: Link, fault: Fault) {
        self.number = number
        self.client = client
        self.server = server
        self.fault = fault
        lines = Direction.allCases.map { _ in DelayLine(link) }
        var yes: Int32 = 1
        for descriptor in [client, server] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit {
        close(client)
        close(server)
    }

    /// Passes bytes both ways until both directions have ended.
    func start(_ note: @escaping @Sendable (Event) -> Void) {
        for direction in Direction.allCases {
            detachThread { [self] in take(direction, note) }
            detachThread { [self] in
                deliver(direction, note)
                let isLast = state.withLock { state in
                    state.running -= 1
                    return state.running == 0
                }
                if isLast { note(.ended(number: number)) }
            }
        }
    }

    /// Breaks the connection, in order or with a reset; what is on its way is lost.
    func breakOff(reset: Bool) {
        let isFirst = state.withLock { state in
            defer { state.isBroken = true }
            return !state.isBroken
        }
        guard isFirst else { return }
        for line in lines { line.abandon() }
        for descriptor in [client, server] {
            if reset { disconnect(descriptor) }
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }

    private func take(_ direction: Direction, _ note: (Event) -> Void) {
        let source = direction == .toServer ? client : server
        let line = lines[direction.rawValue]
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var passed = 0
        while true {
            let got = read(source, &chunk, chunk.count)
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return line.finish(.endOfFile) }
            note(.taken(got, direction))
            switch disturb(Array(chunk[..<got]), at: passed, direction) {
            case .pass(let bytes):
                line.put(bytes)
            case .last(let bytes, let end):
                line.put(bytes)
                if let end { line.finish(end) }
                return
            }
            passed += got
        }
    }

    private enum Disturbed {
        case pass([UInt8])
        /// These bytes, then the end; nil is silence.
        case last([UInt8], DelayLine.End?)
    }

    private func disturb(_ bytes: [UInt8], at offset: Int, _ direction: Direction) -> Disturbed {
        if state.withLock({ $0.isBlackHole }) { return .last([], nil) }
        let end = offset + bytes.count
        switch fault {
        case .garbage(let garbage) where direction == .toClient:
            return .last(garbage, .close)
        case .bitFlip(direction, let target) where target >= offset && target < end:
            var bytes = bytes
            bytes[target - offset] ^= 1
            return .pass(bytes)
        case .cut(direction, let limit, let reset) where end >= limit:
            return .last(Array(bytes.prefix(limit - offset)), reset ? .reset : .close)
        case .blackHole(direction, let limit) where end >= limit:
            return .last(Array(bytes.prefix(limit - offset)), nil)
        default:
            return .pass(bytes)
        }
    }

    private func deliver(_ direction: Direction, _ note: (Event) -> Void) {
        let target = direction == .toServer ? server : client
        let line = lines[direction.rawValue]
        var passed = 0
        while true {
            switch line.next() {
            case .bytes(let bytes):
                note(.delivered(direction))
                do { try writeAll(target, bytes[...]) } catch { return breakOff(reset: false) }
                passed += bytes.count
                if case .blackHole(direction, let limit) = fault, passed >= limit {
                    state.withLock { $0.isBlackHole = true }
                }
            case .end(.endOfFile):
                shutdown(target, Int32(SHUT_WR))
                return
            case .end(.close):
                return breakOff(reset: false)
            case .end(.reset):
                return breakOff(reset: true)
            }
        }
    }
}

/// Drops a TCP connection at once, with a reset.
private func disconnect(_ descriptor: Int32) {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    var address = sockaddr()
    address.sa_family = sa_family_t(AF_UNSPEC)
    _ = connect(descriptor, &address, socklen_t(MemoryLayout<sockaddr>.size))
}
