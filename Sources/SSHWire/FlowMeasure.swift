/// How many bytes of a connection should be under way: asked for and not answered, or sent and not acknowledged.
///
/// A link holds what its rate delivers in a round trip. Less leaves it idle; much more waits somewhere, above all in a
/// server that takes all answers into one buffer and moves that about for each packet. So the rate of delivery and the
/// shortest time that an answer takes are measured, and about twice their product is kept under way: one part on the link, one
/// for the sender to go on with. As twice of what was delivered is always allowed, the amount doubles each round trip for
/// as long as the rate does; until the rate has stopped growing it is three times, so as not to hold a TCP back that starts.
///
/// - The rate is the highest of the last ten windows, each at least a round trip long. A window in which there was too
///   little under way to fill the link (the disk was slow, there was nothing left to ask for) can raise it and not lower it.
/// - The shortest time is the minimum of ten seconds. What waits by our own doing lengthens all others, so when no answer has
///   been as fast for ten seconds, half of the link's content is kept under way until the true time has shown.
///
/// It has no clock: every call says when it happens. One measure serves all files of a connection.
///
///     let mark = flow.ask(for: 32_768, at: .now)      // while flow.room > 0
///     flow.answer(mark, at: .now)
package struct FlowMeasure: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// A request that was made.
    package struct Mark: Sendable {
        package fileprivate(set) var bytes: Int
        /// Nil where the sender had leave without asking, so that the time to the answer says nothing.
        fileprivate let asked: Instant?
    }

    /// What is under way at least and at most unless somebody says otherwise, in bytes.
    package static let usualLimits = (1 << 20)...(64 << 20)
    /// What is under way while the shortest time is looked for, at least.
    private static let probeLeast = 128 << 10
    private static let validity = Duration.seconds(10)
    private static let shortestWindow = Duration.milliseconds(5)
    private static let keptWindows = 10
    /// Windows without a quarter more that end the start.
    private static let plateauWindows = 3

    /// What should be under way.
    package private(set) var target: Int
    /// What is under way.
    package private(set) var underWay = 0
    /// The shortest time between a request and its answer.
    package private(set) var roundTrip: Duration?

    private let limits: ClosedRange<Int>
    private var roundTripFound: Instant?
    private var probe: Probe?
    private var window: Window?
    /// In bytes a second, the latest last.
    private var rates: [Double] = []
    private var isStarting = true
    private var bestRate = 0.0
    private var windowsWithoutGrowth = 0
    private var latest: Instant?

    /// - Parameters:
    ///   - limits: what may be under way; with both ends equal, what is, whatever is measured.
    ///   - roundTrip: how long the connection's handshake waited for an answer, if that is known.
    package init(limits: ClosedRange<Int> = usualLimits, roundTrip: Duration? = nil) {
        let least = max(1, limits.lowerBound)
        self.limits = least...max(least, limits.upperBound)
        self.roundTrip = roundTrip
        target = least
    }

    /// Bytes that may be asked for now. With nothing under way there is always room.
    package var room: Int { max(underWay == 0 ? 1 : 0, target - underWay) }

    /// Bytes a second; 0 until it is known.
    package private(set) var rate = 0.0

    /// Notes a request for so many bytes. One for none, such as OPEN, counts as a round trip.
    package mutating func ask(for bytes: Int, at now: Instant) -> Mark {
        advance(to: now)
        let bytes = max(0, bytes)
        underWay += bytes
        return Mark(bytes: bytes, asked: now)
    }

    /// Notes the answer to a request.
    ///
    /// - Parameter bytes: how many came; nil for as many as were asked for.
    package mutating func answer(_ mark: Mark, bytes: Int? = nil, at now: Instant) {
        advance(to: now)
        underWay = max(0, underWay - mark.bytes)
        if let asked = mark.asked { noteRoundTrip(now - asked, since: asked, now) }
        noteDelivery(max(0, bytes ?? mark.bytes), now)
        updateTarget(now)
    }

    /// Notes that the peer may send so many bytes without being asked.
    fileprivate mutating func grant(_ bytes: Int) -> Mark {
        underWay += max(0, bytes)
        return Mark(bytes: max(0, bytes), asked: nil)
    }

    /// Takes back a request that will not be answered.
    package mutating func forget(_ mark: Mark) { underWay = max(0, underWay - mark.bytes) }

    /// What the link holds, as far as known.
    private var linkContent: Int {
        guard let roundTrip else { return 0 }
        return Int(min(rate * (roundTrip / .seconds(1)), Double(limits.upperBound)))
    }

    /// Time passed with what was under way: was it enough to keep the link busy?
    private mutating func advance(to now: Instant) {
        if let latest, now <= latest { return }
        latest = now
        if underWay < min(linkContent, target / 2) { window?.isStarved = true }
    }
}

