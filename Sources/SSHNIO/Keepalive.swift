import NIOCore

/// Asks a silent peer whether it is still there (`ServerAliveInterval`, `ServerAliveCountMax` of ssh_config).
///
/// Runs on the connection's event loop.
final class Keepalive {
    enum Verdict {
        case wait
        case ask
        case giveUp
    }

    private let interval: Int
    private let most: Int
    private var unanswered = 0
    private var wasHeard = false
    private var task: RepeatedTask?

    init(eventLoop: any EventLoop, interval: Int, most: Int, _ act: @escaping (Verdict) -> Void) {
        self.interval = interval
        self.most = most
        let delay = TimeAmount.seconds(Int64(interval))
        let bound = NIOLoopBound((self, act), eventLoop: eventLoop)
        task = eventLoop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
            let (keepalive, act) = bound.value
            act(keepalive.next())
        }
    }

    /// Something came from the peer.
    func heard() {
        wasHeard = true
        unanswered = 0
    }

    func stop() { task?.cancel() }

    private func next() -> Verdict {
        if wasHeard {
            wasHeard = false
            unanswered = 0
            // A silence of one interval is the end where no question is allowed.
            if most == 0 { return .wait }
        }
        guard unanswered < most else { return .giveUp }
        unanswered += 1
        return .ask
    }
}
