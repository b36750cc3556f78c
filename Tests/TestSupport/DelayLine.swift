import Platform

/// A queue whose entries come out when a link would have delivered them.
///
/// Unchecked: the condition guards all that changes.
final class DelayLine: @unchecked Sendable {
    enum End {
        /// The sender has no more to say.
        case endOfFile
        /// The connection is to be closed, or reset.
        case close
        case reset
    }

    enum Next {
        case bytes([UInt8])
        case end(End)
    }

    /// What may be on its way at most where the link itself sets no bound, in bytes.
    private static let capacity = 128 << 20

    private let link: Link
    private let condition = Condition()
    private var queue: [(due: ContinuousClock.Instant, bytes: [UInt8])] = []
    private var head = 0
    private var queued = 0
    /// When the link has sent all that was put in.
    private var sent = ContinuousClock.now
    private var end: End?
    private var isAbandoned = false

    init(_ link: Link) { self.link = link }

    /// Puts bytes in; blocks while the link's buffer is full.
    func put(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        condition.lock()
        while queued > Self.capacity, !isAbandoned { condition.wait() }
        var backlog = Duration.zero
        let now = ContinuousClock.now
        if let bandwidth = link.bandwidth {
            sent = max(sent, now) + .seconds(Double(bytes.count) / Double(bandwidth))
            backlog = sent - now - .seconds(Double(link.buffer) / Double(bandwidth))
        } else {
            sent = now
        }
        queue.append((sent + link.delay, bytes))
        queued += bytes.count
        condition.broadcast()
        condition.unlock()
        pause(backlog)
    }

    /// Says what comes after the last entry.
    func finish(_ end: End) {
        condition.lock()
        if self.end == nil { self.end = end }
        condition.broadcast()
        condition.unlock()
    }

    /// Drops all entries and ends.
    func abandon() {
        condition.lock()
        isAbandoned = true
        condition.broadcast()
        condition.unlock()
    }

    /// The next entry, when it is due, or the end after the last.
    func next() -> Next {
        condition.lock()
        while head == queue.count, end == nil, !isAbandoned { condition.wait() }
        if isAbandoned {
            condition.unlock()
            return .end(.close)
        }
        guard head < queue.count else {
            let end = end ?? .close
            condition.unlock()
            // An end takes as long as bytes do.
            pause(link.delay)
            return .end(end)
        }
        let entry = queue[head]
        queue[head].bytes = []
        head += 1
        queued -= entry.bytes.count
        if head > 1024 || head == queue.count {
            queue.removeFirst(head)
            head = 0
        }
        condition.broadcast()
        condition.unlock()
        pause(entry.due - .now)
        return .bytes(entry.bytes)
    }
}

private func pause(_ duration: Duration) {
    guard duration > .zero else { return }
    let (seconds, attoseconds) = duration.components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var rest = timespec()
    while nanosleep(&time, &rest) != 0, errno == EINTR { time = rest }
}

/// A POSIX condition variable and its mutex.
private final class Condition {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let variable = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(variable, nil)
    }

    deinit {
        pthread_cond_destroy(variable)
        pthread_mutex_destroy(mutex)
        variable.deallocate()
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
    func wait() { pthread_cond_wait(variable, mutex) }
    func broadcast() { pthread_cond_broadcast(variable) }
}
