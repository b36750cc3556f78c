import NIOCore

/// How long a peer may keep us waiting once the user is let in, in seconds.
package struct SilenceLimits: Sendable {
    /// After so much silence of a peer that owes us something it is asked whether it is there.
    package var ask = 60
    /// So many questions may go unanswered. 0 for none to be put.
    package var mostQuestions = 5
    /// For so long a peer may take none of the data that waits for it.
    package var noWindow = 600
    /// For so long an exchange of new keys may last.
    package var keyExchange = 600

    package init() {}

    /// How often it is looked.
    fileprivate var step: Int { max(1, min(mostQuestions > 0 ? ask : noWindow, noWindow, keyExchange) / 4) }
    /// After how many seconds a peer that answers nothing is given up.
    fileprivate var silence: Int { ask * (mostQuestions + 1) }
}

/// What the timers see of a connection and do to it; all on its event loop.
protocol TimedConnection: AnyObject {
    /// When something came from the peer last.
    var lastHeard: NIODeadline { get }
    /// When a channel carried something last.
    var lastData: NIODeadline { get }
    /// Whether somebody waits for the peer.
    var awaitsPeer: Bool { get }
    /// The bytes of each channel that wait for a window.
    func stalledBytes() -> [Int]
    var isExchangingKeys: Bool { get }

    /// Asks the peer for a sign of life.
    func askPeer()
    /// Ends the connection.
    func give(up reason: TransportError)
}

/// The clocks of a connection: the time for the login, signs of life, idleness, and peers that never finish.
final class ConnectionTimers {
    private let eventLoop: any EventLoop
    private unowned let connection: any TimedConnection
    private var deadline: Scheduled<Void>?
    private var repeated: [RepeatedTask] = []

    init(_ connection: any TimedConnection, eventLoop: any EventLoop) {
        self.connection = connection
        self.eventLoop = eventLoop
    }

    func stop() {
        deadline?.cancel()
        for task in repeated { task.cancel() }
        repeated = []
    }

    /// Ends the connection after `seconds`, unless ``stopDeadline()`` comes first.
    func startDeadline(_ time: TimeAmount, limit: Int) {
        deadline?.cancel()
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(in: time) { bound.value.give(up: .unresponsive(seconds: limit)) }
    }

    func stopDeadline() { deadline?.cancel() }

    /// Asks a peer that is silent for `interval` seconds; ends the connection after `most` questions without an answer.
    func keepAlive(interval: Int, most: Int) {
        guard interval > 0 else { return }
        let delay = TimeAmount.seconds(Int64(interval))
        let bound = NIOLoopBound(Questions(connection), eventLoop: eventLoop)
        repeated.append(
            eventLoop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
                bound.value.next(most: most, silence: interval * max(1, most))
            })
    }

    /// Ends the connection when no channel has carried a byte for so long.
    func endWhenIdle(seconds: Int) {
        guard seconds > 0 else { return }
        let limit = TimeAmount.seconds(Int64(seconds))
        let begin = NIODeadline.now()
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let interval = TimeAmount.milliseconds(max(100, Int64(seconds) * 1000 / 8))
        repeated.append(
            eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
                guard max(begin, bound.value.lastData) + limit <= .now() else { return }
                bound.value.give(up: .idle(seconds: seconds))
            })
    }

    /// Watches over a peer that owes us something.
    func watch(_ limits: SilenceLimits) {
        let step = TimeAmount.seconds(Int64(limits.step))
        let bound = NIOLoopBound(Watch(connection, limits), eventLoop: eventLoop)
        repeated.append(eventLoop.scheduleRepeatedTask(initialDelay: step, delay: step) { _ in bound.value.look() })
    }
}

/// The questions whether the peer is there (`ServerAliveInterval`, `ServerAliveCountMax` of ssh_config).
private final class Questions {
    private unowned let connection: any TimedConnection
    private var unanswered = 0
    private var asked = NIODeadline.now()

    init(_ connection: any TimedConnection) { self.connection = connection }

    /// - Parameter silence: how long the peer has then been silent, in seconds.
    func next(most: Int, silence: Int) {
        if connection.lastHeard >= asked {
            unanswered = 0
            asked = .now()
            // A silence of one interval is the end where no question is allowed.
            if most == 0 { return }
        }
        guard unanswered < most else { return connection.give(up: .unresponsive(seconds: silence)) }
        unanswered += 1
        asked = .now()
        connection.askPeer()
    }

    func forget() { unanswered = 0 }
}

/// What is seen of a peer that owes us something, from one look to the next.
private final class Watch {
    private unowned let connection: any TimedConnection
    private let limits: SilenceLimits
    private let questions: Questions
    private var nextQuestion = NIODeadline.now()
    private var stalled: (bytes: [Int], since: NIODeadline)?
    private var exchangeSince: NIODeadline?

    init(_ connection: any TimedConnection, _ limits: SilenceLimits) {
        self.connection = connection
        self.limits = limits
        questions = Questions(connection)
    }

    func look() {
        let now = NIODeadline.now()
        func isOver(_ begin: NIODeadline?, _ seconds: Int) -> Bool {
            begin.map { now - $0 >= .seconds(Int64(seconds)) } ?? false
        }
        exchangeSince = connection.isExchangingKeys ? exchangeSince ?? now : nil
        if isOver(exchangeSince, limits.keyExchange) {
            return connection.give(up: .stalled(.keyExchange, seconds: limits.keyExchange))
        }
        let bytes = connection.stalledBytes()
        if bytes.isEmpty {
            stalled = nil
        } else if stalled?.bytes != bytes || connection.lastData > (stalled?.since ?? now) {
            stalled = (bytes, now)
        }
        if isOver(stalled?.since, limits.noWindow) {
            return connection.give(up: .stalled(.window, seconds: limits.noWindow))
        }
        guard limits.mostQuestions > 0 else { return }
        guard connection.awaitsPeer, isOver(connection.lastHeard, limits.ask) else {
            questions.forget()
            nextQuestion = now
            return
        }
        guard now >= nextQuestion else { return }
        nextQuestion = now + .seconds(Int64(limits.ask))
        questions.next(most: limits.mostQuestions, silence: limits.silence)
    }
}