// MARK: The shortest time

extension FlowMeasure {
    /// Looking for the shortest time with less under way.
    private struct Probe {
        /// Since when no more than that is.
        var drained: Instant?
        var shortest: Duration?
    }

    private mutating func noteRoundTrip(_ sample: Duration, since asked: Instant, _ now: Instant) {
        guard sample > .zero else { return }
        guard let known = roundTrip, let found = roundTripFound else {
            roundTrip = min(roundTrip ?? sample, sample)
            roundTripFound = now
            return
        }
        // Nearly as fast proves the minimum without raising it.
        if sample <= known + known / 16 {
            roundTrip = min(known, sample)
            roundTripFound = now
            probe = nil
        } else if probe == nil, now - found >= Self.validity, limits.lowerBound < limits.upperBound {
            probe = Probe()
        } else if let drained = probe?.drained, asked >= drained {
            let shortest = min(probe?.shortest ?? sample, sample)
            probe?.shortest = shortest
            if now - drained >= shortest * 3 / 2 {
                roundTrip = shortest
                roundTripFound = now
                probe = nil
            }
        }
    }
}

// MARK: The rate

extension FlowMeasure {
    private struct Window {
        let begin: Instant
        var bytes = 0
        var isStarved = false
    }

    private mutating func noteDelivery(_ bytes: Int, _ now: Instant) {
        guard bytes > 0 else { return }
        guard var current = window else {
            window = Window(begin: now)
            return
        }
        current.bytes += bytes
        window = current
        let elapsed = now - current.begin
        guard elapsed >= max(roundTrip ?? .zero, Self.shortestWindow) else { return }
        window = Window(begin: now)
        let sample = Double(current.bytes) / (elapsed / .seconds(1))
        guard !current.isStarved || sample > rate else { return }
        rates.append(sample)
        if rates.count > Self.keptWindows { rates.removeFirst() }
        rate = rates.max() ?? 0
        noteGrowth(sample)
    }

    private mutating func noteGrowth(_ sample: Double) {
        guard isStarting else { return }
        if sample >= bestRate * 1.25 {
            bestRate = sample
            windowsWithoutGrowth = 0
        } else {
            windowsWithoutGrowth += 1
            isStarting = windowsWithoutGrowth < Self.plateauWindows
        }
    }

    private mutating func updateTarget(_ now: Instant) {
        let content = linkContent
        if probe != nil {
            target = min(limits.upperBound, max(Self.probeLeast, content / 2))
            if probe?.drained == nil, underWay <= target { probe?.drained = now }
        } else {
            let (wanted, overflow) = content.multipliedReportingOverflow(by: isStarting ? 3 : 2)
            target = min(limits.upperBound, max(limits.lowerBound, overflow ? .max : wanted))
        }
    }
}

// MARK: Streams

/// The same for a peer that sends whatever its window lets it, as `scp -f` does: to grant credit is to ask.
package struct WindowMeasure: Sendable {
    package private(set) var flow: FlowMeasure
    private var marks: ArraySlice<FlowMeasure.Mark> = []
    /// Credit is granted in parts of the target, so that not every packet is answered by one.
    private static let parts = 8

    /// - Parameter window: the credit that the peer has from the beginning.
    package init(flow: FlowMeasure = FlowMeasure(), window: Int) {
        self.flow = flow
        marks.append(self.flow.grant(window))
    }

    /// Notes bytes that came.
    ///
    /// - Returns: the credit to grant for them, which is not 0 only if it is worth a message.
    package mutating func receive(_ bytes: Int, at now: FlowMeasure.Instant) -> Int {
        var rest = bytes
        while rest > 0, let first = marks.first {
            let (part, left) = first.split(at: rest)
            rest -= part.bytes
            marks[marks.startIndex] = left ?? part
            if left == nil { marks.removeFirst() }
            flow.answer(part, at: now)
        }
        let room = flow.target - flow.underWay
        guard room >= flow.target / Self.parts, room > 0 else { return 0 }
        marks.append(flow.ask(for: room, at: now))
        return room
    }
}

extension FlowMeasure.Mark {
    /// The first `count` bytes of what was asked for, and the rest if there is one.
    fileprivate func split(at count: Int) -> (FlowMeasure.Mark, FlowMeasure.Mark?) {
        guard count < bytes else { return (self, nil) }
        return (.init(bytes: count, asked: asked), .init(bytes: bytes - count, asked: asked))
    }
}
