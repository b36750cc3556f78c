@testable import SSHWire

/// A download over a simulated link, in simulated time: requests reach a server that takes each at once into one buffer, as a
/// stock sshd does, and a TCP that starts slowly and halves when the router's queue overflows carries that to the client.
struct SimulatedDownload {
    var bytesPerSecond: Double
    var roundTrip: Duration
    /// What the router keeps before it drops.
    var queue = 512 << 10
    /// What the sender's system keeps of sent and unacknowledged bytes at most.
    var sendBuffer = 4 << 20
    var requestSize = 32 << 10

    private(set) var flow: FlowMeasure
    private(set) var now = ContinuousClock.now
    /// All bytes that came.
    private(set) var received = 0
    /// The most that waited in the server's buffer.
    private(set) var mostHoarded = 0
    private(set) var hoarded = 0

    private var requests: [(due: FlowMeasure.Instant, mark: FlowMeasure.Mark)] = []
    private var answering: ArraySlice<FlowMeasure.Mark> = []
    private var leftOfFirst: Int
    private var segments: ArraySlice<(due: FlowMeasure.Instant, bytes: Int)> = []
    private var acknowledgements: ArraySlice<(due: FlowMeasure.Instant, bytes: Int)> = []
    private var idleAt = ContinuousClock.now
    private var unacknowledged = 0
    private var congestionWindow = 14_480.0
    private var threshold = Double.infinity
    private var reducedAt: FlowMeasure.Instant?

    private static let tick = Duration.microseconds(500)
    private static let segment = 16 << 10

    init(megabits: Double, roundTrip: Duration, limits: ClosedRange<Int> = FlowMeasure.usualLimits) {
        bytesPerSecond = megabits * 125_000
        self.roundTrip = roundTrip
        flow = FlowMeasure(limits: limits)
        leftOfFirst = requestSize
    }

    /// What the link holds.
    var content: Double { bytesPerSecond * (roundTrip / .seconds(1)) }

    /// Runs until `bytes` more have come, or so much time has passed.
    ///
    /// - Parameter appetite: how many bytes the client is willing to have under way, whatever the measure says.
    /// - Returns: how long it took.
    @discardableResult
    mutating func run(bytes: Int = .max, atMost: Duration = .seconds(300), appetite: Int = .max) -> Duration {
        let begin = now
        let goal = bytes == .max ? Int.max : received + bytes
        while received < goal, now - begin < atMost {
            request(upTo: goal, appetite)
            serve()
            transmit()
            receive()
            now += Self.tick
        }
        return now - begin
    }

    private mutating func request(upTo goal: Int, _ appetite: Int) {
        while flow.room > 0, flow.underWay < appetite, goal == .max || received + flow.underWay < goal {
            requests.append((now + roundTrip / 2, flow.ask(for: requestSize, at: now)))
        }
    }

    private mutating func serve() {
        let ready = requests.prefix { $0.due <= now }
        for request in ready {
            answering.append(request.mark)
            hoarded += requestSize
        }
        requests.removeFirst(ready.count)
        mostHoarded = max(mostHoarded, hoarded)
    }

    private mutating func transmit() {
        while let first = acknowledgements.first, first.due <= now {
            acknowledgements.removeFirst()
            unacknowledged -= first.bytes
            congestionWindow +=
                congestionWindow < threshold ? Double(first.bytes) : 1448 * Double(first.bytes) / congestionWindow
        }
        while hoarded > 0, unacknowledged < min(Int(congestionWindow), sendBuffer) {
            let bytes = min(Self.segment, hoarded)
            hoarded -= bytes
            unacknowledged += bytes
            idleAt = max(idleAt, now) + .seconds(Double(bytes) / bytesPerSecond)
            segments.append((idleAt + roundTrip / 2, bytes))
            if (idleAt - now) / .seconds(1) * bytesPerSecond > Double(queue) { reduce() }
        }
    }

    /// Once in a round trip.
    private mutating func reduce() {
        if let reducedAt, now - reducedAt < roundTrip { return }
        reducedAt = now
        congestionWindow = max(14_480, congestionWindow * 0.7)
        threshold = congestionWindow
    }

    private mutating func receive() {
        while let first = segments.first, first.due <= now {
            segments.removeFirst()
            received += first.bytes
            acknowledgements.append((now + roundTrip / 2, first.bytes))
            var bytes = first.bytes
            while bytes > 0, let mark = answering.first {
                let part = min(bytes, leftOfFirst)
                leftOfFirst -= part
                bytes -= part
                guard leftOfFirst == 0 else { continue }
                answering.removeFirst()
                leftOfFirst = requestSize
                flow.answer(mark, at: now)
            }
        }
    }
}
